"""The two tables of this room: traces as they were logged, and traces that passed cleaning.

Values that DSPy or MLflow may make of any shape are kept as JSON text with
sorted keys, so that the columns of a day never depend on what is in it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from telefine_assets.canonical import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

Split = Literal["train", "validation", "holdout"]


def json_text(value: Any) -> str:
    """JSON text with sorted keys; NaN and infinities stay readable instead of failing."""
    return readable(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def readable(text: str) -> str:
    """The text with lone surrogates replaced: half a character that some client cut off cannot be stored."""
    return text.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class Assessment:
    """One piece of feedback or one expectation, as a person, a judge or code gave it."""

    name: str
    kind: Literal["feedback", "expectation"]
    value: str
    """JSON text; ``NaN`` is possible."""
    source_type: str
    source_id: str
    create_time_ms: int
    valid: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """One call of a program in production. Times are Unix milliseconds, UTC."""

    trace_id: str
    request_time_ms: int
    duration_ms: int | None
    status: str
    inputs: str | None
    """JSON text of the inputs, by field where they have names."""
    outputs: str | None
    error: str | None
    session: str | None
    tags: str
    """JSON object of the tags that people and programs set (MLflow's own left out)."""
    assessments: str
    """JSON list of :class:`Assessment`, sorted."""

    @property
    def digest(self) -> str:
        """SHA-256 of all that the trace says; it changes when feedback or a tag does."""
        return digest_of(asdict(self))

    def tag(self, name: str) -> str | None:
        """Value of a tag, or None."""
        value = json.loads(self.tags).get(name)
        return None if value is None else str(value)

    def assessed(self) -> list[Assessment]:
        """The assessments, parsed."""
        return [Assessment(**item) for item in json.loads(self.assessments)]


@dataclass(frozen=True, slots=True)
class CleanedTrace:
    """A trace that may be learnt from."""

    trace_id: str
    trace_digest: str
    day: str
    arrival_ms: int
    inputs: str
    """JSON object with exactly the program's input fields."""
    label: str
    """JSON object of right output values."""
    label_source: str
    """``expectation:<who>`` or ``output:<feedback>`` (an accepted output of the program itself)."""
    score_ppm: int | None
    """Outcome on the declared range in parts per million; None: no outcome, which is not zero."""
    quality_ppm: int
    """What the trace is worth as a demo: a correction a million, an accepted output its score."""
    contributor: str | None
    """EIP-55 address, or None with the reason in ``contributor_reason``."""
    contributor_reason: str | None
    cluster: str
    """Content cluster: traces with the same normalised inputs share it."""
    split: Split


def trace_schema() -> pa.Schema:
    """Arrow schema of a day of traces."""
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    types = {"request_time_ms": number, "duration_ms": number}
    optional = {"duration_ms", "inputs", "outputs", "error", "session"}
    names = [field.name for field in fields(Trace)]
    columns = [pa.field(name, types.get(name, text), nullable=name in optional) for name in names]
    return pa.schema([*columns, pa.field("digest", text, nullable=False)])


def cleaned_schema() -> pa.Schema:
    """Arrow schema of a day of cleaned traces."""
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    numbers = {"arrival_ms", "score_ppm", "quality_ppm"}
    optional = {"score_ppm", "contributor", "contributor_reason"}
    return pa.schema(
        [
            pa.field(field.name, number if field.name in numbers else text, nullable=field.name in optional)
            for field in fields(CleanedTrace)
        ]
    )


def traces_to_table(traces: Iterable[Trace]) -> pa.Table:
    """Traces as one Arrow table, ordered by time and id."""
    import pyarrow as pa

    ordered = sorted(traces, key=lambda trace: (trace.request_time_ms, trace.trace_id))
    return pa.Table.from_pylist([{**asdict(trace), "digest": trace.digest} for trace in ordered], trace_schema())


def table_to_traces(table: pa.Table) -> list[Trace]:
    """The traces of a stored day."""
    return [Trace(**row) for row in table.drop_columns(["digest"]).to_pylist()]


def cleaned_to_table(cleaned: Iterable[CleanedTrace]) -> pa.Table:
    """Cleaned traces as one Arrow table, ordered by arrival and id."""
    import pyarrow as pa

    ordered = sorted(cleaned, key=lambda trace: (trace.arrival_ms, trace.trace_id))
    return pa.Table.from_pylist([asdict(trace) for trace in ordered], cleaned_schema())


def table_to_cleaned(table: pa.Table) -> list[CleanedTrace]:
    """The cleaned traces of one or more stored days."""
    return [CleanedTrace(**row) for row in table.to_pylist()]
