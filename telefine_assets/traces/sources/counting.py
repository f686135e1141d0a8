"""How many production traces each day has, without reading them where the source can count by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from telefine_assets.partitions import day_of
from telefine_assets.traces.sources.protocol import PURPOSE, SOURCE_RUN, Filters, TraceQuery

if TYPE_CHECKING:
    import pyarrow as pa

DAY_MS = 86_400_000
_TAG = "EXISTS (SELECT 1 FROM trace_tags c WHERE c.request_id = i.request_id AND c.key = ?"
_RUN = (
    "EXISTS (SELECT 1 FROM trace_request_metadata c WHERE c.request_id = i.request_id AND c.key = ? "
    "AND c.value IS NOT NULL)"
)


def counted(batches: Iterable[pa.RecordBatch]) -> dict[str, int]:
    """Traces by UTC day (``YYYY-MM-DD``), of batches with ``request_time_ms``."""
    days: Counter[int] = Counter()
    for batch in batches:
        days.update((batch["request_time_ms"].to_numpy() // DAY_MS).tolist())
    return {day_of(day * DAY_MS): count for day, count in sorted(days.items())}


def can_be_grouped(filters: Filters) -> bool:
    """Whether MLflow's tables alone say which traces pass; what a feedback or a version means is known in one place."""
    return not filters.versions and filters.outcome is None


def grouped_sql(query: TraceQuery, experiment: int) -> tuple[str, list[Any]]:
    """The statement that counts traces by day (number of days since 1970), and its values."""
    conditions = ["i.experiment_id = ?", "i.timestamp_ms >= ?", "i.timestamp_ms < ?", f"NOT {_TAG})"]
    values: list[Any] = [experiment, query.start_ms, query.end_ms, PURPOSE]
    if query.from_runs == "skip":
        conditions.append(f"NOT {_RUN}")
        values.append(SOURCE_RUN)
    if query.filters.statuses:
        conditions.append(f"i.status IN ({', '.join('?' * len(query.filters.statuses))})")
        values.extend(query.filters.statuses)
    for key, value in query.filters.tags.items():
        conditions.append(f"{_TAG} AND c.value = ?)")
        values += [key, value]
    # Whole numbers are divided without a rest by both databases.
    day = f"i.timestamp_ms / {DAY_MS}"
    where = " AND ".join(conditions)
    return f"SELECT {day} AS day, count(*) AS traces FROM trace_info i WHERE {where} GROUP BY {day}", values  # noqa: S608
