"""Baseline and candidate answer the same holdout items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from telefine_assets.canonical import json_value
from telefine_assets.deltaone.records import PairedItem
from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.datasets import Item
from telefine_assets.programs.metrics import Metric
from telefine_assets.programs.scoring import Answer, score_program


def paired(
    baseline: Any,
    candidate: Any,
    items: Sequence[Item],
    metric: Metric,
    lm: OpenLm,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[PairedItem]:
    """Ask both programs every item; rows come in the order of the items.

    Args:
        baseline: ``dspy.Module`` that serves.
        candidate: ``dspy.Module`` that would replace it.
        items: the holdout.
        metric: scores both.
        lm: the language model both run on.
        progress: called with (side, items done, items in all).
    """

    def ask(side: str, module: Any) -> list[Answer]:
        return score_program(module, items, metric, lm, progress and (lambda done, n: progress(side, done, n)))

    before, after = ask("baseline", baseline), ask("candidate", candidate)
    return [_pair(item, *answers) for item, *answers in zip(items, before, after, strict=True)]


def _pair(item: Item, before: Answer, after: Answer) -> PairedItem:
    return PairedItem(
        item=item.cluster,
        trace_id=item.trace_id,
        group=item.group,
        inputs=json_value(item.inputs),
        label=json_value(item.label),
        label_source=item.label_source,
        baseline_output=before.output,
        candidate_output=after.output,
        baseline_ppm=before.score_ppm,
        candidate_ppm=after.score_ppm,
        baseline_error=before.error,
        candidate_error=after.error,
        contributor=item.contributor,
    )
