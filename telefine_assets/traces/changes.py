"""Which days must be loaded again: fingerprints of what the source says now against those that are stored.

No time that MLflow keeps tells this: overriding a feedback leaves its time of
change alone, deleting one or setting a tag leaves none, a client may backdate
what it logs, and a trace is dated by its start. So every trace of the days asked
about is looked at, without its spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from telefine_assets.partitions import day_of

if TYPE_CHECKING:
    import pyarrow as pa

_SAMPLE = 5
_COMPARED = """
SELECT coalesce(now.trace_id, stored.trace_id) AS trace_id, CASE
    WHEN stored.trace_id IS NULL THEN 'added' WHEN now.trace_id IS NULL THEN 'removed' ELSE 'changed' END AS how
FROM now FULL OUTER JOIN stored USING (trace_id)
WHERE now.fingerprint IS DISTINCT FROM stored.fingerprint AND stored.fingerprint IS DISTINCT FROM 'erased'
ORDER BY trace_id
"""


@dataclass(frozen=True)
class DayChange:
    """How a day differs from what is stored of it."""

    day: str
    loaded: bool
    """Whether the day was ever loaded."""
    added: int
    changed: int
    removed: int
    samples: tuple[str, ...]
    """Up to five trace ids."""

    @property
    def traces(self) -> int:
        """Traces that differ."""
        return self.added + self.changed + self.removed

    def to_record(self) -> dict[str, Any]:
        """As JSON values."""
        return {**vars(self), "samples": list(self.samples)}


def changed_days(
    days: Sequence[str],
    fingerprints: Iterable[pa.RecordBatch],
    stored: Callable[[str], pa.Table | None],
) -> Iterator[DayChange]:
    """Those of ``days`` that differ, oldest first.

    Args:
        days: the days asked about.
        fingerprints: ``trace_id``, ``request_time_ms``, ``fingerprint`` of all traces of those days,
            ordered by start.
        stored: ``trace_id`` and ``fingerprint`` of a stored day, or None where it was never loaded.
    """
    left = sorted(set(days))
    for day, batches in groupby(_by_day(fingerprints), key=lambda each: each[0]):
        while left and left[0] < day:
            yield from _compared(left.pop(0), [], stored)
        if left and left[0] == day:
            yield from _compared(left.pop(0), [batch for _, batch in batches], stored)
    for day in left:
        yield from _compared(day, [], stored)


def _by_day(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Batches cut at midnight, UTC."""
    import numpy as np

    for batch in batches:
        days = batch["request_time_ms"].to_numpy() // 86_400_000
        cuts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), batch.num_rows]
        for start, stop in pairwise(cuts):
            if stop > start:
                yield day_of(int(days[start]) * 86_400_000), batch.slice(start, stop - start)


def _compared(
    day: str, batches: Sequence[pa.RecordBatch], stored: Callable[[str], pa.Table | None]
) -> Iterator[DayChange]:
    import duckdb
    import pyarrow as pa

    columns = pa.schema([("trace_id", pa.string()), ("fingerprint", pa.string())])
    now = pa.Table.from_batches([batch.select(columns.names).cast(columns) for batch in batches], columns)
    before = stored(day)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("now", now)
        connection.register("stored", columns.empty_table() if before is None else before)
        rows = connection.execute(_COMPARED).fetchall()
    if rows:
        counts = {how: sum(each == how for _, each in rows) for how in ("added", "changed", "removed")}
        yield DayChange(day, before is not None, **counts, samples=tuple(row[0] for row in rows[:_SAMPLE]))
