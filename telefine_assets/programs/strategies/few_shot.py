"""Strategies that choose demos."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from telefine_assets.programs.nearest import wrapped
from telefine_assets.programs.strategies.protocol import Proposal, Task
from telefine_assets.settings.compile import (
    BootstrapFewShotSettings,
    KnnFewShotSettings,
    LabeledFewShotSettings,
    RandomSearchSettings,
)


def labeled_few_shot(settings: LabeledFewShotSettings, task: Task) -> Iterator[Proposal]:
    """Demos taken from the trainset as they are labelled. Source: ``dspy.LabeledFewShot``."""
    yield Proposal("labeled", _labeled(settings.max_labeled_demos, task))


def bootstrap_few_shot(settings: BootstrapFewShotSettings, task: Task) -> Iterator[Proposal]:
    """Demos that the program itself answers rightly, filled up with labelled ones.

    Source: ``dspy.BootstrapFewShot``.
    """
    module = _bootstrapped(settings, task, task.trainset, settings.max_bootstrapped_demos)
    yield Proposal("bootstrapped", module)


def bootstrap_few_shot_with_random_search(settings: RandomSearchSettings, task: Task) -> Iterator[Proposal]:
    """Several bootstrapped programs from shuffled trainsets, unscored: the tournament scores them.

    Source: ``dspy.BootstrapFewShotWithRandomSearch``. A proposal's name is DSPy's seed of
    it; DSPy's -3, the program without demos, is the baseline's part.
    """
    yield Proposal("-2", _labeled(settings.max_labeled_demos, task))
    yield Proposal("-1", _bootstrapped(settings, task, task.trainset, settings.max_bootstrapped_demos))
    for number in range(settings.candidates):
        seed = number + task.seed
        shuffled = list(task.trainset)
        random.Random(seed).shuffle(shuffled)  # noqa: S311
        size = random.Random(seed).randint(1, settings.max_bootstrapped_demos)  # noqa: S311
        yield Proposal(str(seed), _bootstrapped(settings, task, shuffled, size))


def knn_few_shot(settings: KnnFewShotSettings, task: Task) -> Iterator[Proposal]:
    """For each call the demos of a pool that are nearest to its inputs.

    Idea: ``dspy.KNNFewShot``, which bootstraps while it answers and keeps its pool
    outside the program's state. Here the pool is the predictors' demos.
    """
    from telefine_assets.programs.strategies.bootstrapping import ParallelBootstrap

    optimiser = ParallelBootstrap(
        task,
        settings.bootstrap_threshold_ppm,
        max_bootstrapped_demos=min(settings.max_bootstrapped_demos, settings.max_pool),
        max_labeled_demos=settings.k,
    )
    module = optimiser.compile(task.student, teacher=task.teacher, trainset=task.trainset)
    for name, predictor in module.named_predictors():
        predictor.demos = [*optimiser.name2traces[name], *optimiser.rest][: settings.max_pool]
    yield Proposal("nearest", wrapped(module, settings.model_dump()))


def _labeled(count: int, task: Task) -> Any:
    import dspy

    return dspy.LabeledFewShot(k=count).compile(task.student, trainset=list(task.trainset))


def _bootstrapped(
    settings: BootstrapFewShotSettings | RandomSearchSettings, task: Task, trainset: Any, count: int
) -> Any:
    # Loads DSPy.
    from telefine_assets.programs.strategies.bootstrapping import ParallelBootstrap

    optimiser = ParallelBootstrap(
        task,
        settings.bootstrap_threshold_ppm,
        max_bootstrapped_demos=count,
        max_labeled_demos=settings.max_labeled_demos,
        max_rounds=settings.max_rounds,
    )
    return optimiser.compile(task.student, teacher=task.teacher, trainset=trainset)
