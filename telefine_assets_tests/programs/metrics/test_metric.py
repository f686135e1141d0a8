"""A score is a number in [0, 1]; what is none is a fault, what cannot be judged is missing, and neither is a zero."""

from decimal import Decimal
from fractions import Fraction

import dspy
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.lm.opening import open_lm
from telefine_assets.programs.metrics import PPM, CannotJudge, Judged, Metric, MetricError, exact_match, ppm_of
from telefine_assets_tests.knn_lm import lm_settings
from telefine_assets_tests.programs.metrics.judging import labelled

EXAMPLE = labelled(team="billing")
RIGHT = dspy.Prediction(team="billing")


def returning(score):
    return Metric("mine", lambda example, prediction, trace=None: score)


def raising(error):
    def broken(example, prediction, trace=None):
        raise error

    return Metric("mine", broken)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (True, PPM),
        (False, 0),
        (1, PPM),
        (0, 0),
        (0.0, 0),
        (-0.0, 0),
        (0.5, 500_000),
        (2 / 3, 666_667),
        (Fraction(1, 3), 333_333),
        (Decimal("0.1234564"), 123_456),
        (numpy.bool_(True), PPM),
        (numpy.int64(1), PPM),
        (numpy.float32(0.25), 250_000),
        (numpy.float64(2 / 3), 666_667),
        (numpy.array(0.5), 500_000),
    ],
)
def test_a_score_is_kept_in_parts_per_million(score, expected):
    assert returning(score).ppm(EXAMPLE, RIGHT) == expected
    assert returning(dspy.Prediction(score=score)).ppm(EXAMPLE, RIGHT) == expected


# Of 640 and 1,280 many shares end on half a part per million, which floats miss on either side.
@given(
    (st.integers(1, 5_000) | st.sampled_from([640, 1_280])).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
)
def test_a_share_is_kept_as_exactly_as_parts_per_million_can(share):
    k, n = share
    assert ppm_of(k / n) == ppm_of(Fraction(k, n)) == round(Fraction(k * PPM, n))


@pytest.mark.parametrize(
    "score",
    [
        None,
        float("nan"),
        float("inf"),
        float("-inf"),
        -0.01,
        1.01,
        1 + 2**-52,
        100,
        10**400,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        numpy.float32("nan"),
        numpy.array([0.5]),
        0.5j,
        "1",
        [1],
        dspy.Prediction(feedback="no score"),
    ],
)
def test_what_is_no_score_is_an_error_that_names_the_metric_and_the_item(score):
    for returned in (score, dspy.Prediction(score=score)):
        with pytest.raises(MetricError, match=r"metric mine returned .*my card was charged"):
            returning(returned).judge(EXAMPLE, RIGHT)


def test_a_metric_that_breaks_is_an_error_and_not_a_wrong_answer():
    with pytest.raises(MetricError, match=r"metric mine raised KeyError\('team'\) on the item .*my card"):
        raising(KeyError("team")).judge(EXAMPLE, RIGHT)


def test_an_item_that_the_metric_cannot_judge_has_no_score():
    metric = raising(CannotJudge("no reference"))
    assert metric.judge(EXAMPLE, RIGHT) == Judged(None, None, "no reference")
    with pytest.raises(CannotJudge, match="no reference"):
        metric.ppm(EXAMPLE, RIGHT)


def test_a_metric_whose_own_model_is_out_of_reach_leaves_the_item_unjudged(knn):
    def asks(example, prediction, trace=None):
        return dspy.Predict("ticket -> score: float")(ticket=example.ticket).score

    knn.refuses = lambda prompt: True
    with open_lm(lm_settings(knn, num_retries=0)) as lm:
        metric = Metric("mine", asks, asks=True).bound(lm)
        assert metric.judge(EXAMPLE, RIGHT) == Judged(None, None, "LMRateLimitError")
        knn.refuses = lambda prompt: False
        assert metric.judge(EXAMPLE, RIGHT) == Judged(None, None, "judge unparsable")


def test_feedback_is_kept_beside_the_score():
    judged = returning(dspy.Prediction(score=0.25, feedback="too short")).judge(EXAMPLE, RIGHT)
    assert judged == Judged(250_000, "too short", "scored")


def test_what_a_metric_asks_is_no_part_of_the_programs_trace(knn):
    def asks(example, prediction, trace=None):
        return dspy.Predict("ticket -> team")(ticket=example.ticket).team == "unknown"

    with open_lm(lm_settings(knn)) as lm, lm.context(), dspy.context(trace=[]):
        assert Metric("mine", asks, asks=True).bound(lm).ppm(EXAMPLE, RIGHT) == PPM
        assert dspy.settings.trace == []
        assert knn.calls == 1
        with pytest.raises(MetricError, match="No LM is loaded"):
            Metric("mine", asks).ppm(EXAMPLE, RIGHT)


# How a function is called


def two(example, prediction):
    return len((example.ticket, prediction.team)) == 2


def dspys(example, prediction, trace=None):
    return 0.5 if trace is None else 1.0


def gepas(gold, pred, trace, pred_name, pred_trace):
    return dspy.Prediction(score=1, feedback=f"{trace} {pred_name} {pred_trace}")


def with_options(example, prediction, trace=None, strictness=0.5, bonus=0.0):
    return strictness + bonus


def test_functions_of_every_convention_are_called_as_they_want_to_be():
    assert Metric("two", two).judge(EXAMPLE, RIGHT, ["step"]).score_ppm == PPM
    assert Metric("dspys", dspys).judge(EXAMPLE, RIGHT).score_ppm == 500_000
    assert Metric("dspys", dspys).judge(EXAMPLE, RIGHT, ["step"]).score_ppm == PPM
    assert Metric("gepas", gepas).judge(EXAMPLE, RIGHT, 1, "sort", 2).feedback == "1 sort 2"
    assert Metric("gepas", gepas).judge(EXAMPLE, RIGHT).feedback == "None None None"


def test_options_reach_the_function_and_those_left_out_keep_their_defaults():
    assert Metric("mine", with_options).ppm(EXAMPLE, RIGHT) == 500_000
    assert Metric("mine", with_options, {"bonus": 0.25}).ppm(EXAMPLE, RIGHT) == 750_000


# Which way is good, and what is handed over


def error_rate(example, prediction, trace=None):
    return 0.25 if prediction.team == example.team else 1.0


def test_a_loss_is_turned_round_once_and_can_be_turned_back():
    loss = Metric("loss", error_rate, direction="lower")
    assert (loss.ppm(EXAMPLE, RIGHT), loss.ppm(EXAMPLE, dspy.Prediction(team="login"))) == (750_000, 0)
    assert loss.own_scale(loss.ppm(EXAMPLE, RIGHT)) == 250_000
    assert Metric("score", error_rate).own_scale(250_000) == Metric("score", error_rate).ppm(EXAMPLE, RIGHT) == 250_000


@given(st.integers(0, PPM), st.sampled_from(["higher", "lower"]))
def test_turning_round_loses_nothing_and_keeps_a_missing_score_missing(ppm, direction):
    metric = Metric("mine", lambda example, prediction, trace=None: Fraction(ppm, PPM), direction=direction)
    assert metric.own_scale(metric.ppm(EXAMPLE, RIGHT)) == ppm
    unsure = Metric("mine", raising(CannotJudge("no reference")).function, direction=direction)
    assert unsure.judge(EXAMPLE, RIGHT).score_ppm is None


def test_a_metric_that_needs_no_label_is_handed_none():
    seen = []

    def spy(example, prediction, trace=None):
        seen.append(example)
        return len(example.labels()) == 0

    assert Metric("spy", spy, labels=False).ppm(EXAMPLE, RIGHT) == PPM
    assert [dict(example) for example in seen] == [{"ticket": "my card was charged"}]
    assert Metric("spy", spy).ppm(EXAMPLE, RIGHT) == 0
    assert EXAMPLE.team == "billing"


def test_a_metric_that_reads_a_label_that_it_said_it_does_not_need_is_told_so():
    with pytest.raises(MetricError, match="handed no label, as 'labels' is false"):
        Metric("mine", error_rate, labels=False).judge(EXAMPLE, RIGHT)


# What a metric is


def test_a_metric_is_known_by_its_name_its_options_and_its_code():
    plain = Metric("exact_match", exact_match)
    digests = [
        plain.digest,
        Metric("same", exact_match).digest,
        Metric("exact_match", exact_match, {"case_sensitive": True}).digest,
        Metric("exact_match", dspys).digest,
        Metric("exact_match", exact_match, direction="lower").digest,
        Metric("exact_match", exact_match, labels=False).digest,
    ]
    assert len(set(digests)) == 6
    assert Metric("exact_match", exact_match).digest == plain.digest


def test_the_code_of_helpers_is_part_of_a_metric():
    assert Metric("dspys", dspys).source.startswith("def dspys")
    assert "def test_the_code_of_helpers" in Metric("dspys", dspys).source
    assert "def normal_form" in Metric("exact_match", exact_match).source
