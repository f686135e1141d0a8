"""One day of a program's traces, from a source into the store and from there through cleaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from telefine_assets.traces.images import with_references
from telefine_assets.traces.records import ERASED, dropped_schema, trace_schema
from telefine_assets.traces.sources.protocol import TraceQuery, TraceSource

if TYPE_CHECKING:
    import pyarrow as pa

    from telefine_assets.settings.schema import ProgramSettings
    from telefine_assets.store.records import RecordStore
    from telefine_assets.store.tables import TableStore
    from telefine_assets.traces.cleaning.audit import Checked
    from telefine_assets.traces.cleaning.pipeline import CleanedDay
    from telefine_assets.traces.fields import Fields

TRACES, CLEANED, DROPPED, INDEX = "traces", "cleaned_traces", "dropped_traces", "cluster_index"
"""Tables of a program: as logged; what may be learnt from; what may not, and why; which inputs are known."""
Progress = Callable[[int], None]
"""Called with the number of traces so far, once for each page."""


@dataclass(frozen=True)
class Loaded:
    """A day that was loaded."""

    digest: str
    rows: int
    statuses: Mapping[str, int]


def load_day(
    source: TraceSource,
    query: TraceQuery,
    tables: TableStore,
    put: Callable[[bytes], str],
    program: str,
    day: str,
    progress: Progress = lambda count: None,
) -> Loaded:
    """Load one day; the stored partition stays as it was until all of the new one is there.

    ``put`` keeps the files that traces hold, by digest. What stands there of a trace whose words
    were erased stays, whatever the source says of it: a restored one may have the words again.

    Raises:
        TraceSourceError: the source fails.
    """
    statuses: Counter[str] = Counter()
    erased = _erased(tables, program, day)
    read = _counted(_without(source.read(query), erased), statuses, progress)
    rows = chain(with_references(read, put), erased.to_batches())
    written = tables.write_batches(program, TRACES, day, rows, trace_schema())
    return Loaded(written.digest, written.rows, dict(sorted(statuses.items())))


def _erased(tables: TableStore, program: str, day: str) -> pa.Table:
    """The stored rows of traces whose words were erased."""
    import pyarrow as pa
    import pyarrow.compute as pc

    stored = tables.batches(program, TRACES, day) if tables.exists(program, TRACES, day) else iter(())
    rows = (batch.filter(pc.equal(batch["fingerprint"], ERASED)) for batch in stored)
    return pa.Table.from_batches([each for each in rows if each.num_rows], trace_schema())


def _without(batches: Iterator[pa.RecordBatch], erased: pa.Table) -> Iterator[pa.RecordBatch]:
    import pyarrow.compute as pc

    for batch in batches:
        yield batch.filter(pc.invert(pc.is_in(batch["trace_id"], erased["trace_id"]))) if erased.num_rows else batch


def _counted(batches: Iterator[pa.RecordBatch], statuses: Counter[str], progress: Progress) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for each in batch["status"].value_counts().to_pylist():
            statuses[each["values"]] += each["counts"]
        progress(statuses.total())
        yield batch


def clean_stored_day(
    tables: TableStore, records: RecordStore, program: str, day: str, fields: Fields, settings: ProgramSettings
) -> tuple[CleanedDay, str]:
    """Clean a stored day and store what came of it; returns that and the digest of the cleaned table.

    The index is stored first: what it knows stays as it is, so that a run that
    is cut off before the rest and begins again places every trace as before.

    Raises:
        MissingPartition: the day was not loaded.
        CleaningError: it cannot be cleaned as the settings say.
    """
    import pyarrow as pa

    from telefine_assets.traces.cleaning.pipeline import clean_day

    cleaning = settings.cleaning
    others = _days_around(tables.days(program, INDEX), day, cleaning.near_duplicates.lookback_days)
    cleaned = clean_day(
        tables.batches(program, TRACES, day),
        day,
        fields,
        cleaning,
        settings.split,
        index=(tables.read(program, INDEX, each) for each in others),
        own_index=tables.read(program, INDEX, day) if tables.exists(program, INDEX, day) else None,
        earlier_audit=_earlier_audit(records, program, day, cleaning.audit.lookback_days) if cleaning.audit else None,
    )
    record = cleaned.report.to_record()
    dropped = record.pop("drops")
    tables.write(program, INDEX, day, cleaned.index)
    tables.write(program, DROPPED, day, pa.table([list(dropped), list(dropped.values())], dropped_schema()))
    records.write(program, CLEANED, day, record)
    return cleaned, tables.write(program, CLEANED, day, cleaned.table)


def _earlier_audit(records: RecordStore, program: str, day: str, back: int) -> dict[str, Checked]:
    """What the trusted rater found about contributors on the days before."""
    from telefine_assets.traces.cleaning.audit import Checked

    first = (date.fromisoformat(day) - timedelta(days=back - 1)).isoformat()
    total: dict[str, Checked] = {}
    for each in records.days(program, CLEANED):
        if first <= each < day:
            for who, found in records.read(program, CLEANED, each)["audit"].items():
                total[who] = total.get(who, Checked(0, 0)) + Checked(**found)
    return total


def _days_around(days: list[str], day: str, back: int) -> list[str]:
    """The other days whose inputs are looked at: later ones too, for what was placed first stays where it is."""
    middle = date.fromisoformat(day)
    first, last = ((middle + timedelta(days=side * back)).isoformat() for side in (-1, 1))
    return [each for each in days if first <= each <= last and each != day]
