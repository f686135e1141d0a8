"""Outcomes: what each value counts as, and what several raters say together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.settings.traces import OutcomeSettings
from telefine_assets.traces.cleaning.outcomes import Notes, OutcomeReader
from telefine_assets_tests.traces.examples import Text, clean, expectation, feedback, only, settings_with, trace, why

NAN, INF = float("nan"), float("inf")
NUMBER = OutcomeSettings(feedback="helpful")
BOOLEAN = OutcomeSettings(feedback="helpful", kind="boolean")
PASS_FAIL = OutcomeSettings(feedback="helpful", kind="pass_fail")
STARS = OutcomeSettings(feedback="helpful", kind="stars")
CATEGORY = OutcomeSettings(
    feedback="helpful", kind="category", low=-1, high=3, categories={"bad": -1, "Fair": 1, "good": 3, "2": 2, "true": 3}
)
KINDS = {"number": NUMBER, "boolean": BOOLEAN, "pass_fail": PASS_FAIL, "stars": STARS, "category": CATEGORY}


def outcome(said, how=NUMBER):
    notes = Notes()
    return OutcomeReader(how).outcome(said, notes), notes


def with_(how, **changes):
    return OutcomeSettings.model_validate({**how.model_dump(), **changes})


# One value: value -> what it is for number, boolean, pass_fail, stars, category (parts per million, or why nothing)
MILLION = 1_000_000
WHAT_VALUES_COUNT_AS = [
    (0, 0, 0, 0, "out_of_range", "unknown_category"),
    (1, MILLION, MILLION, MILLION, 0, "unknown_category"),
    (1.0, MILLION, MILLION, MILLION, 0, "unknown_category"),
    (0.25, 250_000, "unknown_category", "unknown_category", "out_of_range", "unknown_category"),
    (0.57, 570_000, "unknown_category", "unknown_category", "out_of_range", "unknown_category"),
    (2, "out_of_range", "unknown_category", "unknown_category", 250_000, 750_000),
    (3.5, "out_of_range", "unknown_category", "unknown_category", 625_000, "unknown_category"),
    (5, "out_of_range", "unknown_category", "unknown_category", MILLION, "unknown_category"),
    (-0.01, "out_of_range", "unknown_category", "unknown_category", "out_of_range", "unknown_category"),
    (10**400, "out_of_range", "unknown_category", "unknown_category", "out_of_range", "unknown_category"),
    (True, MILLION, MILLION, MILLION, MILLION, MILLION),
    (False, 0, 0, 0, 0, "unknown_category"),
    (None, "null", "null", "null", "null", "null"),
    (NAN, "nan", "nan", "nan", "nan", "nan"),
    (INF, "infinite", "infinite", "infinite", "infinite", "infinite"),
    (-INF, "infinite", "infinite", "infinite", "infinite", "infinite"),
    (Text("1e999"), "infinite", "infinite", "infinite", "infinite", "infinite"),
    ([1], "wrong_shape", "wrong_shape", "wrong_shape", "wrong_shape", "wrong_shape"),
    ({"score": 1}, "wrong_shape", "wrong_shape", "wrong_shape", "wrong_shape", "wrong_shape"),
    ("0.7", "text", "text", "unknown_category", "text", "unknown_category"),
    ("2", "text", "text", "unknown_category", "text", 750_000),
    ("true", "text", "text", "unknown_category", "text", MILLION),
    ("yes", "text", "text", MILLION, "text", "unknown_category"),
    (" PASS", "text", "text", MILLION, "text", "unknown_category"),
    ("no", "text", "text", 0, "text", "unknown_category"),
    ("Fail", "text", "text", 0, "text", "unknown_category"),
    ("good", "text", "text", "unknown_category", "text", MILLION),
    ("Good ", "text", "text", "unknown_category", "text", MILLION),
    ("fair", "text", "text", "unknown_category", "text", 500_000),
    ("bad", "text", "text", "unknown_category", "text", 0),
    ("", "text", "text", "unknown_category", "text", "unknown_category"),
    (Text("good"), "text", "text", "unknown_category", "text", MILLION),
    (Text("{not json"), "text", "text", "unknown_category", "text", "unknown_category"),
]


@pytest.mark.parametrize(
    ("value", "kind", "counts_as"),
    [
        pytest.param(value, kind, each, id=f"{str(value)[:9]}-{kind}")
        for value, *counted in WHAT_VALUES_COUNT_AS
        for kind, each in zip(KINDS, counted, strict=True)
    ],
)
def test_every_value_has_a_stated_outcome(value, kind, counts_as):
    found, notes = outcome([feedback(value)], KINDS[kind])
    if isinstance(counts_as, int):
        assert (found.ppm, notes.ignored()) == (counts_as, {})
    else:
        assert (found.ppm, notes.ignored()) == (None, {"helpful": {counts_as: 1}})


def test_a_judge_that_failed_and_left_no_value_says_nothing():
    (said,) = [feedback(None)]
    found, notes = outcome([type(said)("helpful", "feedback", None, "LLM_JUDGE", "judge", 1, True, error="TIMEOUT")])
    assert (found.ppm, notes.ignored()) == (None, {"helpful": {"null": 1}})


@pytest.mark.parametrize(
    "said", [[], [feedback(1, name="other")], [expectation(1, name="helpful")]], ids=["nothing", "other", "expectation"]
)
def test_without_feedback_of_that_name_there_is_no_outcome(said):
    assert outcome(said)[0] == (None, None, False)


def test_categories_that_only_case_tells_apart_are_not_confused():
    both = with_(CATEGORY, categories={"a": 0, "A": 3})
    assert [outcome([feedback(value)], both)[0].ppm for value in ("a", "A", "a ")] == [250_000, MILLION, None]


@pytest.mark.parametrize(("value", "ppm"), [(1, MILLION), (2, 750_000), (5, 0), (True, 0), (False, MILLION), (6, None)])
def test_where_less_is_better_the_scale_is_mirrored(value, ppm):
    assert outcome([feedback(value)], with_(STARS, direction="lower"))[0].ppm == ppm


@pytest.mark.parametrize(("direction", "ends"), [("higher", (0, MILLION)), ("lower", (MILLION, 0))])
def test_values_out_of_range_are_clipped_where_the_settings_say_so(direction, ends):
    how = with_(NUMBER, out_of_range="clip", direction=direction)
    for value, end in zip((-3, 10**400), ends, strict=True):
        found, notes = outcome([feedback(value)], how)
        assert (found, notes.ignored(), notes.clipped()) == ((end, None, False), {}, {"helpful": 1})
    assert outcome([feedback(INF)], how)[0].ppm is None


def test_a_score_out_of_range_costs_the_trace_where_the_settings_say_so():
    refuse = settings_with(outcomes=(with_(NUMBER, out_of_range="drop"),))
    right = expectation("billing")
    assert why(trace(1, right, feedback(7)), refuse) == "outcome_out_of_range"
    assert why(trace(1, right, feedback(1), feedback(7, "bob")), refuse) == "outcome_out_of_range"
    assert why(trace(1, right, feedback(7, at=1), feedback(1, at=2)), refuse) is None
    assert why(trace(1, right, feedback(7, valid=False)), refuse) is None
    assert why(trace(1, right, feedback(7)), settings_with()) is None


# Who may say it


def test_only_the_named_kinds_of_sources_count():
    judges = with_(NUMBER, sources=("LLM_JUDGE", "CODE"))
    said = [feedback(0), feedback(1, kind="LLM_JUDGE"), feedback(0.5, kind="CODE")]
    found, notes = outcome(said, judges)
    assert (found.ppm, notes.ignored()) == (750_000, {"helpful": {"source": 1}})
    assert outcome(said[:1], judges)[0].ppm is None


# Several raters


@pytest.mark.parametrize(
    ("how", "values", "ppm"),
    [
        ("mean", [0, 0.5, 1, 1], 625_000),
        ("mean", [0, 0, 1], 333_333),
        ("median", [0, 0.9, 1], 900_000),
        ("median", [0, 0.5, 0.75, 1], 625_000),
        ("lowest", [0.5, 0.25, 1], 250_000),
        ("highest", [0.5, 0.25, 1], MILLION),
        ("latest", [0.5, 0.25, 1, 0.125], 125_000),
        ("majority", [1, 0, 1], MILLION),
        ("majority", [1, 0, 0.5, 0.5], 500_000),
        ("majority", [1, 0], 0),
        ("majority", [0.5, 1, 0.75], 500_000),
    ],
)
def test_raters_are_combined_by_the_declared_rule(how, values, ppm):
    said = [feedback(value, f"rater {number}", at=number) for number, value in enumerate(values)]
    for order in (said, said[::-1]):
        assert outcome(order, with_(NUMBER, raters=how))[0].ppm == ppm


@pytest.mark.parametrize(("how", "ppm"), [("lowest", 800_000), ("highest", 100_000), ("majority", 100_000)])
def test_lowest_and_highest_mean_the_values_as_they_were_given_and_a_tie_is_decided_for_the_worse(how, ppm):
    said = [feedback(0.2, "ann"), feedback(0.9, "bob")]
    assert outcome(said, with_(NUMBER, raters=how, direction="lower"))[0].ppm == ppm


def test_of_what_one_rater_said_the_latest_counts():
    said = [feedback(0, at=1), feedback(1, at=3), feedback(0.5, at=2), feedback(0.5, "bob", at=1)]
    assert outcome(said)[0] == (750_000, 500_000, False)


def test_of_two_values_of_one_moment_the_order_of_rows_does_not_decide():
    said = [feedback(0, assessment_id="a-1"), feedback(1, assessment_id="a-2")]
    assert outcome(said)[0] == outcome(said[::-1])[0] == (MILLION, None, False)


def test_a_later_value_that_says_nothing_does_not_silence_the_rater():
    assert outcome([feedback(1, at=1), feedback(NAN, at=2)])[0].ppm == MILLION


def test_the_same_id_under_another_type_of_source_is_another_rater():
    found, _ = outcome([feedback(0), feedback(1, kind="LLM_JUDGE"), feedback(1, None)])
    assert found == (666_666, MILLION, False)


def test_the_raters_disagreement_is_kept_and_none_with_fewer_than_two():
    two = settings_with(outcomes=(NUMBER, with_(STARS, feedback="stars")))
    right = expectation("billing")
    said = [feedback(0.5), feedback(0.75, "bob"), feedback(5, name="stars"), feedback(2, "bob", name="stars")]
    assert only(trace(1, right, *said), settings=two).disagreement_ppm == 750_000
    assert only(trace(1, right, *said[:2]), settings=two).disagreement_ppm == 250_000
    assert only(trace(1, right, said[0], said[2]), settings=two).disagreement_ppm is None
    assert only(trace(1, right, feedback(1), feedback(1, "bob")), settings=two).disagreement_ppm == 0


# In the report


def test_the_report_counts_what_was_passed_over_by_feedback_and_reason():
    both = settings_with(outcomes=(NUMBER, with_(BOOLEAN, feedback="right")))
    said = [feedback(NAN), feedback(9, "bob"), feedback(9, "carl"), feedback(1, "dan"), feedback("x", name="right")]
    report = clean(trace(1, *said), trace(2, feedback(None)), settings=both).report
    assert report.values_ignored == {"helpful": {"nan": 1, "null": 1, "out_of_range": 2}, "right": {"text": 1}}


def test_a_missing_outcome_of_a_labelled_trace_is_none_and_not_zero():
    right = expectation("billing")
    assert only(trace(1, right)).score_ppm is None
    assert only(trace(1, right, feedback(NAN))).score_ppm is None
    assert only(trace(1, right, feedback(0))).score_ppm == 0


def test_an_overridden_score_no_longer_counts():
    right = expectation("billing")
    assert only(trace(1, right, feedback(0, valid=False), feedback(1, at=2))).score_ppm == MILLION


@given(st.lists(st.floats() | st.integers() | st.booleans(), max_size=5), st.sampled_from(sorted(KINDS)), st.booleans())
def test_an_outcome_is_none_or_lies_between_bad_and_good(values, kind, mirrored):
    how = with_(KINDS[kind], direction="lower" if mirrored else "higher", out_of_range="clip")
    found, _ = outcome([feedback(value, str(number)) for number, value in enumerate(values)], how)
    assert found.ppm is None or 0 <= found.ppm <= MILLION
    assert found.spread is None or 0 <= found.spread <= MILLION


@given(st.floats(-1e308, 1e308), st.floats(-1e308, 1e308), st.booleans())
def test_a_better_value_is_never_worth_less(one, other, mirrored):
    how = with_(NUMBER, low=-2.5, high=1e6, out_of_range="clip", direction="lower" if mirrored else "higher")
    low, high = (outcome([feedback(value)], how)[0].ppm for value in sorted((one, other)))
    assert (low >= high) if mirrored else (low <= high)
