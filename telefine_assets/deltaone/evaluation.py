"""Baseline and candidate answer the same items; what they said is measured, then judged."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from telefine_assets.canonical import json_value
from telefine_assets.deltaone.records import PPM, PairedItem
from telefine_assets.lm.opening import OpenLm, Unreachable
from telefine_assets.programs.datasets import Item
from telefine_assets.programs.metrics import Metric
from telefine_assets.programs.scoring import Answer, Asked, ask_all, judge_all
from telefine_assets.programs.spec import ProgramSpec

BASELINE, CANDIDATE = "baseline", "candidate"
SIDES = (BASELINE, CANDIDATE)


@dataclass(frozen=True)
class Evaluation:
    """What both programs said to the same items."""

    spec: ProgramSpec
    items: Sequence[Item]
    asked: Mapping[str, Sequence[Asked]]
    """By side, in the order of the items."""
    measures: Mapping[str, Sequence[Mapping[str, int]]]
    """The same, for what is known of each answer beside its score."""

    def measured(self, names: Container[str]) -> Evaluation:
        """With the scores that those guardrail metrics give, on their own scales; none where one cannot judge.

        Raises:
            Unreachable: when a guardrail's judge did not answer: that is no missing value, which would break it.
        """
        measures = {side: [dict(each) for each in self.measures[side]] for side in SIDES}
        for name, metric in self.spec.guardrails.items():
            if name in names:
                for side, answers in self._guarded(name, metric).items():
                    for known, answer in zip(measures[side], answers, strict=True):
                        if answer.score_ppm is not None:
                            known[name] = metric.own_scale(answer.score_ppm)
        return replace(self, measures=measures)

    def unscored(self) -> list[PairedItem]:
        """The rows as they are known before anything is scored: who answered, and what was measured of it."""
        return self._rows({side: [Answer(None, None, each.error) for each in self.asked[side]] for side in SIDES})

    def scored(self) -> list[PairedItem]:
        """The rows with the metric's scores on its own scale, in the order of the items."""
        return self._rows(self._judged(self.spec.metric))

    def _guarded(self, name: str, metric: Metric) -> dict[str, list[Answer]]:
        failed = _failed(metric)
        judged = self._judged(metric)
        if _failed(metric) > failed:
            raise Unreachable(
                f"guardrail {name}: the language model that judges it did not answer; see that it can be "
                "reached, then run again: every answer is kept, and the look is the same one"
            )
        return judged

    def _judged(self, metric: Metric) -> dict[str, list[Answer]]:
        """Answers by side. Both sides of an item are judged one after the other, as they were asked."""
        asked = [each for pair in zip(*(self.asked[side] for side in SIDES), strict=True) for each in pair]
        items = [item for item in self.items for _ in SIDES]
        threads = metric.judge_lm.calls_in_flight if metric.judge_lm else 1
        answers = judge_all(asked, items, metric, self.spec.fields.outputs, threads)
        return {side: answers[at :: len(SIDES)] for at, side in enumerate(SIDES)}

    def _rows(self, answers: Mapping[str, Sequence[Answer]]) -> list[PairedItem]:
        return [
            self._row(item, *pair, *known)
            for item, pair, known in zip(
                self.items,
                zip(*(answers[side] for side in SIDES), strict=True),
                zip(*(self.measures[side] for side in SIDES), strict=True),
                strict=True,
            )
        ]

    def _row(
        self, item: Item, before: Answer, after: Answer, known_before: Mapping[str, int], known_after: Mapping[str, int]
    ) -> PairedItem:
        return PairedItem(
            item=item.cluster,
            trace_id=item.trace_id,
            group=item.group,
            inputs=json_value(item.inputs),
            label=json_value(item.label),
            label_source=item.label_source,
            baseline_output=before.output,
            candidate_output=after.output,
            baseline_ppm=self._own_scale(before),
            candidate_ppm=self._own_scale(after),
            baseline_error=before.error,
            candidate_error=after.error,
            contributor=item.contributor,
            baseline_measures=dict(known_before),
            candidate_measures=dict(known_after),
        )

    def _own_scale(self, answer: Answer) -> int | None:
        return None if answer.score_ppm is None else self.spec.metric.own_scale(answer.score_ppm)


def evaluate(
    spec: ProgramSpec,
    modules: Mapping[str, Any],
    items: Sequence[Item],
    lm: OpenLm,
    confidence: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Ask both programs every item, the two questions of an item next to each other. Nothing is judged yet.

    Args:
        spec: the program.
        modules: a ``dspy.Module`` for each of ``SIDES``.
        items: what is asked.
        lm: the language model both run on.
        confidence: the output that holds a program's own probability, if one does.
        progress: called with (questions done, questions in all).
    """
    asked = ask_all({side: modules[side] for side in SIDES}, items, lm, progress)
    measures = {side: [each.measures | _confidence(each, confidence) for each in asked[side]] for side in SIDES}
    return Evaluation(spec, items, asked, measures)


def _failed(metric: Metric) -> int:
    """Questions to the metric's judge that got no answer so far."""
    return metric.judge_lm.spent.failed if metric.judge_lm else 0


def _confidence(asked: Asked, field: str | None) -> dict[str, int]:
    """The program's own probability in ppm; nothing where its output is no number from 0 to 1."""
    if field is None or asked.prediction is None:
        return {}
    try:
        value = float(str(asked.prediction.get(field)))
    except ValueError:
        return {}
    return {"confidence": round(value * PPM)} if 0 <= value <= 1 else {}
