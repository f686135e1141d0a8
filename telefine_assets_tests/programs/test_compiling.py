"""A day's compile, from cleaned traces to a candidate or the reason why there is none."""

import json
from dataclasses import replace

import pytest

from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.errors import TelefineError
from telefine_assets.lm.budget import Unreachable
from telefine_assets.programs.compiling import (
    BASELINE_KEPT,
    CANDIDATE,
    TOO_FEW,
    Models,
    compile_day,
    compile_record,
    earlier_of,
)
from telefine_assets.programs.entries import PREVIOUS, Earlier
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets_tests.programs.examples import (
    BOOTSTRAP,
    KEY,
    LABELED,
    SEARCH,
    cleaned_tickets,
    compile_settings,
    opened,
    tickets_spec,
)

SPEC = tickets_spec()
CLEANED = cleaned_tickets(200)


def compiled(knn, cleaned=CLEANED, baseline=None, earlier=None, said=None, **changes):
    with opened(knn) as lm:
        return compile_day(
            SPEC,
            cleaned,
            baseline or first_version(SPEC, lm.identity),
            compile_settings(**changes),
            KEY,
            Models(lm),
            earlier or Earlier(),
            (said if said is not None else []).append,
        )


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
    assert (result.outcome, result.reason) == (CANDIDATE, "1-labeled_few_shot/labeled won on validation")
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
    assert "no contender beat the baseline" in result.reason


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
    with opened(knn, num_retries=0) as lm, pytest.raises(Unreachable):
        compile_day(
            SPEC, CLEANED, first_version(SPEC, lm.identity), compile_settings(max_validation=20), KEY, Models(lm)
        )


def test_a_version_of_other_demos_can_be_the_baseline(knn):
    module = SPEC.build()
    module.sort.demos = []
    baseline = make_version(SPEC, dump_state(module), {"strategy": "none"}, "", {})
    result = compiled(knn, baseline=baseline)
    assert (result.standings[0].demos, result.standings[0].sum_ppm) == (0, 0)


def test_an_estimate_and_the_cap_are_said_before_the_first_call(knn):
    said = []
    compiled(knn, said=said, strategies=[LABELED, SEARCH], budget={"max_calls": 5_000})
    assert said[0].startswith("estimate: about ")
    assert "max_calls 5000" in said[0]
    assert knn.calls <= int(said[0].split()[2].replace(",", ""))


def kept(result, lm):
    """A record and the evidence that it names."""
    evidence = {}

    def put(content):
        evidence[sha256_hex(content)] = content
        return sha256_hex(content)

    return compile_record(result, lm, put), evidence


def test_the_latest_candidate_competes_again_with_its_demos_still_traced(knn):
    first = compiled(knn)
    record, evidence = kept(first, {"model": "m"})
    earlier = earlier_of([record], first.baseline, evidence.__getitem__)
    later = cleaned_tickets(200, 5_000)
    result = compiled(
        knn, cleaned=later, earlier=earlier, strategies=[{**LABELED.model_dump(), "max_labeled_demos": 1}]
    )
    assert result.standings[1].name == PREVIOUS
    assert result.candidate == first.candidate, "the version that it was, not another one of the same program"
    assert [demo.trace_id for demo in result.demos] == [demo.trace_id for demo in first.demos]
    assert not {demo.trace_id for demo in result.demos} & {each.trace_id for each in later}


def test_a_candidate_that_serves_by_now_does_not_compete_with_itself(knn):
    first = compiled(knn)
    record, evidence = kept(first, {})
    assert earlier_of([record], first.candidate, evidence.__getitem__).previous is None


def test_one_that_no_longer_fits_the_program_is_left_out_with_its_error(knn):
    first = compiled(knn)
    document = json.loads(first.candidate.document) | {"signatures": {"other": {}}}
    broken = type(first.candidate)(json.dumps(document).encode())
    result = compiled(knn, earlier=Earlier(broken))
    assert "other fields" in result.standings[1].error
    assert result.outcome == CANDIDATE


def test_items_that_no_compile_has_seen_can_be_tried_first(knn):
    first = compiled(knn)
    known = frozenset(item.cluster for item in first.trainset[:30])
    result = compiled(knn, earlier=Earlier(trained_on=known), incremental={"new_first": True})
    clusters = [item.cluster for item in result.trainset]
    assert set(clusters[-30:]) == known
    assert clusters != [item.cluster for item in first.trainset]


def test_a_candidate_that_was_rolled_back_does_not_come_back(knn):
    first = compiled(knn)
    record, evidence = kept(first, {})
    assert earlier_of([record], first.baseline, evidence.__getitem__, {record["candidate"]}).previous is None


def test_a_candidate_whose_evidence_is_lost_is_left_out_with_the_reason(knn):
    first = compiled(knn)
    record, _ = kept(first, {})

    def lost(digest):
        raise TelefineError(f"no evidence {digest}")

    result = compiled(knn, earlier=earlier_of([record], first.baseline, lost))
    assert "no evidence" in result.standings[1].error
    assert result.outcome == CANDIDATE


def test_who_gave_a_demo_first_keeps_it_when_the_trace_has_left_the_window_and_a_copy_has_come(knn):
    """A's demo is in what serves; a later candidate was not promoted; B's copy is in today's window."""
    first = compiled(knn)
    served, _ = kept(first, {})
    later, evidence = kept(compiled(knn, strategies=[BOOTSTRAP]), {})
    earlier = earlier_of([later, served], first.candidate, evidence.__getitem__)
    copies = [replace(each, trace_id=f"copy-{each.trace_id}", contributor="0xB") for each in CLEANED]
    result = compiled(knn, cleaned=copies, baseline=first.baseline, earlier=replace(earlier, previous=None))
    assert result.outcome == CANDIDATE
    given_before = {demo["content"] for demo in served["demos"]}
    assert {demo.contributor for demo in result.demos if demo.content in given_before} == {first.demos[0].contributor}


def test_what_was_made_with_other_code_is_another_version_today(knn):
    first = compiled(knn)
    record, evidence = kept(first, {})
    earlier = earlier_of([record], first.baseline, evidence.__getitem__)
    document = json.loads(earlier.previous.document) | {"code": "0" * 64}
    stale = replace(earlier, previous=type(first.candidate)(canonical_json(document)))
    result = compiled(knn, earlier=stale, strategies=[{**LABELED.model_dump(), "max_labeled_demos": 1}])
    assert result.tournament.winner.name == PREVIOUS
    assert json.loads(result.candidate.document)["code"] == SPEC.code_digest
    assert result.candidate.digest != stale.previous.digest
