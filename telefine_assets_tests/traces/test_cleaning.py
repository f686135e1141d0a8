"""Cleaning: what is dropped and why, what a trace's outcome is, and whose label counts."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.settings import OutcomeSettings
from telefine_assets.traces.cleaning import RULES, outcome_ppm
from telefine_assets_tests.traces.examples import (
    ADA,
    BEN,
    RATER,
    SETTINGS,
    cleaned,
    expectation,
    feedback,
    only,
    trace,
    why,
)

RIGHT = expectation("billing")


# What is dropped, and why


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (trace(1, RIGHT, status="ERROR"), "failed"),
        (trace(1, RIGHT, status="IN_PROGRESS"), "failed"),
        (trace(1, RIGHT, inputs=None), "inputs_missing"),
        (trace(1, RIGHT, inputs="a string"), "inputs_missing"),
        (trace(1, RIGHT, inputs={"args": ["one", "two"]}), "inputs_missing"),
        (trace(1, RIGHT, inputs={"ticket": None}), "inputs_empty"),
        (trace(1, RIGHT, inputs={"ticket": " \n"}), "inputs_empty"),
        (trace(1, RIGHT, inputs={"ticket": "x" * 20_001}), "inputs_too_long"),
        (trace(1, RIGHT, outputs=None), "outputs_missing"),
        (trace(1, RIGHT, outputs="billing"), "outputs_missing"),
        (trace(1, RIGHT, outputs={"reasoning": "because"}), "outputs_missing"),
        (trace(1, RIGHT, outputs={"team": None}), "outputs_missing"),
        (trace(1), "unlabelled"),
        (trace(1, feedback(0.7)), "unlabelled"),
        (trace(1, expectation("billing", name="something_else")), "unlabelled"),
        (trace(1, expectation("billing", valid=False), feedback(1, valid=False)), "unlabelled"),
    ],
)
def test_a_trace_that_cannot_be_learnt_from_is_dropped_for_a_stated_reason(bad, reason):
    assert why(bad) == reason


def test_the_first_rule_that_objects_names_the_reason():
    """A trace that breaks every rule loses one fault after another, and is dropped for each in the rules' order."""
    all_wrong = trace(1, status="ERROR", inputs=None, outputs=None)
    mends = [
        {"status": "OK"},
        {"inputs": json.dumps({"ticket": " " * 30_000})},
        {"inputs": json.dumps({"ticket": "x" * 30_000})},
        {"inputs": json.dumps({"ticket": "short"})},
        {"outputs": json.dumps({"team": "billing"})},
    ]
    reasons, bad = [why(all_wrong)], all_wrong
    for mend in mends:
        bad = replace(bad, **mend)
        reasons.append(why(bad))
    assert [*reasons, "untrusted_label"] == list(RULES)


def test_a_trace_says_nothing_of_fields_that_the_program_does_not_have():
    kept = only(trace(1, RIGHT, inputs={"ticket": "x", "user": "u"}, outputs={"team": "login", "reasoning": "r"}))
    assert (json.loads(kept.inputs), json.loads(kept.label)) == ({"ticket": "x"}, {"team": "billing"})


some_assessments = st.lists(
    st.one_of(
        st.builds(
            feedback,
            st.sampled_from([0, 1, 0.5, True, False, "good", None, "NaN", 7, 10**400]),
            st.sampled_from(["ann", "bob"]),
            valid=st.booleans(),
        ),
        st.builds(
            expectation,
            st.sampled_from(["billing", "login"]),
            st.sampled_from(["ann", RATER]),
            at=st.integers(1, 3),
            valid=st.booleans(),
        ),
    ),
    max_size=3,
)
some_trace = st.builds(
    lambda number, said, changes: trace(number, *said, **changes),
    st.integers(1, 10**6),
    some_assessments,
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(["OK", "OK", "OK", "ERROR"]),
            "inputs": st.sampled_from(["", "", {"ticket": "same"}, {"ticket": ""}, None]),
            "outputs": st.sampled_from(["", "", None]),
            "contributor": st.sampled_from([ADA, ADA.lower(), BEN, "nobody", None]),
            "at": st.integers(1, 3),
        }
    ),
)
some_traces = st.lists(some_trace, max_size=25, unique_by=lambda each: each.trace_id)


@given(some_traces)
@settings(max_examples=60, deadline=None)
def test_every_trace_is_kept_or_dropped_for_one_reason_and_the_counts_add_up(traces):
    kept, report = cleaned(*traces)
    assert (
        report.traces_in == len(traces) == len(kept) + sum(report.dropped.values()) == report.kept + len(report.drops)
    )
    assert {each.trace_id for each in kept}.isdisjoint(report.drops)
    for reason, ids in report.samples.items():
        assert len(ids) == min(5, report.dropped[reason])
        assert {report.drops[trace_id] for trace_id in ids} == {reason}


@given(some_traces.flatmap(lambda traces: st.tuples(st.just(traces), st.permutations(traces))))
@settings(max_examples=60, deadline=None)
def test_the_order_in_which_traces_come_is_irrelevant(both):
    one, other = (cleaned(*traces) for traces in both)
    assert one[0] == other[0]
    assert one[1].to_record() == other[1].to_record()


# Outcomes


@pytest.mark.parametrize(
    ("said", "ppm"),
    [
        ([], None),
        ([feedback("NaN")], None),
        ([feedback("very good")], None),
        ([feedback("1")], None),
        ([feedback(None)], None),
        ([feedback([1])], None),
        ([feedback(1.01)], None),
        ([feedback(-0.01)], None),
        ([feedback(10**400)], None),
        ([feedback(1, name="other")], None),
        ([expectation(1, name="helpful")], None),
        ([feedback(0)], 0),
        ([feedback(False)], 0),
        ([feedback(True)], 1_000_000),
        ([feedback(1)], 1_000_000),
        ([feedback(0.25)], 250_000),
        ([feedback(1, "ann"), feedback(0.5, "bob")], 750_000),
        ([feedback(1, "ann"), feedback("NaN", "bob"), feedback(9, "carl")], 1_000_000),
    ],
)
def test_an_outcome_is_the_mean_of_what_raters_said_within_the_range_and_none_when_nobody_did(said, ppm):
    assert outcome_ppm(said, SETTINGS.outcome) == ppm


def test_scores_are_read_on_their_declared_range():
    stars = OutcomeSettings(feedback="stars", low=1, high=5)
    said = [
        [feedback(3, name="stars")],
        [feedback(True, name="stars")],
        [feedback(False, name="stars")],
        [feedback(0, name="stars")],
    ]
    assert [outcome_ppm(each, stars) for each in said] == [500_000, 1_000_000, 0, None]


def test_a_missing_outcome_of_a_labelled_trace_is_none_and_not_zero():
    assert only(trace(1, RIGHT)).score_ppm is None
    assert only(trace(1, RIGHT, feedback(0))).score_ppm == 0


def test_an_overridden_score_no_longer_counts():
    assert only(trace(1, RIGHT, feedback(0, valid=False), feedback(1, at=2))).score_ppm == 1_000_000


# Labels


def test_an_expectation_goes_before_an_accepted_output():
    kept = only(trace(1, expectation("login"), feedback(1)))
    assert (json.loads(kept.label), kept.label_source) == ({"team": "login"}, "expectation:HUMAN:ann")
    assert kept.quality_ppm == 1_000_000


def test_an_output_that_was_accepted_is_a_label_that_says_that_it_is_the_programs_own():
    kept = only(trace(1, feedback(0.8)))
    assert (json.loads(kept.label), kept.label_source) == ({"team": "billing"}, "output:helpful")
    assert kept.quality_ppm == 800_000


def test_without_accept_at_no_output_is_a_label():
    strict = SETTINGS.model_copy(update={"outcome": OutcomeSettings(feedback="helpful")})
    assert why(trace(1, feedback(1)), strict) == "unlabelled"


def test_the_latest_of_several_expectations_counts_whatever_their_order():
    said = [expectation("login", "ann", at=1), expectation("shipping", "bob", at=2)]
    for order in (said, said[::-1]):
        assert json.loads(only(trace(1, *order)).label) == {"team": "shipping"}


def test_the_trusted_rater_goes_before_others_even_when_they_speak_later():
    kept = only(trace(1, expectation("login", RATER, at=1), expectation("shipping", "ann", at=9)))
    assert (json.loads(kept.label), kept.label_source) == ({"team": "login"}, f"expectation:HUMAN:{RATER}")


# The audit


def checked(number, wrong, contributor=ADA, said="login", right="billing"):
    """A trace whose label the trusted rater checked."""
    said = said if wrong else right
    return trace(number, expectation(said), expectation(right, RATER, at=2), contributor=contributor)


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


def test_a_label_that_differs_in_case_or_white_space_alone_is_no_mistake():
    traces = [checked(number, wrong=True, said=" Billing ") for number in range(10)]
    assert why_of_unchecked(traces) is None


def test_a_careless_contributor_does_not_get_off_by_spelling_the_wallet_in_other_ways():
    spellings = [ADA, ADA.lower(), "0x" + ADA[2:].upper(), f" {ADA} "]
    traces = [checked(number, wrong=True, contributor=spelling) for number, spelling in enumerate(spellings)]
    assert why_of_unchecked(traces) == "untrusted_label"


def test_without_a_trusted_rater_nobody_is_careless():
    kept, report = cleaned(
        *(checked(number, wrong=True) for number in range(9)),
        trace(99, RIGHT),
        settings=SETTINGS.model_copy(update={"audit": None}),
    )
    assert (len(kept), report.audit, report.careless) == (10, {}, ())


def why_of_unchecked(traces):
    """Why another trace of the same contributor, unchecked, is dropped on such a day."""
    _, report = cleaned(*traces, trace(999, RIGHT))
    return report.drops.get("tr-999")


# Contributors


@pytest.mark.parametrize(
    ("tag", "address", "reason"),
    [
        (ADA, ADA, None),
        (ADA.lower(), ADA, None),
        (None, None, "missing"),
        ("ada", None, "not_an_address"),
        ("ada.eth", None, "ens_name"),
        (BEN.swapcase().replace("0X", "0x"), None, "bad_checksum"),
        ("0x" + "0" * 40, None, "zero_address"),
    ],
)
def test_a_trace_stays_whoever_sent_it_and_a_bad_address_is_unresolved_with_the_reason(tag, address, reason):
    kept = only(trace(1, RIGHT, contributor=tag))
    assert (kept.contributor, kept.contributor_reason) == (address, reason)


def test_copies_of_an_input_stay_each_with_its_contributor_and_time():
    kept, _ = cleaned(
        trace(2, RIGHT, inputs={"ticket": "HELP  me"}, contributor=BEN), trace(1, RIGHT, inputs={"ticket": "help me"})
    )
    assert [(each.contributor, each.arrival_ms) for each in kept] == [(ADA, 1001), (BEN, 1002)]
    assert len({(each.cluster, each.split) for each in kept}) == 1
