"""Where every demo of a program comes from.

DSPy keeps no trace ids in demos, and rewrites those that it bootstraps. A demo
is therefore traced by what it shows. Labelled demos show an item's own inputs;
bootstrapped ones of inner predictors show what the program made of them on the
way, and only a witness knows of which (see ``witness``). Demos that an earlier
version had already keep the trace that they had there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from telefine_assets.programs.datasets import Item
from telefine_assets.programs.spec import ProgramError, ProgramSpec
from telefine_assets.programs.values import demo_digest, plain_fields
from telefine_assets.traces.clusters import cluster_of

if TYPE_CHECKING:
    from telefine_assets.programs.witness import Witness


@dataclass(frozen=True)
class Demo:
    """One demo of a compiled program and the trace behind it."""

    predictor: str
    position: int
    augmented: bool
    """Whether the output is the program's own, accepted by the metric, instead of the label."""
    digest: str
    """Digest of the demo itself: the predictor's inputs and outputs that it shows."""
    content: str
    """Digest of the program's inputs in the trace."""
    cluster: str
    trace_id: str
    trace_digest: str
    contributor: str | None
    quality_ppm: int

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form; ``Demo(**record)`` reads it."""
        return asdict(self)


def demos_of(
    spec: ProgramSpec,
    state: Mapping[str, Any],
    trainset: Sequence[Item],
    witness: Witness | None = None,
    inherited: Sequence[Demo] = (),
) -> list[Demo]:
    """The demos in a dumped state, each with its trace.

    A demo that ``inherited`` (the records of an earlier version's demos) has for
    the same predictor keeps its trace: who gave it first is credited. Else it
    comes from the item of the trainset whose inputs it shows, or in whose run
    the witness saw it; for bootstrapped demos the witness is asked first, as an
    inner predictor may read another item's text by chance. Of several items that
    fit, the first to arrive is credited.

    Raises:
        ProgramError: when a demo comes from none of these; such a program is not
            shipped.
    """
    sources = _Sources(spec, trainset, witness, inherited)
    return [
        sources.traced(predictor, position, demo)
        for predictor, part in state.items()
        for position, demo in enumerate(part["demos"])
    ]


class _Sources:
    def __init__(
        self, spec: ProgramSpec, trainset: Sequence[Item], witness: Witness | None, inherited: Sequence[Demo]
    ) -> None:
        self._spec = spec
        self._witness = witness
        self._inherited = {(demo.predictor, demo.digest): demo for demo in inherited}
        items = sorted(trainset, key=lambda item: item.arrival)
        self._by_trace = {item.trace_id: item for item in items}
        examples = [(item, item.example()) for item in items]
        self._by_inputs = _firsts(examples, spec.fields.inputs, cluster_of)
        self._by_labels = {
            name: _firsts(examples, fields, demo_digest) for name, fields in self._labelled_in_part().items()
        }

    def traced(self, predictor: str, position: int, demo: Mapping[str, Any]) -> Demo:
        digest = demo_digest(demo)
        earlier = self._inherited.get((predictor, digest))
        item = self._given(earlier) if earlier else self._item(predictor, demo, digest)
        augmented = bool(demo.get("augmented"))
        if item is not None:
            return _demo(predictor, position, augmented, digest, item)
        if earlier is not None:
            return replace(earlier, position=position, augmented=augmented)
        raise ProgramError(
            f"{self._spec.name}: demo {position} of {predictor} comes from no trace of the trainset; "
            "a program with a demo of unknown origin is not shipped"
        )

    def _given(self, earlier: Demo) -> Item | None:
        """The item of an earlier demo's trace, unless its id stands for another content by now."""
        item = self._by_trace.get(earlier.trace_id)
        return item if item is not None and item.content == earlier.content else None

    def _item(self, predictor: str, demo: Mapping[str, Any], digest: str) -> Item | None:
        seen = self._witness.behind(demo) if self._witness else None
        seen = seen and self._by_trace.get(seen.trace_id)
        told = self._told(predictor, demo, digest)
        return (seen or told) if demo.get("augmented") else (told or seen)

    def _told(self, predictor: str, demo: Mapping[str, Any], digest: str) -> Item | None:
        """The item whose own inputs the demo shows; where it shows only some of them, its labels must fit too."""
        if predictor in self._by_labels:
            return self._by_labels[predictor].get(digest)
        return self._by_inputs.get(cluster_of({name: demo.get(name) for name in self._spec.fields.inputs}))

    def _labelled_in_part(self) -> dict[str, list[str]]:
        """The fields of the predictors that do not read all of the program's inputs."""
        return {
            name: [field["name"] for field in (*sides["inputs"], *sides["outputs"])]
            for name, sides in self._spec.signatures.items()
            if not {*self._spec.fields.inputs} <= {field["name"] for field in sides["inputs"]}
        }


def _firsts(
    examples: Sequence[tuple[Item, Any]], fields: Sequence[str], key: Callable[[dict[str, Any]], str]
) -> dict[str, Item]:
    """The first item by what it shows in some fields."""
    firsts: dict[str, Item] = {}
    for item, example in examples:
        firsts.setdefault(key(plain_fields(fields, example)), item)
    return firsts


def _demo(predictor: str, position: int, augmented: bool, digest: str, item: Item) -> Demo:
    return Demo(
        predictor=predictor,
        position=position,
        augmented=augmented,
        digest=digest,
        content=item.content,
        cluster=item.cluster,
        trace_id=item.trace_id,
        trace_digest=item.trace_digest,
        contributor=item.contributor,
        quality_ppm=item.quality_ppm,
    )
