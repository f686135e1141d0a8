"""A day's compile, from cleaned traces to a candidate or the reason why there is none."""

import json

import pytest

from telefine_assets.canonical import sha256_hex
from telefine_assets.programs.compiling import BASELINE_KEPT, CANDIDATE, TOO_FEW, compile_day
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.tournament import TournamentError
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets_tests.programs.examples import (
    BOOTSTRAP,
    LABELED,
    SEARCH,
    cleaned_tickets,
    compile_settings,
    opened,
    tickets_spec,
)

SPEC = tickets_spec()
CLEANED = cleaned_tickets(200)


def compiled(knn, cleaned=CLEANED, baseline=None, **changes):
    with opened(knn) as lm:
        return compile_day(SPEC, cleaned, baseline or first_version(SPEC, lm.identity), compile_settings(**changes), lm)


@pytest.mark.parametrize(
    ("changes", "side"), [({"min_train": 500, "max_train": 500}, "train"), ({"min_validation": 500}, "validation")]
)
def test_with_too_few_items_nothing_is_asked_and_the_reason_says_how_many_are_needed(knn, changes, side):
    result = compiled(knn, **changes)
    assert (result.outcome, result.candidate, result.demos, result.standings) == (TOO_FEW, None, [], [])
    assert "500" in result.reason
    assert f"{side} items" in result.reason
    assert knn.calls == 0


def test_a_better_program_is_the_candidate_with_every_demo_traced(knn):
    result = compiled(knn)
    assert (result.outcome, result.reason) == (CANDIDATE, "1-labeled_few_shot won on validation")
    assert len(result.demos) == 16
    train = {each.trace_id for each in CLEANED if each.split == "train"}
    assert {demo.trace_id for demo in result.demos} <= train
    assert [version.digest for version in result.versions] == [result.baseline.digest, result.candidate.digest]
    assert result.candidate.digest != result.baseline.digest


def test_the_record_names_everything_by_digest(knn):
    result = compiled(knn)
    record = result.to_record({"model": "m"})
    assert record["candidate"] == sha256_hex(result.candidate.document)
    assert record["strategy"]["strategy"] == "labeled_few_shot"
    assert record["trainset"]["n"] == len(result.trainset)
    assert json.loads(result.candidate.document)["trainset"] == record["trainset"]["digest"]
    assert json.loads(result.demos_document()) == record["demos"]
    lines = [json.loads(line) for line in result.trainset_document().splitlines()]
    assert [line["trace_id"] for line in lines if line["side"] == "train"] == [
        each.trace_id for each in result.trainset
    ]


def test_compiling_the_same_day_again_gives_the_same_bytes(knn):
    one, other = compiled(knn), compiled(knn, CLEANED[::-1])
    assert one.candidate == other.candidate
    assert one.to_record({}) == other.to_record({})


def test_a_baseline_that_nothing_beats_stays(knn):
    best = compiled(knn).candidate
    result = compiled(knn, baseline=best)
    assert (result.outcome, result.candidate, result.demos) == (BASELINE_KEPT, None, [])
    assert result.baseline == best
    assert "no strategy beat the baseline" in result.reason


def test_no_text_of_the_holdout_is_ever_shown_to_the_model(knn):
    result = compiled(knn, strategies=[LABELED, BOOTSTRAP, SEARCH])
    held_out = {json.loads(each.inputs)["ticket"] for each in CLEANED if each.split == "holdout"}
    used = {json.loads(each.inputs)["ticket"] for each in CLEANED if each.split != "holdout"}
    shown = {
        line.removeprefix("Ticket: ")
        for prompt in knn.prompts
        for line in prompt.splitlines()
        if line.startswith("Ticket: ")
    }
    assert len(held_out) > 40
    assert not held_out & shown
    assert len(used & shown) > 80, "the prompts are the ones that were recorded"
    assert result.outcome == CANDIDATE


def test_validation_items_are_never_demos(knn):
    result = compiled(knn, strategies=[LABELED, BOOTSTRAP, SEARCH])
    validation = {item.inputs["ticket"] for item in result.validation}
    examples = {line for prompt in knn.prompts for line in prompt.rpartition("\n\n")[0].splitlines()}
    assert not {f"Ticket: {text}" for text in validation} & examples


def test_a_model_that_is_down_is_an_error_and_not_a_kept_baseline(knn):
    knn.refuses = lambda prompt: True
    with opened(knn, num_retries=0) as lm, pytest.raises(TournamentError):
        compile_day(SPEC, CLEANED, first_version(SPEC, lm.identity), compile_settings(max_validation=20), lm)


def test_a_version_of_other_demos_can_be_the_baseline(knn):
    module = SPEC.build()
    module.sort.demos = []
    baseline = make_version(SPEC, dump_state(module), {"strategy": "none"}, "", {})
    result = compiled(knn, baseline=baseline)
    assert (result.standings[0].demos, result.standings[0].sum_ppm) == (0, 0)
