"""The optimisers that may compete, by name."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.metrics import PPM, Metric
from telefine_assets.settings import StrategySettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """What an optimiser is given. Examples are ``dspy.Example`` with inputs marked."""

    student: Any
    trainset: Sequence[Any]
    valset: Sequence[Any]
    metric: Metric
    lm: OpenLm

    def accepts(self, example: Any, prediction: Any, trace: object = None) -> bool | float:
        """The metric as DSPy's optimisers want it: True only for a full score while bootstrapping."""
        ppm = self.metric.ppm(example, prediction)
        return ppm == PPM if trace is not None else ppm / PPM


def labeled_few_shot(settings: StrategySettings, task: Task) -> Any:
    """Demos taken from the trainset as they are labelled. Source: ``dspy.LabeledFewShot``."""
    import dspy

    return dspy.LabeledFewShot(k=settings.max_labeled_demos).compile(task.student, trainset=list(task.trainset))


def bootstrap_few_shot(settings: StrategySettings, task: Task) -> Any:
    """Demos that the program itself answers rightly, filled up with labelled ones.

    Source: ``dspy.BootstrapFewShot``.
    """
    import dspy

    optimiser = dspy.BootstrapFewShot(
        metric=task.accepts,
        max_bootstrapped_demos=settings.max_bootstrapped_demos,
        max_labeled_demos=settings.max_labeled_demos,
        max_errors=len(task.trainset) + 1,
    )
    return optimiser.compile(task.student, trainset=list(task.trainset))


def bootstrap_few_shot_with_random_search(settings: StrategySettings, task: Task) -> Any:
    """Several bootstrapped programs from shuffled trainsets, the best on the validation set.

    Source: ``dspy.BootstrapFewShotWithRandomSearch``.
    """
    import dspy

    optimiser = dspy.BootstrapFewShotWithRandomSearch(
        metric=task.accepts,
        max_bootstrapped_demos=settings.max_bootstrapped_demos,
        max_labeled_demos=settings.max_labeled_demos,
        num_candidate_programs=settings.candidates,
        num_threads=task.lm.calls_in_flight,
        max_errors=len(task.trainset) + len(task.valset) + 1,
    )
    return optimiser.compile(task.student, trainset=list(task.trainset), valset=list(task.valset))


STRATEGIES: dict[str, Callable[[StrategySettings, Task], Any]] = {
    function.__name__: function
    for function in (labeled_few_shot, bootstrap_few_shot, bootstrap_few_shot_with_random_search)
}


def run_strategy(settings: StrategySettings, task: Task) -> Any:
    """Compile by one strategy; returns the compiled ``dspy.Module``.

    What DSPy prints goes to the log: a run's output is the run's own.
    """
    said = io.StringIO()
    with task.lm.context(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        module = STRATEGIES[settings.strategy](settings, task)
    for line in said.getvalue().splitlines():
        logger.debug("%s: %s", settings.strategy, line)
    return module
