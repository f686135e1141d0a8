"""Retention: what may go by the settings' rules, what is held and by what, and its removal.

A rule looks at days. Tables go by their own day; of compiles, the records and
the versions stay, and only the other evidence goes that nothing else needs; runs
go by when they ended. What holds a day (see ``holds``) holds all of its evidence.
Every look is held, with all that is to be read of it. Before anything goes, the
store is told since when everything is there (see ``store.kept``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from telefine_assets.attribution.records import Fields, RecordError, load_json
from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.keeping.holds import (
    ATTESTATIONS,
    COMPILED,
    Day,
    held_days,
    needed_texts,
    reached_days,
    read_records,
)
from telefine_assets.keeping.manifest import KeepingError
from telefine_assets.keeping.places import TABLES, Track
from telefine_assets.ledger.connection import Ledger
from telefine_assets.settings.retention import RetentionSettings
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.garbage import find_garbage
from telefine_assets.store.kept import keep_from
from telefine_assets.store.records import RecordStore

FORMAT = 1
PARTITION, FILE, UNFINISHED = "partition", "evidence", "unfinished"
"""Kinds of what goes, beside the runs of each keeper; the last are what killed writers left behind."""
INDEX = "cluster_index"
"""The table that tells which inputs were seen before; no text is in it, and it is needed for longer."""
_SETTLED = timedelta(days=7)
"""A stage writes its evidence before the record that names it: what is younger is let alone."""
_DEPTH = 4


@dataclass(frozen=True, order=True)
class Removal:
    """Something that may go.

    Attributes:
        kind: ``partition``, ``evidence``, ``unfinished``, or a keeper's.
        name: of the file in the store, or of the run.
        size: bytes; 0 where nobody knows.
    """

    kind: str
    name: str
    size: int


@dataclass(frozen=True, order=True)
class Held:
    """Something that a rule would let go, and what holds it."""

    name: str
    by: str


@dataclass(frozen=True)
class Plan:
    """What would go, in order, and what is held.

    Attributes:
        removals: what would go.
        held: what a rule would let go, and something holds.
        kept_from: the first day of which everything would be there still, by program.
    """

    removals: tuple[Removal, ...]
    held: tuple[Held, ...]
    kept_from: Mapping[str, str] = field(default_factory=dict)

    def totals(self) -> dict[str, tuple[int, int]]:
        """Number and bytes by kind."""
        counts, sizes = Counter[str](), Counter[str]()
        for each in self.removals:
            counts[each.kind] += 1
            sizes[each.kind] += each.size
        return {kind: (counts[kind], sizes[kind]) for kind in sorted(counts)}

    def to_bytes(self) -> bytes:
        """What would go, as a file to look at, and to apply."""
        listed = [{"kind": each.kind, "name": each.name, "bytes": each.size} for each in self.removals]
        return canonical_json({"format": FORMAT, "removals": listed})

    def digest(self) -> str:
        """SHA-256 of that file."""
        return sha256_hex(self.to_bytes())


@dataclass(frozen=True)
class Run:
    """A finished run: its id and, where it is of one, its day."""

    run_id: str
    day: Day | None = None


class Keeper(Protocol):
    """Keeps runs: Dagster, MLflow."""

    kind: str

    def ended_before(self, moment: datetime) -> Iterable[Run]:
        """Finished runs that ended before a moment."""
        ...

    def remove(self, run_id: str) -> None:
        """Remove a run, if it is there."""
        ...


@dataclass(frozen=True)
class Rules:
    """How long what is kept.

    Attributes:
        retention: the settings.
        windows: days that each program's compile looks back.
        remembered: days beyond ``traces_days`` for which each program's index is needed.
    """

    retention: RetentionSettings
    windows: Mapping[str, int]
    remembered: Mapping[str, int]


def plan(rules: Rules, ledger: Ledger, files: Files, keepers: Sequence[Keeper], now: datetime) -> Plan:
    """Say what would go now; nothing is changed."""
    planning = _Planning(rules, ledger, files, now)
    planning.removals += [Removal(UNFINISHED, name, size) for name, size in files.abandoned(now).items()]
    limits = rules.retention
    if limits.traces_days is not None:
        planning.partitions(_first(now, limits.traces_days))
    if limits.artifacts_days is not None:
        planning.artifacts(_first(now, limits.artifacts_days))
    if limits.runs_days is not None:
        for keeper in keepers:
            planning.runs(keeper, now - timedelta(days=limits.runs_days))
    return Plan(tuple(planning.removals), tuple(sorted(planning.held)), planning.kept_from)


def apply(
    wanted: Plan, still: Plan, files: Files, keepers: Sequence[Keeper], now: datetime, track: Track
) -> tuple[Removal, ...]:
    """Remove what was planned, as far as it may go still; returns what went.

    Whoever calls holds the turn, and made ``still`` within it. What names
    something goes before it: a run that is cut off leaves nothing dangling, and
    the same plan again goes on.
    """
    allowed = set(still.removals)
    going = [each for each in wanted.removals if each in allowed]
    if any(each.kind in (PARTITION, FILE) for each in going):
        for program, first in still.kept_from.items():
            keep_from(RecordStore(files), program, first)
    removers = {keeper.kind: keeper.remove for keeper in keepers}
    gone = []
    for each in track(going, "removing"):
        # A stage may have found evidence there a moment ago, and be about to name it.
        if each.kind != FILE or _is_settled(files, each.name, now):
            removers.get(each.kind, files.remove)(each.name)
            gone.append(each)
    return tuple(gone)


def _is_settled(files: Files, name: str, now: datetime) -> bool:
    written = files.modified(name)
    return written is not None and written < now - _SETTLED


def read_plan(content: bytes) -> Plan:
    """Read what ``Plan.to_bytes`` wrote.

    Raises:
        KeepingError: it is something else.
    """
    try:
        fields = Fields(load_json(content, "plan"), "plan")
        fields.constant("format", FORMAT)
        removals = tuple(map(_removal, fields.objects("removals")))
        fields.done()
    except RecordError as error:
        raise KeepingError(str(error)) from None
    return Plan(removals, ())


def _removal(fields: Fields) -> Removal:
    removal = Removal(fields.text("kind"), fields.text("name"), fields.integer("bytes", 0, 2**53 - 1))
    fields.done()
    return removal


class _Planning:
    """A plan while it is made."""

    def __init__(self, rules: Rules, ledger: Ledger, files: Files, now: datetime) -> None:
        self._rules, self._ledger, self._files, self._now = rules, ledger, files, now
        self._holds = held_days(ledger, files)
        self.removals: list[Removal] = []
        self.held: list[Held] = []
        self.kept_from: dict[str, str] = {}

    def partitions(self, first: str) -> None:
        """Tables of days before ``first``."""
        waiting = self._waiting()
        for name, size in self._files.sizes(TABLES).items():
            parts = name.split("/")
            if len(parts) != _DEPTH:
                continue
            program, table, day = parts[1], parts[2], parts[3].removesuffix(".parquet")
            longer = self._rules.remembered.get(program, 0) if table == INDEX else 0
            removal, by = Removal(PARTITION, name, size), waiting.get((program, day), ())
            if day < _before(first, longer) and self._let_go(removal, name, by):
                self._keep(program, first)

    def artifacts(self, first: str) -> None:
        """Evidence that only tables that go need, and compiles of days before ``first``."""
        compiles: dict[str, str] = {}
        old = [(day, record["candidate"]) for day, record in read_records(self._files, COMPILED) if day[1] < first]
        # Whatever is compiled from now on begins at the earliest where this one ended.
        last = {program: day for (program, day), candidate in old if candidate is not None}
        for (program, day), _ in old:
            name, by = RecordStore.name(program, COMPILED, day), self._holds.get((program, day), ())
            if day != last.get(program):
                self.held += [Held(name, each) for each in by]
                compiles |= {} if by else {name: program}
        leaving = compiles.keys() | {each.name for each in self.removals}
        named = needed_texts(self._ledger, self._files)
        for digest in find_garbage(self._files, named, self._now - _SETTLED, leaving).digests:
            name = EvidenceStore.name(digest)
            self.removals.append(Removal(FILE, name, self._files.size(name)))
            for program in {*compiles.values()}:
                self._keep(program, first)

    def runs(self, keeper: Keeper, moment: datetime) -> None:
        """Runs that ended before a moment."""
        for run in keeper.ended_before(moment):
            by = self._holds.get(run.day, ()) if run.day else ()
            self._let_go(Removal(keeper.kind, run.run_id, 0), f"{keeper.kind} {run.run_id}", by)

    def _let_go(self, removal: Removal, name: str, by: Sequence[str]) -> bool:
        self.held += [Held(name, each) for each in by]
        self.removals += [] if by else [removal]
        return not by

    def _keep(self, program: str, first: str) -> None:
        self.kept_from[program] = max(first, self.kept_from.get(program, first))

    def _waiting(self) -> dict[Day, list[str]]:
        """Days whose traces are needed still: those of windows that reached DeltaOne and are not attested yet."""
        attested = {day for day, record in read_records(self._files, ATTESTATIONS) if record["uid"] is not None}
        waiting: dict[Day, list[str]] = {}
        for program, day in {*reached_days(self._ledger)} - attested:
            for back in range(self._rules.windows.get(program, 0)):
                by = f"{program} {day} reached DeltaOne and is not attested yet"
                waiting.setdefault((program, _before(day, back)), []).append(by)
        return waiting


def _first(now: datetime, days: int) -> str:
    """The first day that is kept."""
    return _before(now.date().isoformat(), days)


def _before(day: str, days: int) -> str:
    return (date.fromisoformat(day) - timedelta(days=days)).isoformat()
