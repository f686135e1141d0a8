"""Labels: what the right output is, who says so, and whose word cannot be trusted."""

import json
from datetime import date
from typing import Annotated, Literal, Optional

import pytest

from telefine_assets.settings.traces import OutcomeSettings
from telefine_assets.traces.cleaning.annotations import FieldTypes
from telefine_assets.traces.cleaning.audit import Checked
from telefine_assets.traces.cleaning.labels import takes_null
from telefine_assets.traces.fields import Fields
from telefine_assets_tests.traces.examples import (
    ADA,
    BEN,
    RATER,
    SETTINGS,
    Text,
    clean,
    cleaned,
    expectation,
    feedback,
    only,
    sealed,
    settings_with,
    trace,
    why,
)

RIGHT = expectation("billing")
STARS = OutcomeSettings(feedback="stars", kind="stars")
HELPFUL = OutcomeSettings(feedback="helpful")


def label(*said, **changes):
    kept = only(trace(1, *said), **changes)
    return json.loads(kept.label), kept.label_source


def test_an_expectation_goes_before_an_accepted_output():
    kept = only(trace(1, expectation("login"), feedback(1)))
    assert (json.loads(kept.label), kept.label_source) == ({"team": "login"}, "expectation:HUMAN:ann")
    assert (kept.score_ppm, kept.quality_ppm) == (1_000_000, 1_000_000)


def test_an_output_that_was_accepted_is_a_label_that_says_that_it_is_the_programs_own():
    assert label(feedback(0.8)) == ({"team": "billing"}, "output:helpful")


@pytest.mark.parametrize(("at", "score", "reason"), [(0.57, 0.57, None), (0.57, 0.5699, "unlabelled"), (0.0, 0, None)])
def test_an_output_is_accepted_at_the_very_score_and_not_below(at, score, reason):
    assert why(trace(1, feedback(score)), settings_with(accept_outputs_at=at)) == reason


def test_the_names_of_those_that_scored_an_output_stand_in_its_source_in_the_settings_order():
    both = settings_with(outcomes=(STARS, HELPFUL))
    assert label(feedback(1), feedback(5, name="stars"), settings=both)[1] == "output:stars+helpful"
    assert label(feedback(1), feedback(9, name="stars"), settings=both)[1] == "output:helpful"


def test_without_accept_outputs_at_no_output_is_a_label():
    assert why(trace(1, feedback(1)), settings_with(accept_outputs_at=None)) == "unlabelled"


@pytest.mark.parametrize("normalise", ["rank", "zscore"])
def test_acceptance_is_decided_on_the_common_scale(normalise):
    how = settings_with(normalise=normalise, accept_outputs_at=0.75)
    kept, report = cleaned(*(trace(number, feedback(number / 100)) for number in range(9)), settings=how)
    assert [each.trace_id for each in kept] == ["tr-7", "tr-8"] if normalise == "rank" else ["tr-6", "tr-7", "tr-8"]
    assert report.dropped == {"unlabelled": 9 - len(kept)}


def test_the_latest_of_several_expectations_counts_whatever_their_order():
    said = [expectation("login", "ann", at=1), expectation("shipping", "bob", at=2)]
    assert label(*said)[0] == label(*said[::-1])[0] == {"team": "shipping"}
    twins = [expectation("login", assessment_id="a-1"), expectation("shipping", assessment_id="a-2")]
    assert label(*twins)[0] == label(*twins[::-1])[0] == {"team": "shipping"}


def test_the_trusted_rater_goes_before_others_even_when_they_speak_later():
    said = [expectation("login", RATER, at=1), expectation("shipping", "ann", at=9)]
    assert label(*said) == ({"team": "login"}, f"expectation:HUMAN:{RATER}")


def test_a_judge_that_calls_itself_like_the_trusted_rater_is_not_trusted():
    said = [expectation("login", RATER, at=1, kind="LLM_JUDGE"), expectation("shipping", "ann", at=9)]
    assert label(*said) == ({"team": "shipping"}, "expectation:HUMAN:ann")


def test_expectations_that_say_not_all_of_the_output_are_no_label():
    fields = Fields(("ticket",), ("team", "urgency"), {"urgency": int})
    how = settings_with(expectations={"team": "right_team", "urgency": "right_urgency"})
    urgent = expectation(3, "bob", name="right_urgency")
    assert why(trace(1, RIGHT), how, fields) == "unlabelled"
    assert label(RIGHT, urgent, settings=how, fields=fields) == (
        {"team": "billing", "urgency": 3},
        "expectation:HUMAN:ann,HUMAN:bob",
    )
    accepted = trace(1, RIGHT, feedback(1), outputs={"team": "login", "urgency": 1})
    assert only(accepted, settings=how, fields=fields).label_source == "output:helpful"


def test_an_expectation_that_was_stored_as_plain_text_is_that_text():
    assert label(expectation(Text("billing")))[0] == {"team": "billing"}


def test_none_is_a_right_answer_only_where_the_signature_allows_none():
    fields = Fields(("ticket",), ("team",), {"team": str | None})
    assert label(expectation(None), fields=fields)[0] == {"team": None}
    assert why(trace(1, expectation(None))) == "unlabelled"
    assert only(trace(1, feedback(1), outputs={"team": None}), fields=fields).label == '{"team":null}'
    assert why(trace(1, feedback(1), outputs={}), fields=fields) == "outputs_missing"


@pytest.mark.parametrize("text", ["null", "none", " None\n", "NULL"])
@pytest.mark.parametrize(
    ("annotation", "is_null"),
    [
        (date | None, True),
        (Optional[Literal["low", "high"]], True),  # noqa: UP045
        (Annotated[int | None, "days"], True),
        (list[str] | None, True),
        (str | None, False),
        (int | str | None, False),
        (Literal["none", "low"] | None, False),
        (bytes | None, False),
        (date, False),
    ],
)
def test_a_text_that_says_null_is_null_where_the_field_may_be_none_and_takes_no_such_text(annotation, is_null, text):
    fields = Fields(("ticket",), ("team",), {"team": annotation})
    said = trace(1, expectation(text))
    if is_null:
        assert only(said, fields=fields).label == '{"team":null}'
    else:
        kept, _ = cleaned(said, fields=fields)
        assert [json.loads(each.label) for each in kept] in ([], [{"team": text}])
    assert (takes_null(SETTINGS, FieldTypes(fields)) == {"right_team"}) is is_null


def test_an_expectation_of_two_outputs_says_null_only_where_both_read_it():
    fields = Fields(("ticket",), ("due", "note"), {"due": date | None, "note": str | None})
    how = settings_with(expectations={"due": "right", "note": "right"})
    assert takes_null(how, FieldTypes(fields)) == set()


# The audit


def checked(number, wrong, contributor=ADA, said="login", right="billing", kind="HUMAN"):
    """A trace whose label the trusted rater checked."""
    said = said if wrong else right
    return trace(number, expectation(said), expectation(right, RATER, at=2, kind=kind), contributor=contributor)


def test_a_careless_contributors_unchecked_labels_are_dropped_and_the_checked_ones_kept():
    traces = [*(checked(number, wrong=number <= 2) for number in range(1, 5)), trace(9, RIGHT), trace(10, feedback(1))]
    other = [trace(20, RIGHT, contributor=BEN), trace(21, RIGHT, contributor=None)]
    kept, report = cleaned(*traces, *other)
    assert {each.trace_id for each in kept} == {"tr-1", "tr-2", "tr-3", "tr-4", "tr-20", "tr-21"}
    assert {json.loads(each.label)["team"] for each in kept} == {"billing"}
    assert dict(report.drops) == {"tr-9": "untrusted_label", "tr-10": "untrusted_label"}
    assert (report.audit[ADA].checked, report.audit[ADA].wrong, report.careless) == (4, 2, (ADA,))


@pytest.mark.parametrize(("wrong", "of", "careless"), [(3, 3, False), (1, 4, False), (2, 4, True), (34, 100, False)])
def test_few_checks_or_few_mistakes_leave_a_contributor_trusted(wrong, of, careless):
    traces = [checked(number, wrong=number < wrong) for number in range(of)]
    assert (why_of_unchecked(traces) == "untrusted_label") is careless


def test_what_was_found_on_earlier_days_counts_with_what_is_found_today():
    today = [*(checked(number, wrong=True) for number in range(2)), trace(9, RIGHT)]
    assert clean(*today).report.careless == ()
    found = clean(*today, earlier_audit={ADA: Checked(2, 0), BEN: Checked(4, 4)}).report
    assert set(found.careless) == {ADA, BEN}
    assert found.drops == {"tr-9": "untrusted_label"}
    assert found.audit[ADA] == Checked(2, 2)
    honest = clean(*today, earlier_audit={ADA: Checked(20, 0)})
    assert honest.report.careless == ()


def test_a_label_that_differs_in_case_or_white_space_alone_is_no_mistake():
    assert why_of_unchecked([checked(number, wrong=True, said=" Billing ") for number in range(10)]) is None


def test_what_a_judge_says_under_the_trusted_raters_id_convicts_nobody():
    assert why_of_unchecked([checked(number, wrong=True, kind="LLM_JUDGE") for number in range(10)]) is None


def test_a_careless_contributor_does_not_get_off_by_spelling_the_wallet_in_other_ways():
    spellings = [ADA, ADA.lower(), "0x" + ADA[2:].upper(), f" {ADA} "]
    traces = [checked(number, wrong=True, contributor=spelling) for number, spelling in enumerate(spellings)]
    assert why_of_unchecked(traces) == "untrusted_label"


def test_labels_of_traces_that_are_dropped_anyway_count_for_the_audit():
    failed = [sealed(checked(number, wrong=True), status="ERROR") for number in range(4)]
    assert why_of_unchecked(failed) == "untrusted_label"


def test_without_a_trusted_rater_nobody_is_careless():
    rows = [*(checked(number, wrong=True) for number in range(9)), trace(99, RIGHT)]
    kept, report = cleaned(*rows, settings=settings_with(audit=None))
    assert (len(kept), report.audit, report.careless) == (10, {}, ())


def why_of_unchecked(traces):
    """Why another trace of the same contributor, unchecked, is dropped on such a day."""
    _, report = cleaned(*traces, trace(999, RIGHT))
    return report.drops.get("tr-999")
