"""What a hostile reader would try on a living holdout."""

import json
from dataclasses import replace

import pytest

from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.guardrails import measured
from telefine_assets.deltaone.holdout import prepare
from telefine_assets.deltaone.records import Guardrail, Rules
from telefine_assets.programs.versions import Version
from telefine_assets.settings.deltaone import DeltaOneSettings
from telefine_assets_tests.programs.examples import KEY, tickets_spec

from .house import CLEANED, FEW, MORE, TUESDAY, WORSE, House
from .metrics import HERE
from .rows import look, row

ALL = [*CLEANED, *MORE]


@pytest.fixture
def house(tmp_path, knn):
    return House(tmp_path, knn)


def key_of(house, cleaned, day=TUESDAY):
    with house.bench() as bench:
        versions = [Version(bench.get(house.compiled()[side])) for side in ("baseline", "candidate")]
        return prepare(bench, day, cleaned, *versions).request.look_key


def relabelled(cleaned, of):
    """The same traces; those of ``of`` got another label."""
    return [replace(each, label=json.dumps({"team": "sales"})) if each.cluster in of else each for each in cleaned]


def test_a_guardrail_that_is_the_score_under_another_name_tells_nothing_whatever_another_one_reads(house):
    fits = {"name": "function", "path": f"{HERE}:fits", "labels": False}
    rails = {"same": {"metric": fits, "at_least": 1_000_000}, "right": {"metric": "exact_match", "at_least": 0}}
    house.settings = DeltaOneSettings(guardrails=rails, **FEW)
    spec = tickets_spec(metric=fits, deltaone=house.settings)
    record = house.record(spec=spec, compiled=house.compiled(**WORSE, spec=spec))
    assert (record["code"], record["public"]["guardrails"], record["public"]["k"]) == ("not_reached", [], 1)
    assert "same" not in record["sentence"]


def test_the_key_that_chooses_the_items_is_neither_stored_nor_shown(house):
    record = house.record()
    secret = KEY.get_secret_value()
    with house.bench() as bench:
        assert secret not in repr(bench)
    assert secret not in repr(record) + "".join(house.said)
    stored = [path for path in house.folder.rglob("*") if path.is_file()]
    assert stored
    assert not [path for path in stored if secret.encode() in path.read_bytes()]


def test_a_look_is_known_by_every_item_it_could_be_at_and_not_by_those_of_a_first_choice(house):
    """With more items than a look takes, those that are asked after a rotation are others than at first."""
    house.settings = DeltaOneSettings(max_items=30, **FEW)
    assert house.record(cleaned=ALL)["reached"]
    (_, _, _, monday), *_ = house.looks()
    key = key_of(house, ALL)
    held = {each.cluster for each in ALL if each.split == "holdout"}
    assert len(held) > 60
    assert key_of(house, relabelled(ALL, held - set(monday))) != key
    assert key_of(house, [each for each in ALL if each.cluster not in held - set(monday)]) != key


def test_a_stored_result_cannot_be_found_by_trying_all_results(house):
    record = house.record(compiled=house.compiled(**WORSE))
    stored = house.evidence.get(record["evidence"]["report.json"])
    guessed = {name: value for name, value in json.loads(stored).items() if name != "blind"}
    assert sha256_hex(canonical_json(guessed)) not in json.dumps(record)
    assert house.record(compiled=house.compiled(**WORSE)) == record, "and yet the same look gives the same bytes"


def test_a_certified_report_goes_on_naming_what_it_was_certified_with(house):
    record = house.record()
    again = house.record(spec=tickets_spec(metric="f1"))
    assert (record["reached"], again) == (True, record)
    report = house.report(spec=tickets_spec(metric="f1"))
    assert "Metric: exact" in report.markdown.replace("**", "")
    assert "f1 (higher" not in report.markdown


def test_a_question_that_the_model_refused_breaks_no_guardrail_on_its_service():
    served = [row(at, 0, 1_000_000) for at in range(100)]
    timed = [
        replace(each, baseline_measures={"latency_ms": 10}, candidate_measures={"latency_ms": 12}) for each in served
    ]
    refused = replace(timed[0], baseline_ppm=0, baseline_error="unparsable", baseline_measures={"valid": 0})
    unknown = replace(timed[0], candidate_measures={})
    fast = Rules(min_items=10, guardrails=(Guardrail("fast", "latency_ms", direction="lower", max_worse=5),))
    assert measured([refused, *timed[1:]], fast)[0]["held"]
    assert decide([refused, *timed[1:]], fast, look()).reached
    assert not measured([unknown, *timed[1:]], fast)[0]["held"]


def test_no_metric_takes_the_place_of_the_programs_own_confidence():
    rail = {"metric": "exact_match", "at_least": 1}
    with pytest.raises(ValueError, match="the name belongs to a measure"):
        DeltaOneSettings(guardrails={"confidence": rail})


def test_all_that_got_worse_is_kept_also_when_it_is_too_much_for_a_look(house):
    assert house.record()["reached"]
    house.settings = DeltaOneSettings(max_regressions=0, **FEW)
    record = house.record(TUESDAY, ALL, house.compiled(**WORSE))
    kept = house.evidence.get(record["regressions"]["rows"]).splitlines()
    assert (record["code"], len(kept)) == ("too_many_regressions", record["regressions"]["asked"])
