"""Asking a program every item of a list, and telling wrong answers from no answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from telefine_assets.lm.budget import STOPS
from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.datasets import Item
from telefine_assets.programs.metrics import Metric, MetricError
from telefine_assets.programs.values import plain

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with (items done, items in all)."""


@dataclass(frozen=True)
class Answer:
    """What a program made of one item."""

    output: dict[str, Any] | None
    """JSON values by output field; None when there is no usable answer."""
    score_ppm: int | None
    """None: unresolved, because nothing answered. A wrong or unparsable answer is 0."""
    error: str | None
    """``unparsable``: nothing usable came, the program's own doing; else what kept the model from answering."""


def score_program(
    module: Any, items: Sequence[Item], metric: Metric, lm: OpenLm, progress: Progress | None = None
) -> list[Answer]:
    """Ask ``module`` every item, ``lm.calls_in_flight`` at a time; answers come in the order of the items.

    Raises:
        MetricError: when the metric returns what is not a score.
    """
    done = 0
    answers: list[Answer] = []
    with ThreadPoolExecutor(lm.calls_in_flight) as pool:
        # Each in the caller's context: what it is counted under goes along.
        asked = [pool.submit(copy_context().run, _ask, module, item, metric, lm) for item in items]
        for each in asked:
            answers.append(each.result())
            done += 1
            if progress:
                progress(done, len(items))
    return answers


def _ask(module: Any, item: Item, metric: Metric, lm: OpenLm) -> Answer:
    example = item.example()
    try:
        with lm.context():
            prediction = module(**example.inputs())
        if not hasattr(prediction, "get"):
            raise TypeError(f"the program returned {type(prediction).__name__}, not a dspy.Prediction")
    except Exception as error:  # noqa: BLE001 - a program is foreign code; every failure is classified below
        return _failure(error)
    output = {name: plain(prediction.get(name)) for name in item.label}
    judged = metric.judge(example, prediction)
    return Answer(output, judged.score_ppm, None if judged.score_ppm is not None else judged.outcome)


def _failure(error: Exception) -> Answer:
    """Whether a failure says something of the program (a wrong answer) or of the world (no answer)."""
    from dspy.utils.exceptions import AdapterParseError, LMError

    from telefine_assets.lm.journal import is_the_questions_fault

    if isinstance(error, MetricError):
        raise error
    if isinstance(error, AdapterParseError) or (isinstance(error, LMError) and is_the_questions_fault(error)):
        return Answer(None, 0, "unparsable")
    if isinstance(error, (LMError, OSError, *STOPS)):
        return Answer(None, None, type(error).__name__)
    # A program that breaks on an item has answered it wrongly: otherwise one
    # that breaks on all hard items would be judged on the easy ones.
    logger.info("no usable answer: %s: %s", type(error).__name__, error)
    return Answer(None, 0, "unparsable")
