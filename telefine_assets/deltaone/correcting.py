"""A look scored again after its labels were corrected: the same answers, and no item counts more than it did.

The per-item results of a look that reached DeltaOne are public. Whoever corrects
a label then knows what the correction is worth, so that a correction may take
from a gain and never add to it:

1. An item whose label was corrected is scored again from the stored answers. The
   new scores stand if the candidate gains no more by them than it did; else the
   item stays as it was, label and all.
2. An item whose feedback was withdrawn (its trace does not pass cleaning any
   more) keeps its scores where the candidate lost or tied. Where it won, the item
   becomes a tie. A trace that is on another side by now is no withdrawn feedback:
   settings moved it, and nothing is corrected before they are set back.
3. Everything else stays as it was. No item comes or goes, nobody is asked
   anything, and the look and its level are the same.

The mean gain is thus at most that of the old labels and at most that of the new
ones. An honest correction that speaks for the candidate is lost by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from telefine_assets.canonical import json_value
from telefine_assets.deltaone.holdout import fit_to_compare
from telefine_assets.deltaone.pairs import gain_of, scores_of
from telefine_assets.deltaone.records import Look, PairedItem, Rules
from telefine_assets.errors import TelefineError
from telefine_assets.programs.datasets import Item, item_of
from telefine_assets.programs.metrics import Metric
from telefine_assets.programs.spec import ProgramSpec
from telefine_assets.programs.values import typed_again
from telefine_assets.traces.clusters import cluster_of
from telefine_assets.traces.records import CleanedTrace

AS_IT_WAS, RELABELLED, WITHDRAWN, PASSED_OVER = "as_it_was", "relabelled", "withdrawn", "passed_over"
OUTCOMES = (AS_IT_WAS, RELABELLED, WITHDRAWN, PASSED_OVER)
"""What may become of an item; ``passed_over`` is a correction that would have favoured the candidate."""


class CannotCorrect(TelefineError):
    """The stored answers cannot be scored by the corrected labels."""


@dataclass(frozen=True)
class Corrected:
    """The rows of a look after its labels were corrected.

    Attributes:
        rows: one for each item of the look, as it counts now.
        counts: how many items came to each of ``OUTCOMES``.
    """

    rows: list[PairedItem]
    counts: dict[str, int]


def correct(
    rows: Sequence[PairedItem], cleaned: Iterable[CleanedTrace], spec: ProgramSpec, rules: Rules, look: Look
) -> Corrected:
    """Score the rows of a look by the labels that the traces have now.

    Args:
        rows: as they were attested.
        cleaned: the cleaned traces of the look's items, as they are now.
        spec: the program, with the metric of the look.
        rules: of the look.
        look: which metric it was.

    Raises:
        CannotCorrect: the metric is not the look's, asks a language model by the
            label, or does not give the attested scores from what is stored; or an
            item is held out no longer.
    """
    _require_same_metric(spec, rules, look)
    cleaned = list(cleaned)
    _require_same_side(rows, cleaned)
    held = [trace for trace in cleaned if trace.split == "holdout"]
    fit, judge = fit_to_compare(held, spec)
    found = [item_of(trace, spec.types) for trace in fit]
    # Where nothing reads a label, none was attested.
    items = {item.trace_id: item if judge is None else replace(item, label={}) for item in found}
    counted = [_corrected(row, items.get(row.trace_id), spec, rules) for row in rows]
    counts = {name: sum(outcome == name for outcome, _ in counted) for name in OUTCOMES}
    return Corrected([row for _, row in counted], counts)


def _require_same_metric(spec: ProgramSpec, rules: Rules, look: Look) -> None:
    """Refuse metrics that would give other scores than the attested ones, or ask a new question."""
    named = {"": spec.metric} | dict(spec.guardrails)
    for metric in named.values():
        if metric.asks and metric.labels:
            raise CannotCorrect(
                f"metric {metric.name} asks a language model whether an answer fits the label: a corrected label "
                "would be a new question. Nothing is issued again where a judge reads labels"
            )
    known = {rail.name: rail.digest for rail in rules.guardrails if rail.digest} | {"": look.metric_digest}
    for name, digest in known.items():
        current = named.get(name)
        if current is None or (not current.asks and current.digest != digest):
            raise CannotCorrect(
                f"metric {name or spec.metric_name} is not the one of the look any more. Set the program's code and "
                "settings back to those of the day that was attested"
            )


def _require_same_side(rows: Sequence[PairedItem], cleaned: Iterable[CleanedTrace]) -> None:
    """Refuse items that are as they were, and that settings have moved to another side or cluster."""
    looked_at = {row.trace_id: row for row in rows}
    for trace in cleaned:
        row = looked_at.get(trace.trace_id)
        if row is None or (trace.split, trace.cluster) == ("holdout", row.item):
            continue
        # An id that stands for other inputs by now was logged again: that feedback is gone.
        if trace.cluster == row.item or trace.content == cluster_of(row.inputs):
            raise CannotCorrect(
                f"item {row.item}: its trace {trace.trace_id} was held out, and is on side {trace.split} of cluster "
                f"{trace.cluster} now: split or cleaning.near_duplicates were changed, or the cluster index is "
                f"another, and {trace.day} was cleaned since. Set them back to those of the day that was attested, "
                f"clean {trace.day} again (telefine run cleaned_traces --day {trace.day}), then run this again"
            )


def _corrected(row: PairedItem, item: Item | None, spec: ProgramSpec, rules: Rules) -> tuple[str, PairedItem]:
    if item is None or item.cluster != row.item:
        return _withdrawn(row, rules)
    label = json_value(item.label)
    if label == row.label or not row.resolved:
        return AS_IT_WAS, row
    _require_reproducible(row, item, spec)
    rescored = replace(_rescored(row, item, spec), label=label, label_source=item.label_source)
    if not rescored.resolved:
        return _withdrawn(row, rules)
    if gain_of(rescored, rules.direction) > gain_of(row, rules.direction):
        return PASSED_OVER, row
    return RELABELLED, rescored


def _withdrawn(row: PairedItem, rules: Rules) -> tuple[str, PairedItem]:
    """Without a label to go by, the candidate has not won."""
    if not row.resolved or gain_of(row, rules.direction) <= 0:
        return WITHDRAWN, row
    return WITHDRAWN, replace(row, candidate_ppm=scores_of(row, rules.direction)[0])


def _require_reproducible(row: PairedItem, item: Item, spec: ProgramSpec) -> None:
    again = _rescored(row, replace(item, label=row.label), spec)
    # A tie may be what is left of a win whose feedback was withdrawn: only the baseline's score is the metric's then.
    tie = row.baseline_ppm == row.candidate_ppm == again.baseline_ppm
    names = {name for name in spec.guardrails if _measures(row, name) != _measures(again, name)}
    if not tie and (again.baseline_ppm, again.candidate_ppm) != (row.baseline_ppm, row.candidate_ppm):
        names.add(spec.metric_name)
    if names:
        raise CannotCorrect(
            f"item {row.item}: metric {', '.join(sorted(names))} does not give the attested scores from the stored "
            "answers. It reads more of an answer than its output fields, or not only the answer; nothing is issued "
            "again"
        )


def _measures(row: PairedItem, name: str) -> tuple[int | None, int | None]:
    """What a guardrail measured of both sides."""
    return row.baseline_measures.get(name), row.candidate_measures.get(name)


def _rescored(row: PairedItem, item: Item, spec: ProgramSpec) -> PairedItem:
    """The row as the metrics that read labels judge its stored answers by the item's label."""
    sides = {
        side: _judged(row, side, item, spec)
        for side, output in (("baseline", row.baseline_output), ("candidate", row.candidate_output))
        if output is not None
    }
    changes: dict[str, Any] = {}
    for side, (score, measures) in sides.items():
        changes |= {f"{side}_ppm": score, f"{side}_measures": measures}
    return replace(row, **changes)


def _judged(row: PairedItem, side: str, item: Item, spec: ProgramSpec) -> tuple[int | None, Mapping[str, int]]:
    """Score and measures of one side's stored answer; what reads no label is as it was, and asks nobody again."""
    output = getattr(row, f"{side}_output")
    score: int | None = getattr(row, f"{side}_ppm")
    measures = dict(getattr(row, f"{side}_measures"))
    for name, metric in spec.guardrails.items():
        if metric.labels:
            value = _score(metric, item, output, spec)
            measures = {key: each for key, each in measures.items() if key != name}
            measures |= {} if value is None else {name: value}
    return _score(spec.metric, item, output, spec) if spec.metric.labels else score, measures


def _score(metric: Metric, item: Item, output: Mapping[str, Any], spec: ProgramSpec) -> int | None:
    """On the metric's own scale; None where it cannot judge."""
    import dspy

    judged = metric.judge(item.example(), dspy.Prediction(**typed_again(output, spec.types)))
    return None if judged.score_ppm is None else metric.own_scale(judged.score_ppm)
