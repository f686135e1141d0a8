"""From cleaned traces to trainset, validation set and holdout."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.canonical import digest_of
from telefine_assets.traces.records import CleanedTrace, Split


@dataclass(frozen=True)
class Item:
    """One labelled input: the first trace of its content cluster."""

    cluster: str
    content: str
    """Digest of exactly these inputs; a cluster may hold several that are nearly the same."""
    group: str
    """Items of one group are not independent of one another."""
    trace_id: str
    trace_digest: str
    inputs: dict[str, Any]
    label: dict[str, Any]
    label_source: str
    quality_ppm: int
    contributor: str | None

    def example(self) -> Any:
        """As a ``dspy.Example`` with its inputs marked; it carries the signature's fields and nothing else."""
        import dspy

        return dspy.Example(**self.inputs, **self.label).with_inputs(*self.inputs)


def items_of(
    cleaned: Iterable[CleanedTrace], split: Split, limit: int, seed: int, without: Container[str] = ()
) -> list[Item]:
    """The items of one side, at most ``limit`` of them.

    One trace stands for each cluster: the first to arrive. Where there are more
    than ``limit``, a seeded hash of the cluster chooses, so that the choice
    depends neither on the order of rows nor on the other clusters. That hash is
    also the order in which the items are returned. ``without`` leaves out clusters.
    """
    firsts: dict[str, CleanedTrace] = {}
    for trace in sorted(cleaned, key=lambda each: (each.arrival_ms, each.trace_id)):
        if trace.split == split and trace.cluster not in without:
            firsts.setdefault(trace.cluster, trace)
    chosen = sorted(firsts.values(), key=lambda each: _rank(each.cluster, split, seed))[:limit]
    return [_item(trace) for trace in chosen]


def dataset_digest(items: Sequence[Item]) -> str:
    """SHA-256 over what can change a result, in the items' order: inputs, labels, their sources, and groups.

    Who contributed a trace, or a tag that it got later, changes no score.
    """
    return digest_of(
        [
            {
                "cluster": item.cluster,
                "group": item.group,
                "inputs": _text(item.inputs),
                "label": _text(item.label),
                "label_source": item.label_source,
            }
            for item in items
        ]
    )


def _rank(cluster: str, split: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{split}:{cluster}".encode()).digest()


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _item(trace: CleanedTrace) -> Item:
    return Item(
        cluster=trace.cluster,
        content=trace.content,
        group=trace.group,
        trace_id=trace.trace_id,
        trace_digest=trace.trace_digest,
        inputs=json.loads(trace.inputs),
        label=json.loads(trace.label),
        label_source=trace.label_source,
        quality_ppm=trace.quality_ppm,
        contributor=trace.contributor,
    )
