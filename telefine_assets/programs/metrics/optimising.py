"""A metric as DSPy's optimisers take it."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from telefine_assets.errors import TelefineError
from telefine_assets.programs.metrics.metric import SCORED, Judged, Metric
from telefine_assets.programs.metrics.scores import PPM, CannotJudge
from telefine_assets.programs.metrics.values import labels_of, plain_value


@dataclass
class OptimiserMetric:
    """Callable as ``metric(example, prediction, trace=None, pred_name=None, pred_trace=None)``.

    While bootstrapping (``trace`` is given) True for what may become a demo: a
    score of ``threshold_ppm`` or more. Else the score as a float. With
    ``feedback`` always a ``dspy.Prediction`` with ``score`` and ``feedback``.

    DSPy knows no missing score: an item that cannot be judged is False, or 0.0,
    as DSPy's own ``failure_score``, and so is a program that broke (SIMBA asks
    for the score of its None). These scores steer a search and decide nothing.

    DSPy also goes on when a metric raises, as if the answer were wrong. The
    first fault is therefore kept, and :meth:`check` raises it.
    """

    metric: Metric
    threshold_ppm: int = PPM
    feedback: bool = False
    _fault: TelefineError | None = dataclass_field(default=None, init=False, repr=False)

    def __call__(
        self, example: Any, prediction: Any, trace: Any = None, pred_name: str | None = None, pred_trace: Any = None
    ) -> Any:
        """Judge an answer.

        Raises:
            TelefineError: what :meth:`Metric.judge` raises.
        """
        # GEPA gives every function a trace; only one of GEPA's form takes it for anything but bootstrapping.
        handed_on = trace if not self.feedback or self.metric.arguments == 5 else None
        try:
            judged = (
                Judged(0, "The program broke.", SCORED)
                if prediction is None
                else self.metric.judge(example, prediction, handed_on, pred_name, pred_trace)
            )
        except TelefineError as error:
            self._fault = self._fault or error
            raise
        score = (judged.score_ppm or 0) / PPM
        if self.feedback:
            import dspy

            told = judged.feedback or _told(example, prediction, judged, self.metric.labels)
            return dspy.Prediction(score=score, feedback=told)
        if trace is not None:
            return judged.score_ppm is not None and judged.score_ppm >= self.threshold_ppm
        return score

    def check(self) -> None:
        """Raise what the metric raised inside an optimiser, if anything; call it before using what was compiled."""
        if self._fault is not None:
            raise self._fault


def _told(example: Any, prediction: Any, judged: Judged, reads_labels: bool) -> str:
    """Feedback for a metric that gives none: the score, what was expected (if that counts) and what came."""
    if judged.score_ppm is None:
        return f"This answer could not be judged: {judged.outcome}."
    lines = [f"This answer got a score of {judged.score_ppm / PPM}."]
    try:
        labels = labels_of(example) if reads_labels else {}
    except CannotJudge:
        labels = {}
    for name, label in labels.items():
        lines.append(f"{name}: expected {plain_value(label)!r}, got {plain_value(prediction.get(name))!r}.")
    return "\n".join(lines)
