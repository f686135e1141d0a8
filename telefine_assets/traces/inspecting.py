"""What became of traces, read from the stored tables: for people who ask."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telefine_assets.errors import TelefineError
from telefine_assets.traces.cleaning.rules import RULES
from telefine_assets.traces.days import CLEANED, DROPPED, TRACES

if TYPE_CHECKING:
    from telefine_assets.store.records import RecordStore
    from telefine_assets.store.tables import TableStore

_SHOWN = ("trace_id", "request_time_ms", "status", "inputs", "outputs", "assessments")
_SCORE_BINS = 10


@dataclass(frozen=True)
class Stored:
    """Where a deployment keeps one program's tables and records."""

    tables: TableStore
    records: RecordStore
    program: str

    def row(self, table: str, day: str, trace_id: str) -> dict[str, Any] | None:
        """One trace's row in a table, or None."""
        import pyarrow.compute as pc

        for batch in self.tables.batches(self.program, table, day):
            found = batch.filter(pc.equal(batch["trace_id"], trace_id)).to_pylist()
            if found:
                return dict(found[0])
        return None

    def has(self, table: str, day: str, trace_id: str) -> bool:
        """Whether a day of a table holds a trace; reads one column."""
        import pyarrow.compute as pc

        ids = self.tables.columns(self.program, table, day, ["trace_id"])["trace_id"]
        return bool(pc.any(pc.equal(ids, trace_id)).as_py())


@dataclass(frozen=True)
class Fate:
    """What became of one trace."""

    trace_id: str
    day: str
    trace: Mapping[str, Any]
    rule: str | None
    """The cleaning rule that dropped it, or None."""
    cleaned: Mapping[str, Any] | None
    demo_in: Sequence[Mapping[str, Any]]
    """Candidates that show it: day, version, predictor, position, what DeltaOne said, whether it was promoted."""
    because: str | None = None
    """What the rule found wrong with this very trace, where more is to be said of it than of the rule."""

    @property
    def told(self) -> str:
        """The fate in a sentence."""
        if self.cleaned is None and self.rule is None:
            return f"Loaded on {self.day}; that day was not cleaned since."
        if self.cleaned is None:
            return f"Dropped by the rule {self.rule}: {self.because or RULES[str(self.rule)]}."
        side = self.cleaned["split"]
        if not self.demo_in:
            return f"Kept, on the {side} side of the split; no candidate shows it as a demo."
        last = self.demo_in[-1]
        return f"Kept, on the {side} side of the split; a demo of the candidate of {last['day']} ({last['deltaone']})."

    def to_record(self) -> dict[str, Any]:
        """As JSON values."""
        return {**vars(self), "demo_in": list(self.demo_in), "told": self.told}


def fate_of(stored: Stored, trace_id: str, unlabelled: Callable[[Mapping[str, Any]], str | None]) -> Fate:
    """What became of a trace.

    ``unlabelled`` says what is missing of the label of a trace that was dropped for that, if there is more to say
    than the rule does: see ``cleaning.missing.why_unlabelled``.

    Raises:
        TelefineError: no stored day holds it.
    """
    for day in reversed(stored.tables.days(stored.program, TRACES)):
        if stored.has(TRACES, day, trace_id):
            break
    else:
        raise TelefineError(
            f"no stored day of {stored.program} holds trace {trace_id!r}; load its day first, or see "
            "`telefine traces changed`"
        )
    cleaned_days = stored.tables.days(stored.program, CLEANED)
    dropped = stored.row(DROPPED, day, trace_id) if day in cleaned_days else None
    trace, rule = stored.row(TRACES, day, trace_id) or {}, None if dropped is None else dropped["rule"]
    return Fate(
        trace_id=trace_id,
        day=day,
        trace=trace,
        rule=rule,
        cleaned=stored.row(CLEANED, day, trace_id) if day in cleaned_days else None,
        demo_in=list(_demos(stored, trace_id)),
        because=unlabelled(trace) if rule == "unlabelled" else None,
    )


def _demos(stored: Stored, trace_id: str) -> Iterator[dict[str, Any]]:
    for day in stored.records.days(stored.program, "compiled_programs"):
        compiled = stored.records.read(stored.program, "compiled_programs", day)
        report = stored.records.find(stored.program, "deltaone_reports", day) or {}
        promoted = stored.records.find(stored.program, "champions", day) or {}
        for demo in compiled["demos"]:
            if demo["trace_id"] == trace_id:
                yield {
                    "day": day,
                    "version": compiled["candidate"],
                    "predictor": demo["predictor"],
                    "position": demo["position"],
                    "deltaone": report.get("sentence", "DeltaOne was not looked at"),
                    "champion": promoted.get("outcome", "not decided"),
                }


@dataclass(frozen=True)
class DayStats:
    """One day in numbers."""

    day: str
    loaded: int
    kept: int | None
    """None: the day was not cleaned."""
    dropped: Mapping[str, int]
    splits: Mapping[str, int]
    labels: Mapping[str, int]
    """Kept traces by what their label rests on: ``expectation`` or ``output``."""
    scores: Sequence[int]
    """Kept traces by tenth of the score's range; traces without a score are in none."""
    contributors: Mapping[str, Mapping[str, Any]]

    def to_record(self) -> dict[str, Any]:
        """As JSON values."""
        return {**vars(self), "scores": list(self.scores)}


def stats_of(stored: Stored, days: Sequence[str]) -> list[DayStats]:
    """Numbers of those of ``days`` that are stored."""
    loaded = set(stored.tables.days(stored.program, TRACES))
    return [_stats(stored, day) for day in days if day in loaded]


def _stats(stored: Stored, day: str) -> DayStats:
    rows = stored.tables.rows(stored.program, TRACES, day)
    if day not in stored.tables.days(stored.program, CLEANED):
        return DayStats(day, rows, None, {}, {}, {}, [0] * _SCORE_BINS, {})
    report = stored.records.read(stored.program, CLEANED, day)
    columns = stored.tables.columns(stored.program, CLEANED, day, ["score_ppm", "label_source"])
    tenths = Counter(min(score // 100_000, _SCORE_BINS - 1) for score in columns["score_ppm"].drop_null().to_pylist())
    labels = Counter(source.partition(":")[0] for source in columns["label_source"].to_pylist())
    return DayStats(
        day=day,
        loaded=rows,
        kept=columns.num_rows,
        dropped=report["dropped"],
        splits=report["splits"],
        labels=dict(sorted(labels.items())),
        scores=[tenths[tenth] for tenth in range(_SCORE_BINS)],
        contributors=report["contributors"],
    )


def rows_of(stored: Stored, day: str, limit: int, status: str | None = None) -> Iterator[dict[str, Any]]:
    """The first traces of a day, in order of time, each with what cleaning made of it."""
    cleaned = day in stored.tables.days(stored.program, CLEANED)
    fates: dict[str, str] = {}
    if cleaned:
        dropped = stored.tables.read(stored.program, DROPPED, day)
        fates = dict(zip(dropped["trace_id"].to_pylist(), dropped["rule"].to_pylist(), strict=True))
    shown = 0
    for batch in stored.tables.batches(stored.program, TRACES, day, _SHOWN):
        for row in batch.to_pylist():
            if shown >= limit:
                return
            if status in (None, row["status"]):
                shown += 1
                said = json.loads(row.pop("assessments"))
                yield {
                    **row,
                    "said": {each["name"]: each["value"] for each in said if each["valid"]},
                    "fate": fates.get(row["trace_id"], "kept") if cleaned else "not cleaned",
                }
