"""Metrics: a score is a number in [0, 1], and what is none is an error, never a zero."""

import functools

import dspy
import pytest

from telefine_assets.programs.metrics import Metric, MetricError, exact_match, metric_named

EXAMPLE = dspy.Example(ticket="x", team="billing").with_inputs("ticket")
partial = functools.partial(exact_match, trace=None)


def ppm(score):
    return Metric("mine", lambda example, prediction, trace=None: score).ppm(EXAMPLE, dspy.Prediction(team="billing"))


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (True, 1_000_000),
        (False, 0),
        (1, 1_000_000),
        (0, 0),
        (0.0, 0),
        (0.5, 500_000),
        (2 / 3, 666_667),
        (dspy.Prediction(score=0.25, feedback="why"), 250_000),
        (dspy.Prediction(score=True), 1_000_000),
    ],
)
def test_a_score_is_kept_in_parts_per_million(score, expected):
    assert ppm(score) == expected


@pytest.mark.parametrize(
    "score",
    [
        None,
        float("nan"),
        float("inf"),
        -0.01,
        1.01,
        100,
        10**400,
        "1",
        [1],
        dspy.Prediction(score=None),
        dspy.Prediction(score=float("nan")),
        dspy.Prediction(feedback="no score"),
    ],
)
def test_what_is_no_score_is_an_error_that_names_the_metric(score):
    with pytest.raises(MetricError, match="metric mine returned"):
        ppm(score)


@pytest.mark.parametrize(
    ("predicted", "right"),
    [
        ({"team": "billing"}, True),
        ({"team": " Billing\n"}, True),
        ({"team": "billing", "reasoning": "because"}, True),
        ({"team": "login"}, False),
        ({"team": "billing team"}, False),
        ({"team": None}, False),
        ({}, False),
    ],
)
def test_exact_match_wants_every_labelled_output_whatever_its_case(predicted, right):
    assert exact_match(EXAMPLE, dspy.Prediction(**predicted)) is right


def test_exact_match_wants_all_of_several_outputs():
    example = dspy.Example(ticket="x", team="billing", urgent=True).with_inputs("ticket")
    assert exact_match(example, dspy.Prediction(team="billing", urgent=True))
    assert not exact_match(example, dspy.Prediction(team="billing", urgent=False))


def test_a_metric_is_found_by_its_import_path_with_its_source():
    metric = metric_named("telefine_assets.programs.metrics:exact_match", "here")
    assert metric.source.startswith("def exact_match")


@pytest.mark.parametrize("name", [f"{__name__}:partial", "math:sqrt"])
def test_a_metric_whose_source_cannot_be_told_is_refused_before_anything_is_measured(name):
    with pytest.raises(MetricError, match="has no source code"):
        metric_named(name, "programs.tickets.metric")
