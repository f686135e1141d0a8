"""Asking programs every item of a list, then judging the answers; wrong answers are told from no answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from telefine_assets.lm.budget import STOPS
from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.datasets import Item
from telefine_assets.programs.metrics import PPM, Metric, MetricError
from telefine_assets.programs.values import plain

logger = logging.getLogger(__name__)

UNPARSABLE = "unparsable"
"""The error of what is an answer, and a wrong one: nothing usable came, the program's own doing."""
UNJUDGED = "unjudged"
"""What the error begins with when the metric could not judge an answer; its outcome follows."""

Progress = Callable[[int, int], None]
"""Called with (questions done, questions in all)."""
Result = TypeVar("Result")


@dataclass(frozen=True)
class Asked:
    """What came of asking a program one item."""

    prediction: Any | None
    """``dspy.Prediction``; None when there is no usable answer."""
    error: str | None
    """``unparsable``, or what kept the model from answering; None with a prediction."""
    measures: dict[str, int]
    """``valid`` (ppm), ``latency_ms``, ``tokens``, ``cost_micros``; what is not known has no entry.

    The last three sum up the answers of the language model, as measured when each was first asked for.
    """


@dataclass(frozen=True)
class Answer:
    """What a program made of one item."""

    output: dict[str, Any] | None
    """JSON values by output field; None when there is no usable answer."""
    score_ppm: int | None
    """In the metric's good direction. None: unresolved, or not judged. A wrong or unparsable answer is 0."""
    error: str | None
    """``unparsable``; ``unjudged: ...``; else what kept the model from answering."""


def ask_all(
    modules: Mapping[str, Any], items: Sequence[Item], lm: OpenLm, progress: Progress | None = None
) -> dict[str, list[Asked]]:
    """Ask every one of ``modules`` every item, ``lm.calls_in_flight`` at a time.

    The modules' questions of one item follow one another, so that what a server
    does to its answers in the course of time, it does to all modules alike.

    Returns:
        For each name of ``modules`` what came, in the order of the items.
    """
    questions = [partial(_ask, module, item, lm) for item in items for module in modules.values()]
    asked = _together(lm.calls_in_flight, questions, lm, progress)
    lm.intact()
    return {name: asked[at :: len(modules)] for at, name in enumerate(modules)}


def judge_all(
    asked: Sequence[Asked], items: Sequence[Item], metric: Metric, outputs: Sequence[str], threads: int = 1
) -> list[Answer]:
    """Judge what came of asking ``items``, ``threads`` at a time; answers come in their order.

    Args:
        asked: what came, in the order of the items.
        items: what was asked.
        metric: scores the answers; nobody is asked about what is no answer.
        outputs: the program's output fields.
        threads: how many answers are judged at once.

    Raises:
        MetricError: when the metric returns what is not a score.
        TelefineError: what stops a run, such as a spent budget; the rest is not judged.
    """
    judged = [partial(_judged, each, item, metric, outputs) for each, item in zip(asked, items, strict=True)]
    answers = _together(threads, judged, metric.judge_lm)
    if metric.judge_lm is not None:
        metric.judge_lm.intact()
    return answers


def score_program(
    module: Any, items: Sequence[Item], metric: Metric, lm: OpenLm, progress: Progress | None = None
) -> list[Answer]:
    """Ask ``module`` every item and judge its answers by their labelled outputs; they come in the items' order.

    Raises:
        MetricError: when the metric returns what is not a score.
        TelefineError: what stops a metric that asks a language model, such as a spent budget.
    """
    (asked,) = ask_all({"": module}, items, lm, progress).values()
    labelled = dict.fromkeys(name for item in items for name in item.label)
    return judge_all(asked, items, metric, list(labelled), (metric.judge_lm or lm).calls_in_flight)


def _together(
    threads: int, calls: Sequence[Callable[[], Result]], lm: OpenLm | None, progress: Progress | None = None
) -> list[Result]:
    """What ``calls`` return, in their order; once one was seen to raise, no other begins.

    Who stops the run (Ctrl-C) waits for requests under way, and for no further attempts of ``lm``.
    """
    pool = ThreadPoolExecutor(threads)
    results: list[Result] = []
    try:
        # Each in the caller's context: what it is counted under goes along.
        for each in [pool.submit(copy_context().run, call) for call in calls]:
            results.append(each.result())
            if progress:
                progress(len(results), len(calls))
    except BaseException as error:
        if lm is not None and not isinstance(error, Exception):
            lm.budget.halt()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return results


def _ask(module: Any, item: Item, lm: OpenLm) -> Asked:
    inputs = item.example().inputs()
    with lm.measuring() as bill:
        try:
            with lm.context():
                prediction = module(**inputs)
            if not hasattr(prediction, "get"):
                raise TypeError(f"the program returned {type(prediction).__name__}, not a dspy.Prediction")
        except Exception as error:  # noqa: BLE001 - a program is foreign code; every failure is classified below
            failed = _failure(error)
            return Asked(None, failed, {"valid": 0, **bill.measures()} if failed == UNPARSABLE else {})
    return Asked(prediction, None, {"valid": PPM, **bill.measures()})


def _judged(asked: Asked, item: Item, metric: Metric, outputs: Sequence[str]) -> Answer:
    if asked.prediction is None:
        return Answer(None, 0 if asked.error == UNPARSABLE else None, asked.error)
    output = {name: plain(asked.prediction.get(name)) for name in outputs}
    judged = metric.judge(item.example(), asked.prediction)
    return Answer(output, judged.score_ppm, None if judged.score_ppm is not None else f"{UNJUDGED}: {judged.outcome}")


def _failure(error: Exception) -> str:
    """Whether a failure says something of the program (a wrong answer) or of the world (no answer)."""
    from dspy.utils.exceptions import AdapterParseError, LMError

    from telefine_assets.lm.journal import is_the_questions_fault

    if isinstance(error, MetricError):
        raise error
    if isinstance(error, AdapterParseError) or (isinstance(error, LMError) and is_the_questions_fault(error)):
        return UNPARSABLE
    if isinstance(error, (LMError, OSError, *STOPS)):
        return type(error).__name__
    # A program that breaks on an item has answered it wrongly: otherwise one
    # that breaks on all hard items would be judged on the easy ones.
    logger.info("no usable answer: %s: %s", type(error).__name__, error)
    return UNPARSABLE
