"""The optimisers on a real DSPy program: what they learn from, and what they leave alone."""

import pytest

from telefine_assets.programs.state import dump_state
from telefine_assets.programs.strategies import STRATEGIES, Task, run_strategy
from telefine_assets.settings import StrategySettings
from telefine_assets_tests.programs.examples import BOOTSTRAP, LABELED, SEARCH, items, opened, tickets_spec

SPEC = tickets_spec()
EVERY = pytest.mark.parametrize("settings", [LABELED, BOOTSTRAP, SEARCH], ids=lambda each: each.strategy)


def run(knn, settings, metric=SPEC.metric):
    with opened(knn) as lm:
        train, valid = ([item.example() for item in some] for some in (items(40), items(20, 500)))
        return run_strategy(settings, Task(SPEC.build(), train, valid, metric, lm))


def test_every_strategy_that_can_be_configured_exists():
    assert set(STRATEGIES) == set(StrategySettings.model_fields["strategy"].annotation.__args__)


@EVERY
def test_the_same_task_gives_the_same_program(knn, settings):
    assert dump_state(run(knn, settings)) == dump_state(run(knn, settings))


@EVERY
def test_a_program_has_no_more_demos_than_the_settings_allow_and_none_but_from_the_trainset(knn, settings):
    demos = run(knn, settings).sort.demos
    assert 2 < len(demos) <= settings.max_labeled_demos
    assert {demo["ticket"] for demo in demos} <= {item.inputs["ticket"] for item in items(40)}


def test_a_bootstrapped_demo_is_an_answer_that_the_metric_accepted_in_full(knn):
    truth = {item.inputs["ticket"]: item.label["team"] for item in items(40)}
    demos = [demo for demo in run(knn, BOOTSTRAP).sort.demos if demo.get("augmented")]
    assert len(demos) == BOOTSTRAP.max_bootstrapped_demos
    assert all(demo["team"] == truth[demo["ticket"]] for demo in demos)


def test_half_a_score_is_not_enough_to_become_a_demo(knn):
    half = tickets_spec(metric=f"{__name__}:half").metric
    assert not any(demo.get("augmented") for demo in run(knn, BOOTSTRAP, half).sort.demos)


def half(example, prediction, trace=None):
    return 0.5


@EVERY
def test_nothing_is_printed_and_nothing_global_is_set(knn, settings, capsys):
    import dspy

    run(knn, settings)
    assert capsys.readouterr() == ("", "")
    assert dspy.settings.lm is None
