"""From cleaned traces to trainset, validation set and holdout."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from telefine_assets.canonical import digest_of
from telefine_assets.traces.records import CleanedTrace, Split

if TYPE_CHECKING:
    from pydantic import SecretStr

    from telefine_assets.traces.cleaning.annotations import FieldTypes


@dataclass(frozen=True)
class Item:
    """One input with its label: the first trace of its content cluster."""

    cluster: str
    content: str
    """Digest of exactly these inputs; a cluster may hold several that are nearly the same."""
    group: str
    """Items of one group are not independent of one another."""
    trace_id: str
    trace_digest: str
    inputs: dict[str, Any]
    label: dict[str, Any]
    """Right values by output field; empty where the metric needs none."""
    label_source: str
    quality_ppm: int
    contributor: str | None
    arrival_ms: int
    types: FieldTypes | None = field(default=None, compare=False, repr=False)
    """The types that the program gives its fields; without them an example has JSON values."""

    @property
    def arrival(self) -> tuple[int, str]:
        """Where the trace stands in the order of arrival; two of one moment have an order too."""
        return self.arrival_ms, self.trace_id

    def example(self) -> Any:
        """As a ``dspy.Example`` with its inputs marked; it carries the program's fields, typed, and nothing else."""
        import dspy

        values = {**self.inputs, **self.label}
        if self.types is not None:
            values = {name: self.types.typed(name, value) for name, value in values.items()}
        return dspy.Example(**values).with_inputs(*self.inputs)


def items_of(
    cleaned: Iterable[CleanedTrace],
    split: Split,
    limit: int,
    seed: int,
    key: SecretStr,
    without: Container[str] = (),
    types: FieldTypes | None = None,
    judge: str | None = None,
) -> list[Item]:
    """The items of one side, at most ``limit`` of them.

    One trace stands for each cluster: the first to arrive. Where there are more
    than ``limit``, a seeded hash of the cluster chooses, so that the choice
    depends neither on the order of rows nor on the other clusters. It is keyed
    with the split's ``key``: nobody who lacks that can word an input so that it
    is chosen. That hash is also the order in which the items are returned.
    ``without`` leaves out clusters; ``types`` are those of the program's fields. ``judge`` names a
    metric that needs no label: the items then have none, and it is their source.
    """
    firsts: dict[str, CleanedTrace] = {}
    for trace in sorted(cleaned, key=lambda each: (each.arrival_ms, each.trace_id)):
        if trace.split == split and trace.cluster not in without:
            firsts.setdefault(trace.cluster, trace)
    chosen = sorted(firsts.values(), key=lambda each: _rank(each.cluster, split, seed, key))[:limit]
    items = [item_of(trace, types) for trace in chosen]
    return items if judge is None else [replace(item, label={}, label_source=f"metric:{judge}") for item in items]


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


def _rank(cluster: str, split: str, seed: int, key: SecretStr) -> bytes:
    # The key has other uses: what is hashed begins with what for.
    choice = f"choice:{seed}:{split}:{cluster}"
    return hmac.new(key.get_secret_value().encode(), choice.encode(), hashlib.sha256).digest()


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def item_of(trace: CleanedTrace, types: FieldTypes | None) -> Item:
    """A cleaned trace as an item; ``types`` are those of the program's fields."""
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
        arrival_ms=trace.arrival_ms,
        types=types,
    )
