"""What the stored indexes say of a day's texts and sessions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from telefine_assets.traces.clustering.index import checked
from telefine_assets.traces.clustering.matching import Matcher
from telefine_assets.traces.clustering.signatures import PERMUTATIONS

if TYPE_CHECKING:
    import pyarrow as pa


class Place(NamedTuple):
    """When a text arrived and where it stands. The least of several is the earliest."""

    arrival_ms: int
    cluster: str
    group: str


@dataclass
class Recorded:
    """What is recorded of a day's texts, by their numbers, and of its sessions.

    ``add_all`` takes the index tables one after the other, in any order, and
    keeps none of them.
    """

    contents: pa.Array
    """The day's contents by number, as the index has them."""
    sessions: pa.Array
    """The day's sessions."""
    matcher: Matcher | None
    places: dict[int, Place] = field(default_factory=dict)
    """Where a text stands that was recorded before: its own day decides, else the earliest record."""
    near: dict[int, dict[tuple[str, str], int]] = field(default_factory=lambda: defaultdict(dict))
    """Of a text's copies and near-copies in the tables: their clusters and groups, and when each came first."""
    groups: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    """Of a session: its groups, and when each came first."""

    def near_places(self, number: int) -> set[Place]:
        """Where a text's copies and near-copies in the tables stand."""
        return {Place(arrival_ms, *of) for of, arrival_ms in self.near.get(number, {}).items()}

    def add_all(self, own: pa.Table | None, others: Iterable[pa.Table]) -> None:
        """Read the day's own index and those of other days."""
        owned: dict[int, Place] = {}
        if own is not None:
            owned = self._add(checked(own), own=True)
        for table in others:
            for number, place in self._add(checked(table), own=False).items():
                self.places[number] = min(place, self.places.get(number, place))
        self.places |= owned

    def _add(self, table: pa.Table, own: bool) -> dict[int, Place]:
        """Read one table; returns the places of the day's texts that it has."""
        import pyarrow.compute as pc

        table = table.combine_chunks()
        numbers = pc.index_in(table["content"], value_set=self.contents)
        copies = numbers.is_valid()
        found: dict[int, Place] = {}
        for number, place in zip(numbers.filter(copies).to_pylist(), _places(table.filter(copies)), strict=True):
            found[number] = min(place, found.get(number, place))
            self._add_place(number, place)
        of_sessions = table.filter(pc.is_in(table["session"], value_set=self.sessions))
        for session, place in zip(of_sessions["session"].to_pylist(), _places(of_sessions), strict=True):
            known = self.groups[session]
            known[place.group] = min(place.arrival_ms, known.get(place.group, place.arrival_ms))
        if self.matcher is not None:
            signed = table["signature"].is_valid()
            self._add_near(table.filter(pc.and_not(signed, copies) if own else signed), self.matcher)
        return found

    def _add_place(self, number: int, place: Place) -> None:
        known, of = self.near[number], (place.cluster, place.group)
        known[of] = min(place.arrival_ms, known.get(of, place.arrival_ms))

    def _add_near(self, table: pa.Table, matcher: Matcher) -> None:
        import numpy as np
        import pyarrow.compute as pc

        if not len(table):
            return
        table = table.take(pc.sort_indices(table, sort_keys=[("arrival_ms", "ascending"), ("content", "ascending")]))
        table = table.combine_chunks()
        signatures = table["signature"].chunk(0)
        stored = np.frombuffer(signatures.buffers()[1], np.uint8).reshape(-1, PERMUTATIONS)
        stored = stored[signatures.offset : signatures.offset + len(signatures)]
        columns = [table[name].chunk(0).dictionary_encode() for name in ("cluster", "group")]
        cluster, group = (column.indices.to_numpy().astype(np.int64) for column in columns)
        _, clusters = np.unique(cluster * len(columns[1].dictionary) + group, return_inverse=True)
        pairs = matcher.among(stored, clusters)
        for number, place in zip(pairs.asking.tolist(), _places(table.take(pairs.asked)), strict=True):
            self._add_place(number, place)


def _places(table: pa.Table) -> Iterator[Place]:
    columns = (table[name].to_pylist() for name in Place._fields)
    for arrival_ms, cluster, group in zip(*columns, strict=True):
        yield Place(arrival_ms, cluster.hex(), group.hex())
