"""One scale for different feedbacks: the three normalisations, weights, missing values, and the explanation."""

import json
import math
import statistics
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.settings.traces import OutcomeSettings
from telefine_assets.traces.cleaning.quality import Curve
from telefine_assets.traces.cleaning.scale import explain
from telefine_assets.traces.records import table_to_cleaned
from telefine_assets_tests.traces.cleaning.days import some_traces
from telefine_assets_tests.traces.examples import clean, expectation, feedback, settings_with, trace, why

MILLION = 1_000_000
RIGHT = expectation("billing")
HELPFUL = OutcomeSettings(feedback="helpful")


def scores(values, how, name="helpful"):
    """The scores of a day of traces with these values; None is no feedback."""
    rows = [
        trace(number, RIGHT, *([] if value is None else [feedback(value, name=name)]))
        for number, value in enumerate(values)
    ]
    return clean(*rows, settings=how).table["score_ppm"].to_pylist()


def test_range_takes_the_place_in_the_declared_range_whatever_the_day_says():
    assert scores([0.2, 0.4, 0.4], settings_with()) == [200_000, 400_000, 400_000]


def test_rank_takes_the_share_of_the_day_below_with_half_of_the_equals():
    how = settings_with(normalise="rank")
    assert scores([0.2, 0.4, 0.4, 0.9], how) == [125_000, 500_000, 500_000, 875_000]
    assert scores([0.7, 0.7, 0.7], how) == [500_000] * 3
    assert scores([0.7], how) == [500_000]


def test_zscore_takes_the_normal_distributions_share_below():
    values = [0.1, 0.2, 0.2, 0.9, 0.5]
    day = statistics.NormalDist(statistics.mean(values), statistics.pstdev(values))
    found = scores(values, settings_with(normalise="zscore"))
    assert all(abs(ppm - MILLION * day.cdf(value)) < 5 for ppm, value in zip(found, values, strict=True))
    assert scores([0.7, 0.7], settings_with(normalise="zscore")) == [500_000] * 2


def test_what_was_dropped_before_has_no_part_in_the_days_scale():
    rows = [trace(1, RIGHT, feedback(0.5)), trace(2, RIGHT, feedback(0.9), status="ERROR"), trace(3, feedback(0.7))]
    how = settings_with(normalise="rank")
    assert clean(rows[0], rows[1], settings=how).table["score_ppm"].to_pylist() == [500_000]
    unlabelled = clean(rows[0], rows[2], settings=how)
    assert unlabelled.table["score_ppm"].to_pylist() == [250_000], "one without a label was rated all the same"


def test_feedbacks_are_weighted_and_those_that_are_missing_left_out():
    how = settings_with(outcomes=(HELPFUL, OutcomeSettings(feedback="stars", kind="stars", weight=3)))
    said = [feedback(1), feedback(3, name="stars")]
    found = [clean(trace(1, RIGHT, *each), settings=how).table["score_ppm"][0].as_py() for each in (said, said[:1], [])]
    assert found == [(MILLION + 3 * 500_000) // 4, MILLION, None]


@pytest.mark.parametrize(
    ("impute", "normalise", "expected"),
    [
        (0.25, "range", [250_000, 0, 600_000, 900_000]),
        ("mean", "range", [500_000, 0, 600_000, 900_000]),
        ("median", "range", [600_000, 0, 600_000, 900_000]),
        (0.25, "rank", [333_333, 166_666, 500_000, 833_333]),
        (0.6, "rank", [500_000, 166_666, 500_000, 833_333]),
        ("mean", "rank", [499_999, 166_666, 500_000, 833_333]),
    ],
)
def test_a_missing_value_is_imputed_by_the_declared_rule(impute, normalise, expected):
    filled = OutcomeSettings(feedback="helpful", missing="impute", impute=impute)
    assert scores([None, 0, 0.6, 0.9], settings_with(outcomes=(filled,), normalise=normalise)) == expected


def test_the_median_of_an_even_number_of_values_lies_halfway():
    filled = OutcomeSettings(feedback="helpful", missing="impute", impute="median")
    assert scores([None, 0.1, 0.1, 0.5, 0.9], settings_with(outcomes=(filled,)))[0] == 300_000


def test_an_imputed_value_is_mirrored_like_any_other():
    filled = OutcomeSettings(feedback="helpful", missing="impute", impute=0.2, direction="lower")
    assert scores([None, 0.2], settings_with(outcomes=(filled,))) == [800_000, 800_000]


def test_on_a_day_without_any_value_there_is_no_mean_to_impute():
    filled = OutcomeSettings(feedback="helpful", missing="impute", impute="mean")
    assert scores([None, None], settings_with(outcomes=(filled,))) == [None, None]


def test_an_imputed_value_alone_accepts_no_output():
    filled = settings_with(outcomes=(OutcomeSettings(feedback="helpful", missing="impute", impute=1.0),))
    assert why(trace(1), filled) == "unlabelled"
    assert why(trace(1, feedback(0.9)), filled) is None


def test_a_required_outcome_that_is_missing_costs_the_trace():
    needed = settings_with(outcomes=(OutcomeSettings(feedback="helpful", missing="drop"),))
    assert why(trace(1, RIGHT), needed) == "outcome_missing"
    assert why(trace(1, RIGHT, feedback(float("nan"))), needed) == "outcome_missing"
    assert why(trace(1, RIGHT, feedback(0)), needed) is None


OUTCOMES = st.builds(
    lambda impute, weight, direction: OutcomeSettings(
        feedback="helpful",
        missing="unscored" if impute is None else "impute",
        impute=impute,
        weight=weight,
        direction=direction,
    ),
    st.sampled_from([None, 0.25, "mean", "median"]),
    st.integers(1, 10**6),
    st.sampled_from(["higher", "lower"]),
)


@given(some_traces, OUTCOMES, st.sampled_from(["range", "rank", "zscore"]))
@settings(max_examples=120, deadline=None)
def test_a_score_is_explained_to_the_last_digit_by_what_the_report_stores(traces, outcome, normalise):
    stars = OutcomeSettings(feedback="stars", kind="stars", out_of_range="clip", raters="median")
    how = settings_with(outcomes=(outcome, stars), normalise=normalise)
    day = clean(*traces, settings=how)
    stored = json.loads(json.dumps(day.report.to_record()["scales"]))
    by_id = {each.trace_id: each for each in traces}
    for kept in table_to_cleaned(day.table):
        found = explain(by_id[kept.trace_id].assessed(), how, stored)
        assert found.score_ppm == kept.score_ppm
        parts = [part for part in found.parts if part.normalised_ppm is not None]
        assert kept.score_ppm == (
            sum(part.weight * part.normalised_ppm for part in parts) // sum(part.weight for part in parts)
            if parts
            else None
        )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.sampled_from(["range", "rank", "zscore"]))
@settings(max_examples=60, deadline=None)
def test_a_better_outcome_never_scores_less(values, normalise):
    found = scores(values, settings_with(normalise=normalise))
    pairs = sorted(zip(values, found, strict=True))
    assert [ppm for _, ppm in pairs] == sorted(found)
    assert all(0 <= ppm <= MILLION for ppm in found)


# Quality


def quality(score, points):
    return clean(trace(1, feedback(score)), settings=settings_with(quality=points)).table["quality_ppm"][0].as_py()


@pytest.mark.parametrize(("score", "worth"), [(0.8, 400_000), (0.9, 700_000), (0.95, 850_000), (1, MILLION)])
def test_an_accepted_output_is_worth_what_the_curve_says(score, worth):
    assert quality(score, ((0, 0), (0.8, 0.4), (1, 1))) == worth


def test_a_correction_is_worth_a_million_whatever_its_trace_scored():
    table = clean(trace(1, RIGHT, feedback(0)), settings=settings_with(quality=((0, 0), (1, 0.5)))).table
    assert table["quality_ppm"].to_pylist() == [MILLION]


thousandths = st.integers(0, 1_000)
points = st.dictionaries(st.integers(1, 999), thousandths, max_size=5).map(
    lambda inner: [(0, 100), *sorted(inner.items()), (1_000, 900)]
)


@given(points, st.integers(0, MILLION))
def test_a_curve_is_the_straight_line_between_its_points_rounded_down(curve, score):
    (x0, y0), (x1, y1) = next(pair for pair in pairwise(curve) if score <= pair[1][0] * 1_000)
    line = 1_000 * (y0 + (y1 - y0) * Fraction(score - x0 * 1_000, (x1 - x0) * 1_000))
    assert Curve([(x / 1_000, y / 1_000) for x, y in curve])(score) == math.floor(line)


@given(points, st.integers(0, MILLION), st.integers(0, MILLION))
def test_a_curve_goes_up_where_its_points_do(curve, one, other):
    worth = sorted(y / 1_000 for _, y in curve)
    rising = Curve(list(zip((x / 1_000 for x, _ in curve), worth, strict=True)))
    assert rising(min(one, other)) <= rising(max(one, other))


@pytest.mark.parametrize("score", [0, 1, 999_999, MILLION])
def test_points_closer_than_a_millionth_do_no_harm(score):
    assert 0 <= Curve([(0, 0), (1e-9, 0.5), (0.5, 0.5), (1 - 1e-9, 0.6), (1, 1)])(score) <= MILLION
