"""Clusters and groups: what is credited once, and what must stand on one side.

A *cluster* is an input with its copies and near-copies. A *group* is what has
one side: clusters and sessions that hang together. Traces are assigned one by
one in order of arrival, and what was recorded never changes:

- A text that was recorded keeps its cluster and its group. A new text joins
  the cluster of its earliest recorded near-copy, or founds one.
- A trace takes its cluster's group; else its session's; else it founds one,
  named after the cluster.
- A trace *straddles* when the groups that it touches (its cluster's, its
  copies' and near-copies', its session's) do not all stand on one side. It
  founds nothing, is not recorded, and the caller drops it.

So no two kept traces that were found to be copies, near-copies or of one
session stand on different sides, in whatever order the days are cleaned, and a
further day moves nothing. Near-copies are found with high probability, not with
certainty (see ``matching``). Two days that are cleaned at the same time in two
processes do not see each other and may put one text on two sides; the
deployment cleans one at a time, and cleaning either day again makes the
copies straddle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from telefine_assets.settings.traces import NearDuplicateSettings
from telefine_assets.traces.clustering.day import Day, Trace, in_order
from telefine_assets.traces.clustering.index import Entry, digests, index_table, listed_in
from telefine_assets.traces.clustering.matching import Matcher
from telefine_assets.traces.clustering.recorded import Place, Recorded
from telefine_assets.traces.clustering.signatures import least_similarity, signatures_of

if TYPE_CHECKING:
    import pyarrow as pa

_Row = tuple[str, str, str, bool]


@dataclass(frozen=True, eq=False)
class Clustered:
    """Where a day's traces stand.

    ``rows`` has ``trace_id``, ``cluster``, ``group`` and ``straddles`` of every
    trace, in order of arrival; of one that straddles, the cluster and group
    are those that it would have had. ``index`` is to be stored for the day.
    """

    rows: pa.Table
    index: pa.Table
    compared: int
    """How many pairs of signatures were compared."""


def cluster_day(
    arrivals: pa.Table,
    day: str,
    index: Iterable[pa.Table],
    own: pa.Table | None,
    settings: NearDuplicateSettings,
    side_of: Callable[[str], str],
) -> Clustered:
    """Assign a day's traces to clusters and groups. The order of ``arrivals`` does not matter.

    Args:
        arrivals: ``trace_id``, ``arrival_ms``, ``content`` (SHA-256 of the normalised inputs, hexadecimal), ``text``
            (see ``clusters.text_of``) and ``session``, which may be missing.
        day: The day, for the index.
        index: The stored indexes of other days, earlier and later. One at a time is held in memory.
        own: The index of this day from an earlier run.
        settings: Whether near-copies are looked for, and how similar they are.
        side_of: The side on which a group stands.

    Raises:
        TelefineError: when an index was made by another method.
    """
    traces = in_order(arrivals)
    matcher = _matcher(traces, settings) if settings.enabled else None
    recorded = Recorded(digests(traces.numbers), traces.sessions(), matcher)
    recorded.add_all(own, index)
    near_copies = _none_known if matcher is None else matcher.among_themselves().of
    assigner = _Assigner(recorded, near_copies, cache(side_of), listed_in(own))
    rows = _table([assigner.assign(trace) for trace in traces.traces])
    signatures = None if matcher is None else matcher.day.rows[: matcher.day.texts]
    stored = index_table(day, assigner.entries, own, signatures, traces.numbers)
    return Clustered(rows, stored, 0 if matcher is None else matcher.compared)


def _matcher(traces: Day, settings: NearDuplicateSettings) -> Matcher:
    similarity = least_similarity(settings.similarity_percent)
    return Matcher(signatures_of(traces.texts(), similarity), settings.similarity_percent)


def _none_known(_: int) -> list[int]:
    return []


def _table(rows: list[_Row]) -> pa.Table:
    import pyarrow as pa

    text = pa.string()
    kinds = {"trace_id": text, "cluster": text, "group": text, "straddles": pa.bool_()}
    return pa.table({name: pa.array([row[at] for row in rows], kinds[name]) for at, name in enumerate(kinds)})


@dataclass
class _Session:
    """What a session's next trace must go by."""

    group: str
    sides: set[str]


@dataclass
class _Assigner:
    """Assigns traces, which must come in order of arrival, and notes what is to be recorded."""

    recorded: Recorded
    near_copies: Callable[[int], list[int]]
    """The near-copies of a text among the day's texts."""
    side_of: Callable[[str], str]
    listed: set[tuple[str, str | None]]
    """The contents and sessions that the day's index has already."""
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._places = dict(self.recorded.places)
        self._sessions = {
            session: _Session(min((at, group) for group, at in groups.items())[1], {*map(self.side_of, groups)})
            for session, groups in self.recorded.groups.items()
        }

    def assign(self, trace: Trace) -> _Row:
        """The trace's row."""
        session = None if trace.session is None else self._sessions.get(trace.session)
        near = self._near(trace.number)
        place = self._places.get(trace.number) or min(near, default=None)
        if place is None:
            place = Place(trace.arrival_ms, trace.content, session.group if session else trace.content)
        sides = {self.side_of(each.group) for each in (place, *near)} | (session.sides if session else set())
        straddles = len(sides) > 1
        if not straddles:
            self._record(trace, place)
        return trace.trace_id, place.cluster, place.group, straddles

    def _near(self, number: int) -> set[Place]:
        """Where the recorded copies and near-copies of a text stand."""
        today = (self._places.get(other) for other in self.near_copies(number))
        return {place for place in today if place is not None} | self.recorded.near_places(number)

    def _record(self, trace: Trace, place: Place) -> None:
        here = place._replace(arrival_ms=trace.arrival_ms)
        self._places.setdefault(trace.number, here)
        if trace.session is not None:
            session = self._sessions.setdefault(trace.session, _Session(place.group, set()))
            session.sides.add(self.side_of(place.group))
        if (trace.content, trace.session) not in self.listed:
            self.listed.add((trace.content, trace.session))
            self.entries.append(Entry(trace.content, trace.session, *here))
