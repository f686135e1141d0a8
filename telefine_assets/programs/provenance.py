"""Where every demo of a program comes from.

DSPy keeps no trace ids in demos, and rewrites those that it bootstraps. A demo
is therefore traced by what it shows: the digest of its inputs, which is that of
exactly one item of the trainset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from telefine_assets.programs.datasets import Item
from telefine_assets.programs.spec import ProgramError, ProgramSpec
from telefine_assets.traces.clusters import cluster_of


@dataclass(frozen=True)
class Demo:
    """One demo of a compiled program and the trace behind it."""

    predictor: str
    position: int
    augmented: bool
    """Whether the output is the program's own, accepted by the metric, instead of the label."""
    content: str
    """Digest of the inputs that it shows."""
    cluster: str
    trace_id: str
    trace_digest: str
    contributor: str | None
    quality_ppm: int

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form."""
        return asdict(self)


def demos_of(spec: ProgramSpec, state: Mapping[str, Any], trainset: Sequence[Item]) -> list[Demo]:
    """The demos in a state, each with its trace.

    Raises:
        ProgramError: when a demo shows what no item of the trainset shows; such
            a program is not shipped.
    """
    items = {item.content: item for item in trainset}
    demos = []
    for predictor, part in state.items():
        inputs = [field["name"] for field in spec.signatures[predictor]["inputs"]]
        for position, demo in enumerate(part["demos"]):
            item = items.get(cluster_of({name: demo.get(name) for name in inputs}))
            if item is None:
                raise ProgramError(
                    f"{spec.name}: demo {position} of {predictor} comes from no trace of the trainset; "
                    "a program with a demo of unknown origin is not shipped"
                )
            demos.append(
                Demo(
                    predictor,
                    position,
                    bool(demo.get("augmented")),
                    item.content,
                    item.cluster,
                    item.trace_id,
                    item.trace_digest,
                    item.contributor,
                    item.quality_ppm,
                )
            )
    return demos
