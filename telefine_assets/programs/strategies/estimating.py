"""How many calls a strategy may make, before it makes any."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telefine_assets.settings.compile import StrategySettings, plugins


@dataclass(frozen=True)
class Estimate:
    """What a strategy may cost, without the tournament's scoring of what it proposes."""

    calls_at_most: int | None
    """Language model calls, when each predictor is asked once a run; None: a package's strategy does not say."""
    proposals_at_most: int | None
    """Programs that it may propose; None as above."""


def chosen_by_size(n_train: int) -> int:
    """How many of the training items instruction optimisers choose by; they learn from the others."""
    return min(100, 2 * n_train // 5)


def estimate(settings: StrategySettings, n_train: int, n_val: int, predictors: int) -> Estimate:
    """An upper bound of what a strategy asks, but for copro, simba and gepa, where it is what they usually ask.

    Bootstrapping stops when it has its demos, mostly long before every training item
    was asked. A strategy of a package gives its own figures by a function
    ``estimate(settings, n_train, n_val, predictors) -> Estimate`` beside ``propose``.
    """
    if settings.strategy in _FORMULAS:
        return _FORMULAS[settings.strategy](settings, n_train, n_val, predictors)
    point = plugins().get(settings.strategy)
    own = getattr(point.load(), "estimate", None) if point else None
    return own(settings, n_train, n_val, predictors) if own else Estimate(None, None)


def _labeled(settings: Any, n_train: int, n_val: int, predictors: int) -> Estimate:
    return Estimate(0, 1)


def _bootstrap(settings: Any, n_train: int, n_val: int, predictors: int) -> Estimate:
    return Estimate(n_train * settings.max_rounds * predictors, 1)


def _random_search(settings: Any, n_train: int, n_val: int, predictors: int) -> Estimate:
    bootstraps = settings.candidates + 1
    return Estimate(bootstraps * n_train * settings.max_rounds * predictors, bootstraps + 1)


def _knn(settings: Any, n_train: int, n_val: int, predictors: int) -> Estimate:
    return Estimate(n_train * predictors if settings.max_bootstrapped_demos else 0, 1)


def _mipro(settings: Any, n_train: int, n_val: int, predictors: int) -> Estimate:
    """Bootstrapped sets; a summary of the trainset, two descriptions and an instruction each; trials."""
    n_val = chosen_by_size(n_train)
    bootstraps = (settings.instructions - 1) * (n_train - n_val)
    trials = (settings.trials + 1) * n_val
    if settings.minibatch < n_val:
        # A full evaluation of the default, of every fifth trial's best, and at the end.
        trials = settings.trials * settings.minibatch + (settings.trials // 5 + 3) * n_val
    proposing = 11 + 3 * settings.instructions * predictors
    return Estimate((bootstraps + trials) * predictors + proposing, settings.candidates)


def _copro(settings: Any, n_train: int, n_val: int, predictors: int) -> Estimate:
    """Each round scores ``breadth`` instructions a predictor; with several predictors earlier ones again."""
    rounds = settings.depth if predictors == 1 else settings.depth * (settings.depth + 1) // 2
    runs = rounds * settings.breadth * predictors * min(settings.max_scored, n_train)
    return Estimate(runs * predictors + settings.depth * settings.breadth * predictors, settings.candidates)


def _simba(settings: Any, n_train: int, n_val: int, predictors: int) -> Estimate:
    """A step tries each item of its batch, proposes, and tries its programs; at the end all items."""
    n = min(settings.max_scored, n_train)
    batch = min(settings.batch, n)
    runs = settings.steps * batch * (2 * settings.tries + 1) + (settings.tries + 1) * n
    return Estimate(runs * predictors + settings.steps * (settings.tries + 1), settings.candidates)


def _gepa(settings: Any, n_train: int, n_val: int, predictors: int) -> Estimate:
    """It stops after the evaluation with which its budget is spent: one validation set more at most."""
    runs = settings.max_metric_calls + chosen_by_size(n_train)
    proposing = math.ceil(settings.max_metric_calls / (2 * settings.minibatch))
    return Estimate(runs * predictors + proposing, settings.candidates)


_FORMULAS: dict[str, Callable[[Any, int, int, int], Estimate]] = {
    "labeled_few_shot": _labeled,
    "bootstrap_few_shot": _bootstrap,
    "bootstrap_few_shot_with_random_search": _random_search,
    "knn_few_shot": _knn,
    "mipro_v2": _mipro,
    "copro": _copro,
    "simba": _simba,
    "gepa": _gepa,
}
