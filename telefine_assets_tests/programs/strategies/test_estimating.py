"""What a strategy may cost is said before, and kept."""

import pytest

from telefine_assets.programs.strategies import Estimate, estimate
from telefine_assets.settings.compile import (
    BootstrapFewShotSettings,
    CoproSettings,
    GepaSettings,
    KnnFewShotSettings,
    LabeledFewShotSettings,
    MiproV2Settings,
    RandomSearchSettings,
    SimbaSettings,
)
from telefine_assets_tests.programs.examples import BOOTSTRAP, SEARCH
from telefine_assets_tests.programs.strategies.tasks import knows, proposals, two_steps


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (LabeledFewShotSettings(), (0, 1)),
        (BootstrapFewShotSettings(max_rounds=3), (100 * 3 * 2, 1)),
        (RandomSearchSettings(candidates=8), (9 * 100 * 2, 10)),
        (KnnFewShotSettings(), (0, 1)),
        (KnnFewShotSettings(max_bootstrapped_demos=10), (100 * 2, 1)),
        (CoproSettings(breadth=5, depth=2, max_scored=50, candidates=3), (3 * 5 * 2 * 50 * 2 + 2 * 5 * 2, 3)),
        (GepaSettings(max_metric_calls=600), ((600 + 40) * 2 + 100, 1)),
        (MiproV2Settings(instructions=6, trials=10), ((5 * 60 + 10 * 35 + 5 * 40) * 2 + 11 + 3 * 6 * 2, 1)),
        (SimbaSettings(steps=6, tries=4, batch=24), ((6 * 24 * 9 + 5 * 100) * 2 + 6 * 5, 1)),
    ],
    ids=lambda each: getattr(each, "strategy", ""),
)
def test_the_formula_of_each_strategy(settings, expected):
    assert estimate(settings, n_train=100, n_val=40, predictors=2) == Estimate(*expected)


@pytest.mark.parametrize("settings", [BOOTSTRAP, SEARCH], ids=lambda each: each.strategy)
def test_no_strategy_asks_more_than_was_said(knn, settings):
    """Nothing is accepted, so every item is asked; the first predictor's answer is remembered by no one here."""
    knn.instead = knows(share=1)
    made = proposals(knn, settings, student=two_steps(), train=10)
    # ``two_steps`` asks its second predictor twice.
    said = estimate(settings, 10, 20, predictors=3)
    assert len(made) <= said.proposals_at_most
    assert knn.calls == said.calls_at_most
