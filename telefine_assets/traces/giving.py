"""Which traces a contributor gave, read from the stored tables: few columns, filtered before Python sees a row."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telefine_assets.attribution.addresses import resolve_contributor
from telefine_assets.traces.days import CLEANED, DROPPED, TRACES

if TYPE_CHECKING:
    import pyarrow as pa

    from telefine_assets.traces.inspecting import Stored


@dataclass(frozen=True, slots=True)
class Given:
    """A trace whose tag names a wallet, in whatever spelling."""

    trace_id: str
    day: str
    time_ms: int
    reason: str | None
    """Why its tag names no wallet for certain (``bad_checksum``), though its digits are those of this one."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The part of a cleaned trace that says whose content it is."""

    trace_id: str
    cluster: str
    content: str
    split: str
    quality_ppm: int
    arrival_ms: int
    contributor: str | None
    contributor_reason: str | None


def given_by(stored: Stored, days: Sequence[str], tag: str, wallet: str) -> Iterator[Given]:
    """The loaded traces of some days whose tag has the wallet's digits, by day, in the order of the table.

    Args:
        stored: where the tables are.
        days: days that were loaded.
        tag: name of the contributor's tag.
        wallet: EIP-55.
    """
    for day in days:
        for batch in stored.tables.batches(stored.program, TRACES, day, ("trace_id", "request_time_ms", "tags")):
            for row in _with_digits(batch, wallet).to_pylist():
                value = json.loads(row["tags"]).get(tag)
                if isinstance(value, str) and value.strip().lower() == wallet.lower():
                    reason = resolve_contributor(value).reason
                    yield Given(row["trace_id"], day, row["request_time_ms"], reason and str(reason))


def rules_of(stored: Stored, day: str, trace_ids: Collection[str]) -> dict[str, str]:
    """Of some traces those that cleaning dropped that day, each with its rule."""
    rows = _rows(stored, DROPPED, day, ("trace_id", "rule"), "trace_id", trace_ids)
    return {row["trace_id"]: row["rule"] for row in rows}


def kept_of(stored: Stored, day: str, column: str, values: Collection[str]) -> list[Kept]:
    """The cleaned traces of a day that have one of some values in a column (``trace_id``, ``cluster``)."""
    return [Kept(**row) for row in _rows(stored, CLEANED, day, tuple(Kept.__slots__), column, values)]


def _with_digits(batch: pa.RecordBatch, wallet: str) -> pa.RecordBatch:
    import pyarrow.compute as pc

    return batch.filter(pc.match_substring(batch["tags"], wallet[2:], ignore_case=True))


def _rows(
    stored: Stored, table: str, day: str, columns: Sequence[str], column: str, values: Collection[str]
) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not values:
        return
    wanted = pa.array(list(values), pa.string())
    for batch in stored.tables.batches(stored.program, table, day, columns):
        yield from batch.filter(pc.is_in(batch[column], value_set=wanted)).to_pylist()
