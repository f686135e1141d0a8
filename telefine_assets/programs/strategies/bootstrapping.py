"""Bootstrapping demos with several calls in flight, to the same program as one by one.

Source: ``dspy.BootstrapFewShot``, of which this is a subclass. What its loop does in
the trainset's order, one example at a time, is done here for a window of the next
examples at once; answers are still taken in the trainset's order, and those that the
loop would not have asked for are thrown away.

One difference is meant: where the teacher raises, DSPy goes on without the demos that
it took away for that example. Here every example meets the whole teacher.
"""

from __future__ import annotations

import copy
import logging
import random
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import Any

from dspy.teleprompt import BootstrapFewShot
from dspy.utils.exceptions import AdapterParseError, LMError

from telefine_assets.errors import TelefineError
from telefine_assets.lm.journal import is_the_questions_fault
from telefine_assets.programs.strategies.protocol import Task

logger = logging.getLogger(__name__)

Demos = dict[str, list[Any]]
"""By predictor: what one accepted answer shows."""
Tried = tuple[Demos | None, list[Callable[[], None]]]


class ParallelBootstrap(BootstrapFewShot):
    """``BootstrapFewShot`` that asks its teacher ``calls_in_flight`` examples at a time."""

    def __init__(self, task: Task, threshold_ppm: int, **options: Any) -> None:
        """Take the options of ``BootstrapFewShot``; an answer is accepted from ``threshold_ppm`` on."""
        # With the first error it raises, instead of counting: errors are told apart here.
        super().__init__(metric=task.scorer(threshold_ppm), max_errors=1, **options)
        self._task = task

    def compile(self, student: Any, *, teacher: Any = None, trainset: Any) -> Any:
        """Compile ``student``; a ``teacher`` teaches with the demos that it has.

        Raises:
            LMError, OSError, TelefineError: when no answer came for reasons that are not the program's.
        """
        if teacher is not None:
            # DSPy would take the demos of an uncompiled teacher away.
            teacher = teacher.deepcopy()
            teacher._compiled = True
        return super().compile(student, teacher=teacher, trainset=list(trainset))

    def _bootstrap(self, *, max_bootstraps: int | None = None) -> None:
        wanted = max_bootstraps or self.max_bootstrapped_demos
        self.name2traces: Demos = {name: [] for name in self.name2predictor}
        bootstrapped: set[int] = set()
        for position, (demos, counted) in enumerate(self._taught() if wanted else ()):
            for count in counted:
                count()
            if demos is not None:
                bootstrapped.add(position)
                for name, shown in demos.items():
                    self.name2traces[name].extend(shown)
            if len(bootstrapped) >= wanted:
                break
        self.rest = [example for at, example in enumerate(self.trainset) if at not in bootstrapped]
        self.validation = list(self.rest)
        random.Random(0).shuffle(self.validation)  # noqa: S311

    def _taught(self) -> Iterator[Tried]:
        """What each example came to, in order; ``calls_in_flight - 1`` are asked in vain.

        When there is enough, those that are under way are waited for: which
        examples are asked must not depend on how long an answer takes.
        """
        ahead: deque[Future[Tried]] = deque()
        with ThreadPoolExecutor(self._task.lm.calls_in_flight) as pool:
            try:
                for example in self.trainset:
                    ahead.append(pool.submit(copy_context().run, self._try, example))
                    if len(ahead) == self._task.lm.calls_in_flight:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            except Exception:
                pool.shutdown(cancel_futures=True)
                raise

    def _try(self, example: Any) -> Tried:
        """The demos of the first accepted answer to ``example``, or None; and what makes callbacks count it."""
        counted: list[Callable[[], None]] = []
        for round_idx in range(self.max_rounds):
            # A copy of its own: DSPy takes the example out of the teacher's demos while it is asked.
            attempt = copy.copy(self)
            attempt.teacher = self.teacher.deepcopy()
            attempt.predictor2name = {id(each): name for name, each in attempt.teacher.named_predictors()}
            attempt.name2traces = {name: [] for name in self.name2predictor}
            attempt.error_count = 0
            attempt.metric = replace(self.metric)  # what it raises in vain is nobody's fault
            try:
                with self._task.ahead() as count:
                    counted.append(count)
                    if attempt._bootstrap_one_example(example, round_idx):
                        return attempt.name2traces, counted
            except Exception as error:
                if not _programs_own(error):
                    raise
                logger.info("no usable answer while bootstrapping: %s", type(error).__name__)
        return None, counted


def _programs_own(error: Exception) -> bool:
    """Whether an error says something of the program, not of the world or of the metric."""
    if isinstance(error, AdapterParseError) or (isinstance(error, LMError) and is_the_questions_fault(error)):
        return True
    return not isinstance(error, (LMError, OSError, TelefineError))
