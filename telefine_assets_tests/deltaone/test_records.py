from dataclasses import replace

import pytest

from telefine_assets.canonical import canonical_json
from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.records import UNJUDGED, Decision, Guardrail, Look, PairedItem, RecordError, Rules
from telefine_assets.errors import TelefineError

from .rows import look, measuring, row, rows

RAILS = (Guardrail("fast", "latency_ms", "p95", "lower", at_most=9), Guardrail("safe", "safe", max_worse=1))


@pytest.mark.parametrize(
    "record",
    [
        row(1, 0, None, candidate_error="timeout", baseline_measures={"latency_ms": 3}),
        Rules(),
        Rules(guardrails=RAILS, max_regressions=7),
        RAILS[0],
        look(),
    ],
)
def test_a_record_survives_canonical_json(record):
    import json

    assert type(record).from_record(json.loads(canonical_json(record.to_record()))) == record


def test_a_decision_survives_canonical_json():
    import json

    decision = decide(measuring(rows(60, 20, 400), latency_ms=5, safe=9), Rules(guardrails=RAILS), look())
    assert len(decision.guardrails) == 2
    assert Decision.from_record(json.loads(canonical_json(decision.to_record()))) == decision


@pytest.mark.parametrize("score", [0.5, True, "1", 1e6])
def test_a_score_is_an_integer(score):
    with pytest.raises(RecordError, match="must be an integer"):
        row(1, 0, score)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"direction": "up"}, "direction"),
        ({"alpha": 0.05}, "decimal string"),
        ({"alpha": "1/0"}, "decimal string"),
        ({"alpha": "five"}, "decimal string"),
        ({"alpha": "1e-999999999"}, "decimal string"),
        ({"permutations": 10**15}, "permutations"),
        ({"alpha": "0.5"}, "between"),
        ({"alpha": "0"}, "between"),
        ({"threshold_ppm": 0}, "threshold_ppm"),
        ({"threshold_ppm": 0.01}, "integer"),
        ({"permutations": 10}, "permutations"),
    ],
)
def test_rules_that_certify_everything_or_nothing_are_refused(changes, message):
    with pytest.raises(RecordError, match=message):
        Rules(**changes)


@pytest.mark.parametrize("value", [0.5, True, "1", None, -1])
def test_a_measure_is_an_integer(value):
    with pytest.raises(RecordError, match=r"candidate_measures\.latency_ms"):
        row(1, 0, 0, candidate_measures={"latency_ms": value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "bounds nothing"),
        ({"at_least": 1, "statistic": "median"}, "'mean' or 'p95'"),
        ({"at_least": 1, "direction": "up"}, "direction"),
        ({"at_most": -1}, "at_most"),
        ({"max_worse": 0.5}, "integer"),
    ],
)
def test_a_guardrail_that_guards_nothing_is_refused(changes, message):
    with pytest.raises(RecordError, match=message):
        Guardrail("rail", "valid", **changes)


def test_guardrails_have_different_names():
    with pytest.raises(RecordError, match="twice"):
        Rules(guardrails=(RAILS[0], RAILS[0]))
    with pytest.raises(RecordError, match="max_regressions"):
        Rules(max_regressions=-1)


@pytest.mark.parametrize(
    ("error", "answered"),
    [(None, True), ("unparsable", True), (f"{UNJUDGED}: no_verdict", True), ("timeout", False), ("RateLimit", False)],
)
def test_an_answer_is_one_whatever_it_is_worth(error, answered):
    assert row(1, 0, None, candidate_error=error).answered == answered
    assert row(1, None, 0, baseline_error=error).answered == answered


def test_looks_are_counted_from_one():
    with pytest.raises(RecordError):
        look(0)
    with pytest.raises(RecordError):
        look(candidate_version="")


@pytest.mark.parametrize("kind", [PairedItem, Rules, Look])
def test_missing_and_unknown_fields_are_refused(kind):
    record = {PairedItem: row(1, 0, 0), Rules: Rules(), Look: look()}[kind].to_record()
    with pytest.raises(TelefineError, match="unknown fields \\['extra'\\]"):
        kind.from_record({**record, "extra": 1})
    record.popitem()
    with pytest.raises(TelefineError, match="missing fields"):
        kind.from_record(record)


def test_a_decision_that_contradicts_itself_is_refused():
    decision = decide(rows(60, 20, 400), Rules(), look())
    with pytest.raises(RecordError):
        replace(decision, reached=False)
    with pytest.raises(RecordError):
        replace(decision, wins=decision.wins + 1)


def test_importing_the_core_loads_no_heavy_library():
    import subprocess
    import sys

    code = (
        "import sys, telefine_assets.deltaone.report, telefine_assets.deltaone.figures;"
        "print([m for m in ('numpy', 'scipy', 'matplotlib', 'dagster', 'mlflow', 'dspy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
