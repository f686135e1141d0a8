"""Asking a program every item of a list, and telling wrong answers from no answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from telefine_assets.canonical import json_value
from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.datasets import Item
from telefine_assets.programs.metrics import Metric, MetricError

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
        for answer in pool.map(lambda item: _ask(module, item, metric, lm), items):
            answers.append(answer)
            done += 1
            if progress:
                progress(done, len(items))
    return answers


def _ask(module: Any, item: Item, metric: Metric, lm: OpenLm) -> Answer:
    example = item.example()
    try:
        with lm.context():
            prediction = module(**item.inputs)
    except Exception as error:  # noqa: BLE001 - a program is foreign code; every failure is classified below
        return _failure(error)
    output = {name: _plain(prediction.get(name)) for name in item.label}
    return Answer(output, metric.ppm(example, prediction), None)


def _failure(error: Exception) -> Answer:
    """Whether a failure says something of the program (a wrong answer) or of the world (no answer)."""
    from dspy.utils.exceptions import AdapterParseError, ContextWindowExceededError, LMError

    if isinstance(error, MetricError):
        raise error
    programs_doing = (AdapterParseError, ContextWindowExceededError)
    if isinstance(error, (LMError, OSError)) and not isinstance(error, programs_doing):
        return Answer(None, None, type(error).__name__)
    # A program that breaks on an item has answered it wrongly: otherwise one
    # that breaks on all hard items would be judged on the easy ones.
    logger.info("no usable answer: %s: %s", type(error).__name__, error)
    return Answer(None, 0, "unparsable")


def _plain(value: Any) -> Any:
    """A JSON value; types of the program's own become their text."""
    return json_value(value.model_dump(mode="json") if hasattr(value, "model_dump") else value)
