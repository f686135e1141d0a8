"""Whether what a candidate's demos show is right by the labels of now.

A labelled demo shows a trace's label: it stands if it shows the label of now. A
bootstrapped one shows what the program itself answered, and is there because the
metric accepted that answer by the label of then. It is judged once more, as while
bootstrapping and from the same score on, by the label of now:

- What is judged is what all bootstrapped demos of its trace show together: of
  several predictors each shows a part of one answer.
- A trace in which nothing at all was changed since has the label that it had.
- Where the metric reads no label, or what is shown is not what it judges by, no
  label says anything of the demo, and it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from telefine_assets.programs.datasets import Item, item_of
from telefine_assets.programs.metrics import PPM, MetricError
from telefine_assets.programs.spec import ProgramSpec
from telefine_assets.programs.values import plain_fields, typed_again
from telefine_assets.traces.records import CleanedTrace

_THRESHOLD = "bootstrap_threshold_ppm"
# DSPy's optimiser bootstraps with the metric alone, which accepts what is wholly right.
_WHOLLY_RIGHT = ("mipro_v2",)
_AT_ALL = 1


class ShownDemos:
    """The demos of a candidate, and what their traces' labels say of them."""

    def __init__(self, candidate: Mapping[str, Any], demos: list[dict[str, Any]], spec: ProgramSpec) -> None:
        """Take a candidate's document, the records of its demos, and the program with its metric."""
        self._state, self._signatures, self._spec = candidate["state"], candidate["signatures"], spec
        self._threshold = _threshold(candidate.get("strategy", {}))
        self._answers: dict[str, dict[str, Any]] = {}
        # Of two predictors that answer the same field, the later one's answer is the program's. The program's code
        # has them in order, its document has them by name.
        order = {name: place for place, name in enumerate(spec.signatures)}
        for demo in sorted(demos, key=lambda each: order.get(each["predictor"], -1)):
            if demo.get("augmented"):
                self._answers.setdefault(demo["trace_id"], {}).update(self._sides(demo)[1])

    def stand(self, demo: Mapping[str, Any], trace: CleanedTrace) -> bool:
        """Whether what a demo (its record) shows is right by its trace's label of now."""
        item = item_of(trace, self._spec.types)
        shown, label = self._state[demo["predictor"]]["demos"][demo["position"]], json.loads(trace.label)
        right = plain_fields({} if demo.get("augmented") else label, item.example())
        if any(shown[name] != value for name, value in right.items() if name in shown):
            return False
        return not demo.get("augmented") or self._accepted(demo, trace, item)

    def _accepted(self, demo: Mapping[str, Any], trace: CleanedTrace, item: Item) -> bool:
        """Whether the metric accepts the answer of a bootstrapped demo once more."""
        answer, metric = self._answers[demo["trace_id"]], self._spec.metric
        untouched = trace.trace_digest == demo["trace_digest"]
        if untouched or not metric.labels or metric.asks or not item.label.keys() & answer.keys():
            return True
        return self._score(demo, item, answer) >= self._threshold

    def _score(self, demo: Mapping[str, Any], item: Item, answer: Mapping[str, Any]) -> int:
        """The score of an answer by what the label says of it."""
        import dspy

        typed = typed_again(answer, self._spec.types)
        # What no demo shows cannot have become wrong.
        unseen = item.label.keys() - answer.keys()
        example = item.example().without(*unseen)
        step = (None, self._sides(demo)[0], dspy.Prediction(**typed))
        for trace in ([step], None):
            # A metric may look for more in a run than is known of this one; it then judges the answer alone.
            try:
                judged = self._spec.metric.judge(example, dspy.Prediction(**typed), trace)
            except MetricError:
                continue
            if judged.score_ppm is not None:
                return judged.score_ppm
        # A metric that needs what is not shown says nothing of the demo; one that has all of it does not accept it.
        return PPM if unseen else 0

    def _sides(self, demo: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a demo shows as its predictor's inputs, and as its outputs."""
        shown = self._state[demo["predictor"]]["demos"][demo["position"]]
        signature = self._signatures[demo["predictor"]]
        names = [[field["name"] for field in signature[side]] for side in ("inputs", "outputs")]
        inputs, outputs = ({name: shown[name] for name in side if name in shown} for side in names)
        return inputs, outputs


def _threshold(strategy: Mapping[str, Any]) -> int:
    """The score from which a strategy took an answer for a demo; any at all, where its settings do not say."""
    known = PPM if strategy.get("strategy") in _WHOLLY_RIGHT else _AT_ALL
    return int(strategy.get(_THRESHOLD, known))
