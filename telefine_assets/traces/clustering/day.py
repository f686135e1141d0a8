"""A day's traces as they are assigned: in order of arrival, each different content with a number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 4096


class Trace(NamedTuple):
    """One trace, without its text."""

    trace_id: str
    arrival_ms: int
    content: str
    session: str | None
    number: int
    """The number of its content."""


class Day(NamedTuple):
    """A day's traces in order of arrival."""

    traces: list[Trace]
    numbers: dict[str, int]
    """The different contents in order of arrival: 0, 1, 2 ..."""
    rows: list[int]
    """By number: where in ``column`` the content's text stands."""
    column: pa.ChunkedArray

    def texts(self) -> Iterator[str]:
        """The texts by number, a few at a time taken out of Arrow."""
        for start in range(0, len(self.rows), _BATCH):
            yield from self.column.take(self.rows[start : start + _BATCH]).to_pylist()

    def sessions(self) -> pa.Array:
        """The day's sessions, each once."""
        import pyarrow as pa

        return pa.array(sorted({trace.session for trace in self.traces if trace.session is not None}), pa.string())


def in_order(arrivals: pa.Table) -> Day:
    """Bring ``arrivals`` into order, by time and then by trace; an empty session is none."""
    import pyarrow.compute as pc

    columns = ["arrival_ms", "trace_id", "content", "session"]
    order = pc.sort_indices(arrivals.select(columns), sort_keys=[(name, "ascending") for name in columns])
    values = (arrivals[name].take(order).to_pylist() for name in columns)
    day = Day([], {}, [], arrivals["text"])
    for row, arrival_ms, trace_id, content, session in zip(order.to_pylist(), *values, strict=True):
        number = day.numbers.setdefault(content, len(day.numbers))
        if number == len(day.rows):
            day.rows.append(row)
        day.traces.append(Trace(trace_id, arrival_ms, content, session or None, number))
    return day
