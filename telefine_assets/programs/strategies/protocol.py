"""What a strategy is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from telefine_assets.errors import TelefineError
from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.metrics import PPM, Metric, OptimiserMetric


class StrategyError(TelefineError):
    """A strategy cannot run here; the message says what it lacks."""


@dataclass(frozen=True)
class Task:
    """What a strategy is given. Examples are ``dspy.Example`` with inputs marked."""

    student: Any
    """The ``dspy.Module`` to improve. Strategies work on copies."""
    trainset: Sequence[Any]
    valset: Sequence[Any]
    metric: Metric
    lm: OpenLm
    teacher: Any = None
    """A ``dspy.Module`` that bootstraps with its own demos instead of the student; None: the student."""
    teacher_lm: OpenLm | None = None
    """The model that bootstraps and proposes; None: ``lm``."""
    seed: int = 0
    callbacks: tuple[Any, ...] = ()
    """``dspy`` callbacks that see every call, whichever thread makes it."""

    _scorers: list[OptimiserMetric] = field(default_factory=list, init=False, repr=False, compare=False)

    def context(self) -> AbstractContextManager[None]:
        """DSPy with the student's model and the callbacks, for a block in one thread."""
        return self.lm.context(self.callbacks)

    def teaching(self) -> AbstractContextManager[None]:
        """DSPy with the teacher's model and the callbacks, for a block in one thread."""
        return (self.teacher_lm or self.lm).context(self.callbacks)

    @contextmanager
    def ahead(self) -> Iterator[Callable[[], None]]:
        """As ``teaching``, for work that may be thrown away: it counts once the function that it gives was called."""
        with ExitStack() as stack:
            stack.enter_context(self.teaching())
            counts = [stack.enter_context(each.aside()) for each in self.callbacks if hasattr(each, "aside")]

            def counted() -> None:
                for count in counts:
                    count()

            yield counted

    def scorer(self, threshold_ppm: int = PPM, feedback: bool = False) -> OptimiserMetric:
        """The metric as DSPy's optimisers take it; ``check`` raises what it raised inside one.

        While bootstrapping it is True from ``threshold_ppm`` on; with ``feedback`` it says why (GEPA).
        """
        scorer = self.metric.for_optimisers(threshold_ppm, feedback)
        self._scorers.append(scorer)
        return scorer

    def check(self) -> None:
        """Raise what DSPy swallowed.

        Raises:
            BudgetSpent, DeadlinePassed, Unreachable: of the models (see ``lm.opening``).
            MetricError: of the metric.
        """
        for lm in (self.lm, self.teacher_lm, self.metric.judge_lm):
            if lm is not None:
                lm.check()
        for scorer in self._scorers:
            scorer.check()


@dataclass(frozen=True)
class Proposal:
    """A program that a strategy made."""

    name: str
    """What tells it from the strategy's other proposals: ``-2``, ``best``, ``2nd``."""
    module: Any
    """A ``dspy.Module`` with the student's predictors."""
    claimed_ppm: int | None = None
    """The strategy's own score of it, parts per million: recorded, and decides nothing."""


Propose = Callable[[Any, Task], Iterator[Proposal]]
"""A strategy: its settings and a task in, programs out, one by one."""
