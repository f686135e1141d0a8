"""A page of raw rows, as every source brings them: five Arrow tables about the same traces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class RawPage:
    """Raw rows of some traces. ``info`` has one row for each trace; all else may be absent."""

    info: pa.Table
    tags: pa.Table
    metadata: pa.Table
    assessments: pa.Table
    spans: pa.Table
    """The root span at least; ``content`` is MLflow's JSON of a span, as text."""

    def with_spans(self, more: pa.Table) -> RawPage:
        """The same page with the spans in ``more`` in place of those of the same traces."""
        import pyarrow as pa
        import pyarrow.compute as pc

        others = self.spans.filter(pc.invert(pc.is_in(self.spans["trace_id"], value_set=more["trace_id"].unique())))
        return replace(self, spans=pa.concat_tables([others, more]))

    @property
    def last(self) -> tuple[int, str]:
        """Start and id of the page's last trace."""
        return self.info["request_time_ms"][-1].as_py(), self.info["trace_id"][-1].as_py()


@cache
def schemas() -> dict[str, pa.Schema]:
    """Arrow schemas of the five tables, by their name in :class:`RawPage`."""
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    pairs = {"trace_id": text, "key": text, "value": text}
    tables: dict[str, dict[str, Any]] = {
        "info": {
            "trace_id": text,
            "request_time_ms": number,
            "duration_ms": number,
            "status": text,
        },
        "tags": pairs,
        "metadata": pairs,
        "assessments": {
            "trace_id": text,
            "assessment_id": text,
            "name": text,
            "kind": text,
            "value": text,
            "error": text,
            "source_type": text,
            "source_id": text,
            "create_time_ms": number,
            "valid": pa.bool_(),
            "rationale": text,
        },
        "spans": {"trace_id": text, "span_id": text, "parent_id": text, "start_ns": number, "content": text},
    }
    return {name: pa.schema(list(columns.items())) for name, columns in tables.items()}


def empty(name: str) -> pa.Table:
    """One of the five tables without a row."""
    return schemas()[name].empty_table()
