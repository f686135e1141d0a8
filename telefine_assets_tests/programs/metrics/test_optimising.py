"""A metric as DSPy's optimisers take it."""

import dspy
import pytest

from telefine_assets.programs.metrics import CannotJudge, Metric, MetricError, exact_match
from telefine_assets_tests.programs.metrics.judging import labelled

EXAMPLE = labelled(team="billing")
RIGHT, WRONG = dspy.Prediction(team="billing"), dspy.Prediction(team="login")
HALF = Metric("half", lambda example, prediction, trace=None: 0.5)
STEPS = [("predictor", {}, {})]


def cannot(example, prediction, trace=None):
    raise CannotJudge("no reference")


def test_only_a_full_score_makes_a_demo_unless_a_threshold_says_otherwise():
    metric = Metric("exact_match", exact_match).for_optimisers()
    assert (metric(EXAMPLE, RIGHT, STEPS), metric(EXAMPLE, WRONG, STEPS)) == (True, False)
    assert metric(EXAMPLE, RIGHT, []) is True
    assert HALF.for_optimisers()(EXAMPLE, RIGHT, STEPS) is False
    assert HALF.for_optimisers(threshold_ppm=500_000)(EXAMPLE, RIGHT, STEPS) is True
    assert HALF.for_optimisers(threshold_ppm=500_001)(EXAMPLE, RIGHT, STEPS) is False


def test_outside_bootstrapping_it_is_a_score():
    assert HALF.for_optimisers()(EXAMPLE, RIGHT) == 0.5
    assert isinstance(Metric("exact_match", exact_match).for_optimisers()(EXAMPLE, RIGHT), float)


def test_an_item_that_cannot_be_judged_makes_no_demo():
    metric = Metric("cannot", cannot).for_optimisers(threshold_ppm=0)
    assert (metric(EXAMPLE, RIGHT, STEPS), metric(EXAMPLE, RIGHT)) == (False, 0.0)
    metric.check()


def test_a_program_that_broke_scores_nothing():
    assert Metric("exact_match", exact_match).for_optimisers()(EXAMPLE, None) == 0.0


def test_of_a_loss_optimisers_see_what_they_can_maximise():
    loss = Metric("loss", lambda example, prediction, trace=None: prediction.team != "billing", direction="lower")
    metric = loss.for_optimisers()
    assert (metric(EXAMPLE, RIGHT, STEPS), metric(EXAMPLE, WRONG, STEPS)) == (True, False)
    assert (metric(EXAMPLE, RIGHT), metric(EXAMPLE, WRONG), metric(EXAMPLE, None)) == (1.0, 0.0, 0.0)
    assert loss.for_optimisers(feedback=True)(EXAMPLE, RIGHT).score == 1.0


def test_gepa_is_told_no_label_by_a_metric_that_needs_none():
    brief = Metric("brief", lambda example, prediction, trace=None: 0.5, labels=False)
    said = brief.for_optimisers(feedback=True)(EXAMPLE, WRONG, STEPS, "sort", STEPS)
    assert said.feedback == "This answer got a score of 0.5."


def test_gepa_gets_a_score_and_words():
    metric = Metric("exact_match", exact_match).for_optimisers(feedback=True)
    dspy.GEPA(metric=metric, max_metric_calls=1, reflection_lm=dspy.LM("openai/none"))  # refuses other functions
    for trace in (None, STEPS):
        said = metric(EXAMPLE, WRONG, trace, "sort", STEPS)
        assert (said.score, said["score"]) == (0.0, 0.0)
        assert "team: expected 'billing', got 'login'" in said.feedback
    told = Metric("told", lambda example, prediction, trace=None: dspy.Prediction(score=1, feedback="well done"))
    assert told.for_optimisers(feedback=True)(EXAMPLE, RIGHT, STEPS, "sort", STEPS).feedback == "well done"
    unjudged = Metric("cannot", cannot).for_optimisers(feedback=True)(EXAMPLE, RIGHT)
    assert (unjudged.score, unjudged.feedback) == (0.0, "This answer could not be judged: no reference.")


def test_gepas_scores_do_not_depend_on_whether_there_is_a_trace():
    metric = Metric("lenient", lambda example, prediction, trace=None: 0.4 if trace is None else True)
    gepa = metric.for_optimisers(feedback=True)
    assert gepa(EXAMPLE, WRONG, STEPS, "sort", STEPS).score == gepa(EXAMPLE, WRONG).score == 0.4
    assert metric.for_optimisers()(EXAMPLE, WRONG, STEPS) is True


def test_a_fault_that_an_optimiser_swallowed_is_not_lost():
    metric = Metric("broken", lambda example, prediction, trace=None: None).for_optimisers()
    lm = dspy.LM("openai/none", api_key="none", cache=False)

    class Right(dspy.Module):
        def forward(self, ticket):
            return RIGHT

    with dspy.context(lm=lm):
        score = dspy.Evaluate(devset=[EXAMPLE], metric=metric, num_threads=1, max_errors=5)(Right()).score
    assert score == 0.0
    with pytest.raises(MetricError, match="metric broken returned None"):
        metric.check()
