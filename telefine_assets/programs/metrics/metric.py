"""A metric in use: what it makes of an answer, and what identifies it."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from telefine_assets.canonical import digest_of, json_value
from telefine_assets.errors import TelefineError
from telefine_assets.lm.untraced import untraced, untraced_modules
from telefine_assets.programs.metrics import values
from telefine_assets.programs.metrics.scores import PPM, CannotJudge, MetricError, ppm_of
from telefine_assets.settings.metrics import Direction

if TYPE_CHECKING:
    from telefine_assets.lm.opening import OpenLm
    from telefine_assets.programs.metrics.optimising import OptimiserMetric

SCORED = "scored"
UNPARSABLE = "judge unparsable"


@dataclass(frozen=True)
class Judged:
    """What a metric made of an answer."""

    score_ppm: int | None
    """In parts per million of the good direction; None when the item could not be judged: missing, never 0."""
    feedback: str | None
    """What the metric says of the answer, if anything."""
    outcome: str
    """``scored``, or why there is no score."""


@dataclass(frozen=True)
class Metric:
    """A metric by DSPy's convention, ``function(example, prediction, trace=None)``, with its options.

    GEPA's five arguments (``pred_name`` and ``pred_trace`` last) will do too.
    """

    name: str
    function: Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of every call; JSON values."""
    asks: bool = False
    """Whether the function asks a language model; else it finds none in ``dspy.settings``."""
    judge_lm: OpenLm | None = None
    """The model that it asks, once it is bound."""
    direction: Direction = "higher"
    """``lower`` for a loss."""
    labels: bool = True
    """Whether it reads labels; else it is handed none, and can judge an item that has none."""

    def bound(self, judge: OpenLm) -> Metric:
        """This metric with ``judge`` as DSPy's language model; one that asks nobody stays as it is."""
        return replace(self, judge_lm=judge) if self.asks else self

    @property
    def source(self) -> str:
        """The function's source and its whole module's, helpers included: part of what was measured."""
        module = inspect.getmodule(self.function)
        texts = [inspect.getsource(self.function), inspect.getsource(module) if module else ""]
        ours = module is not None and module.__name__.startswith(f"{__package__}.")
        return "".join([*texts, inspect.getsource(values) if ours else ""])

    @property
    def digest(self) -> str:
        """SHA-256 of what the metric is: name, options, source, direction, and the judge's identity if it asks one.

        Raises:
            MetricError: when it asks a model and none is bound.
        """
        identity = {"name": self.name, "options": json_value(dict(self.options)), "source": self.source}
        identity |= {"direction": self.direction, "labels": self.labels}
        return digest_of(identity | {"judge": self._judge().identity if self.asks else None})

    def own_scale(self, ppm: int) -> int:
        """A score of :meth:`judge` on the metric's own scale, and back again: a loss is what is left of the whole."""
        return ppm if self.direction == "higher" else PPM - ppm

    def judge(
        self, example: Any, prediction: Any, trace: Any = None, pred_name: str | None = None, pred_trace: Any = None
    ) -> Judged:
        """Score an answer in the good direction, or say why it cannot be scored.

        There is no score when the function raises :class:`CannotJudge`, when a
        language model that it asks cannot be reached, or says what cannot be read.

        Args:
            example: ``dspy.Example`` with its inputs marked.
            prediction: ``dspy.Prediction``.
            trace: what DSPy's optimisers hand on while they bootstrap.
            pred_name: GEPA's, as ``pred_trace``; only for a function that takes them.
            pred_trace: see ``pred_name``.

        Raises:
            MetricError: naming the item, when the metric breaks or returns what is not a score.
            TelefineError: what stops a run, such as a spent budget.
        """
        if not self.labels:
            example = example.inputs()
        try:
            returned = self._call((example, prediction, trace, pred_name, pred_trace))
        except CannotJudge as error:
            return Judged(None, None, str(error) or "cannot judge")
        except TelefineError:
            raise
        except Exception as error:
            if outcome := _no_answer(error):
                return Judged(None, None, outcome)
            unlabelled = "" if self.labels else "; it was handed no label, as 'labels' is false"
            raise MetricError(
                f"metric {self.name} raised {error!r} on the item {_shown(example)}{unlabelled}"
            ) from error
        score, feedback = getattr(returned, "score", returned), getattr(returned, "feedback", None)
        try:
            ppm = ppm_of(score)
        except ValueError as error:
            shown = " ".join(reprlib.repr(score).split())
            raise MetricError(
                f"metric {self.name} returned {shown} on the item {_shown(example)}: {error}; it must return "
                "True, False or a number in [0, 1], alone or as .score, or raise CannotJudge"
            ) from None
        return Judged(self.own_scale(ppm), None if feedback is None else str(feedback), SCORED)

    def ppm(self, example: Any, prediction: Any) -> int:
        """The score of :meth:`judge` in parts per million, for those who need one.

        Raises:
            CannotJudge: when there is none (see :meth:`judge`).
            MetricError: see :meth:`judge`.
        """
        judged = self.judge(example, prediction)
        if judged.score_ppm is None:
            raise CannotJudge(judged.outcome)
        return judged.score_ppm

    def for_optimisers(self, threshold_ppm: int = PPM, feedback: bool = False) -> OptimiserMetric:
        """This metric as DSPy's optimisers take it (``feedback`` as GEPA does)."""
        from telefine_assets.programs.metrics.optimising import OptimiserMetric

        return OptimiserMetric(self, threshold_ppm, feedback)

    @property
    def arguments(self) -> int:
        """How many of (example, prediction, trace, pred_name, pred_trace) the function takes.

        Raises:
            MetricError: when it cannot be called as a metric with these options.
        """
        return _arguments(self.name, self.function, tuple(self.options))

    def _call(self, arguments: tuple[Any, ...]) -> Any:
        """Call the function where nothing that it asks is part of the program's trace, which becomes its demos."""
        import dspy

        with ExitStack() as stack:
            stack.enter_context(untraced())
            stack.enter_context(dspy.context(lm=None, trace=None, callbacks=untraced_modules()))
            if self.asks:
                stack.enter_context(self._judge().context())
            return self.function(*arguments[: self.arguments], **self.options)

    def _judge(self) -> OpenLm:
        if self.judge_lm is None:
            raise MetricError(f"metric {self.name} asks a language model and has none; use metric.bound(lm) first")
        return self.judge_lm


@lru_cache(maxsize=64)
def _arguments(name: str, function: Callable[..., Any], keywords: tuple[str, ...]) -> int:
    signature = inspect.signature(function)
    by_position = [
        each
        for each in signature.parameters.values()
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) and each.name not in keywords
    ]
    # A fourth parameter with a default may be an option that nobody set.
    gepa = len(by_position) == 5 and (
        [each.name for each in by_position[3:]] == ["pred_name", "pred_trace"]
        or by_position[4].default is by_position[4].empty
    )
    count = 5 if gepa else min(len(by_position), 3)
    try:
        signature.bind(*[None] * max(count, 2), **dict.fromkeys(keywords))
    except TypeError as error:
        shown = ", ".join(["example", "prediction", "trace=None", *keywords])
        raise MetricError(f"metric {name} cannot be called as function({shown}): {error}") from None
    return max(count, 2)


def _no_answer(error: Exception) -> str | None:
    """The outcome when a language model that the metric asked gave no answer; None for a fault of the metric."""
    from dspy.utils.exceptions import AdapterParseError, LMError

    if isinstance(error, AdapterParseError):
        return UNPARSABLE
    if isinstance(error.__cause__, TelefineError):
        raise error.__cause__
    return type(error).__name__ if isinstance(error, (LMError, ConnectionError, TimeoutError)) else None


def _shown(example: Any) -> str:
    """Enough of an item's inputs to find it by."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 60
    return short.repr(example.inputs().toDict())
