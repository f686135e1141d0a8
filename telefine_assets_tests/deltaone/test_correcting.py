"""Corrected labels: the stored answers are scored again, and nobody gains by a correction."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.deltaone.correcting import CannotCorrect, correct
from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.pairs import gain_of
from telefine_assets.deltaone.records import PPM, UNPARSABLE, Guardrail, PairedItem
from telefine_assets.traces.records import json_text
from telefine_assets_tests.deltaone.rows import LOOSE, look
from telefine_assets_tests.programs.examples import cleaned_tickets, tickets_spec
from telefine_assets_tests.programs.tickets import TEAMS

SPEC = tickets_spec()
LOOK = look(metric_digest=SPEC.metric_digest)
CLEANED = [replace(trace, split="holdout") for trace in cleaned_tickets(12)]
TEAM = st.sampled_from(TEAMS)


def row_of(trace, label, before, after):
    """An item with two answers, as it was scored by the label of then; None is an answer that could not be read."""

    def side(name, team):
        error = UNPARSABLE if team is None else None
        output = None if team is None else {"team": team}
        return {f"{name}_output": output, f"{name}_error": error, f"{name}_ppm": PPM if team == label else 0}

    return PairedItem(
        item=trace.cluster, trace_id=trace.trace_id, group=trace.group, inputs={}, label={"team": label},
        label_source=trace.label_source, **side("baseline", before), **side("candidate", after),
    )  # fmt: skip


def labelled(trace, team):
    return replace(trace, label=json_text({"team": team}))


def logged_again(trace):
    """Under its id, other inputs by now, which are on another side."""
    return replace(trace, content="e" * 64, cluster="e" * 64, split="train")


ITEM = st.tuples(TEAM, st.none() | TEAM, st.none() | TEAM, st.none() | TEAM)
"""Label of then, both answers, label of now; None for withdrawn feedback."""


@settings(max_examples=60, deadline=None)
@given(st.lists(ITEM, min_size=1, max_size=len(CLEANED)))
def test_no_item_and_no_look_gains_by_any_correction(drawn):
    pairs = list(zip(CLEANED, drawn, strict=False))
    rows = [row_of(trace, label, before, after) for trace, (label, before, after, _) in pairs]
    now = [labelled(trace, team) for trace, (*_, team) in pairs if team is not None]
    found = correct(rows, now, SPEC, LOOSE, LOOK)
    assert [row.item for row in found.rows] == [row.item for row in rows]
    for (_, (label, before, after, team)), old, new in zip(pairs, rows, found.rows, strict=True):
        honest = 0 if team is None else PPM * ((after == team) - (before == team))
        assert gain_of(new, "higher") == min(gain_of(old, "higher"), honest if team != label else PPM)
    old, new = (decide(each, LOOSE, LOOK) for each in (rows, found.rows))
    assert new.delta_ppm <= old.delta_ppm
    assert not new.reached or float(new.p_value) >= float(old.p_value)
    assert sum(found.counts.values()) == len(rows)


def test_each_correction_is_counted_as_what_became_of_it():
    right, wrong = "login", "praise"
    rows = [row_of(trace, right, wrong, right) for trace in CLEANED[:4]] + [row_of(CLEANED[4], right, right, wrong)]
    now = [
        labelled(CLEANED[0], right), labelled(CLEANED[1], wrong), logged_again(CLEANED[2]), labelled(CLEANED[4], wrong),
    ]  # fmt: skip
    found = correct(rows, now, SPEC, LOOSE, LOOK)
    assert found.counts == {"as_it_was": 1, "relabelled": 1, "withdrawn": 2, "passed_over": 1}
    scores = [(row.baseline_ppm, row.candidate_ppm, row.label["team"]) for row in found.rows]
    assert scores == [(0, PPM, right), (PPM, 0, wrong), (0, 0, right), (0, 0, right), (PPM, 0, right)]


def test_what_became_a_tie_can_be_corrected_again_and_never_to_a_win():
    right, wrong = "login", "praise"
    rows = [row_of(trace, right, wrong, right) for trace in CLEANED[:3]]
    first = correct(rows, [labelled(CLEANED[2], right)], SPEC, LOOSE, LOOK)
    assert first.counts["withdrawn"] == 2
    now = [labelled(CLEANED[0], wrong), labelled(CLEANED[1], right), labelled(CLEANED[2], wrong)]
    second = correct(first.rows, now, SPEC, LOOSE, LOOK)
    assert [gain_of(row, "higher") for row in second.rows] == [-PPM, 0, -PPM]


def test_a_metric_that_is_another_by_now_corrects_nothing():
    with pytest.raises(CannotCorrect, match="not the one of the look any more"):
        correct([], CLEANED, SPEC, LOOSE, look())


def test_scores_that_the_stored_answers_do_not_give_are_not_corrected():
    row = replace(row_of(CLEANED[0], "login", "praise", "login"), candidate_ppm=PPM // 2)
    with pytest.raises(CannotCorrect, match="does not give the attested scores"):
        correct([row], [labelled(CLEANED[0], "praise")], SPEC, LOOSE, LOOK)


def test_a_judge_that_reads_the_label_is_asked_nothing_new():
    judged = tickets_spec(metric={"name": "lm_judge", "instructions": "Is it the right team?"})
    with pytest.raises(CannotCorrect, match="a corrected label would be a new question"):
        correct([], CLEANED, judged, LOOSE, LOOK)


@pytest.mark.parametrize(
    "moved", [{"split": "train"}, {"split": "validation", "cluster": "e" * 64}, {"cluster": "e" * 64}]
)
def test_what_changed_settings_moved_to_another_side_is_not_taken_for_withdrawn(moved):
    row = replace(row_of(CLEANED[0], "login", "praise", "login"), inputs=json.loads(CLEANED[0].inputs))
    with pytest.raises(CannotCorrect, match=r"split or cleaning.near_duplicates were changed.*cleaned_traces --day"):
        correct([row], [replace(labelled(CLEANED[0], "login"), **moved)], SPEC, LOOSE, LOOK)


JUDGED = tickets_spec(
    metric={"name": "lm_judge", "instructions": "Is it polite?", "labels": False},
    deltaone={"guardrails": {"right": {"metric": "exact_match", "max_worse": 10_000}}},
)
RAIL = Guardrail("right", "right", max_worse=10_000, reads_label=True, digest=JUDGED.guardrails["right"].digest)
JUDGED_RULES = replace(LOOSE, score_reads_label=False, guardrails=(RAIL,))


def test_a_judge_that_reads_no_label_is_asked_nothing_where_a_guardrail_reads_labels():
    measured = {"baseline_measures": {"right": 0}, "candidate_measures": {"right": PPM}}
    row = replace(row_of(CLEANED[0], "login", "praise", "login"), **measured)
    found = correct([row], [labelled(CLEANED[0], "praise")], JUDGED, JUDGED_RULES, look())
    assert found.counts["relabelled"] == 1
    (now,) = found.rows
    assert (now.baseline_ppm, now.candidate_ppm) == (0, PPM)
    assert (now.baseline_measures, now.candidate_measures) == ({"right": PPM}, {"right": 0})
    other = replace(row, candidate_measures={"right": 1})
    with pytest.raises(CannotCorrect, match="metric right does not give the attested scores"):
        correct([other], [labelled(CLEANED[0], "praise")], JUDGED, JUDGED_RULES, look())
