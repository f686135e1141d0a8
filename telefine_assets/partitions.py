"""The one slicing of time: UTC days. Nothing else in Telefine slices time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from telefine_assets.settings.schema import PartitionSettings

if TYPE_CHECKING:
    import dagster as dg


def daily(partitions: PartitionSettings) -> dg.DailyPartitionsDefinition:
    """The daily partitions that every asset of the deployment shares."""
    import dagster as dg

    # Dagster's end date is exclusive, the settings' is inclusive.
    end = partitions.end + timedelta(days=1) if partitions.end else None
    return dg.DailyPartitionsDefinition(
        start_date=partitions.start.isoformat(),
        end_date=end.isoformat() if end else None,
        timezone="UTC",
        end_offset=1 if partitions.today else 0,
    )


def bounds_ms(day: str) -> tuple[int, int]:
    """First millisecond of a UTC day (``YYYY-MM-DD``) and first of the next, as Unix time."""
    start = datetime.combine(date.fromisoformat(day), datetime.min.time(), tzinfo=UTC)
    return int(start.timestamp() * 1000), int((start + timedelta(days=1)).timestamp() * 1000)


def day_of(ms: int) -> str:
    """The UTC day (``YYYY-MM-DD``) of a moment in Unix milliseconds."""
    return datetime.fromtimestamp(ms // 1000, tz=UTC).date().isoformat()


def days_from(first: str, last: str) -> list[str]:
    """All days from ``first`` to ``last``, both included."""
    start, count = date.fromisoformat(first), (date.fromisoformat(last) - date.fromisoformat(first)).days
    return [(start + timedelta(days=day)).isoformat() for day in range(count + 1)]


def window(day: str, lookback_days: int, first: date) -> list[str]:
    """The days of a lookback window that ends with ``day``, oldest first, none before ``first``."""
    last = date.fromisoformat(day)
    days = (last - timedelta(days=back) for back in range(lookback_days - 1, -1, -1))
    return [each.isoformat() for each in days if each >= first]
