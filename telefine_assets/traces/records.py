"""The two tables of this room: traces as they were logged, and traces that passed cleaning.

Values that DSPy or MLflow may make of any shape are kept as JSON text with
sorted keys, so that the columns of a day never depend on what is in it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

Split = Literal["train", "validation", "holdout"]

ERASED = "erased"
"""A fingerprint, and a label's source, of rows whose words were erased; ids, digests, cluster and split stay."""

FINGERPRINTED = (
    "trace_id",
    "request_time_ms",
    "status",
    "duration_ms",
    "session",
    "version",
    "tags",
    "assessments",
)
DIGESTED = ("fingerprint", "inputs", "outputs", "error", "tokens", "spans")


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
    kind: str
    """``feedback`` or ``expectation`` (or ``issue``, which says nothing about right and wrong)."""
    value: str | None
    """JSON text; ``NaN`` is possible, and None where a judge failed."""
    source_type: str
    """``HUMAN``, ``LLM_JUDGE`` or ``CODE``."""
    source_id: str | None
    create_time_ms: int
    valid: bool
    """False when a later assessment overrides it."""
    assessment_id: str | None = None
    rationale: str | None = None
    error: str | None = None
    """Code of the judge's failure."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One call of a program in production. Times are Unix milliseconds, UTC."""

    trace_id: str
    request_time_ms: int
    duration_ms: int | None
    status: str
    inputs: str | None
    """JSON text of the inputs as they were logged, by field where they have names."""
    outputs: str | None
    error: str | None
    session: str | None
    version: str | None
    """What names the program's version that answered (see ``traces.version_key``)."""
    tokens: int | None
    tags: str
    """JSON object of the tags that people and programs set (MLflow's own left out)."""
    assessments: str
    """JSON list of :class:`Assessment`, in order of time."""
    spans: str | None
    """JSON list of the inner spans, where the settings ask for them."""
    fingerprint: str
    """What may change after the answer was given: :func:`row_digest` of the columns ``FINGERPRINTED``."""
    digest: str
    """All that the trace says: :func:`row_digest` of the columns ``DIGESTED``."""

    def tag(self, name: str) -> str | None:
        """Value of a tag, or None."""
        value = json.loads(self.tags).get(name)
        return None if value is None else str(value)

    def assessed(self) -> list[Assessment]:
        """The assessments, parsed."""
        return [Assessment(**item) for item in json.loads(self.assessments)]


def row_digest(values: Iterable[str | int | None]) -> str:
    """SHA-256 over the values as netstrings (``<bytes>:<text>,``), and ``-`` for None.

    Lengths come first, so no two rows that differ run together to the same text.
    Netstrings: D. J. Bernstein, 1997.
    """
    hasher = hashlib.sha256()
    for value in values:
        text = None if value is None else str(value).encode()
        hasher.update(b"-" if text is None else b"%d:%b," % (len(text), text))
    return hasher.hexdigest()


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
    content: str
    """SHA-256 of the normalised inputs: exact copies share it."""
    cluster: str
    """Content cluster: copies and near-copies share it; it counts once, however many traces it has."""
    group: str
    """Cluster and session together: what stands on one side of the split."""
    split: Split
    session: str | None
    version: str | None
    disagreement_ppm: int | None
    """Widest spread between raters of one outcome, on the declared range; None with fewer than two."""
    flags: str
    """JSON list of what is odd about the trace without being a reason to drop it."""
    submission: str | None
    """The contributor's signed submission, as tagged; checked where money hangs on it."""


def trace_schema() -> pa.Schema:
    """Arrow schema of a day of traces."""
    return _schema(
        Trace,
        {"request_time_ms", "duration_ms", "tokens"},
        {"duration_ms", "inputs", "outputs", "error", "session", "version", "tokens", "spans"},
    )


def cleaned_schema() -> pa.Schema:
    """Arrow schema of a day of cleaned traces."""
    return _schema(
        CleanedTrace,
        {"arrival_ms", "score_ppm", "quality_ppm", "disagreement_ppm"},
        {"score_ppm", "contributor", "contributor_reason", "session", "version", "disagreement_ppm", "submission"},
    )


def dropped_schema() -> pa.Schema:
    """Arrow schema of a day's dropped traces: each with the first rule that objected."""
    import pyarrow as pa

    return pa.schema([pa.field("trace_id", pa.string(), False), pa.field("rule", pa.string(), False)])


def _schema(record: type, numbers: set[str], optional: set[str]) -> pa.Schema:
    import pyarrow as pa

    names = [field.name for field in fields(record)]
    return pa.schema(
        [pa.field(name, pa.int64() if name in numbers else pa.string(), nullable=name in optional) for name in names]
    )


def batch_to_traces(batch: pa.RecordBatch | pa.Table) -> list[Trace]:
    """Rows of a stored day, as records."""
    return [Trace(**row) for row in batch.to_pylist()]


def cleaned_to_table(cleaned: Iterable[CleanedTrace]) -> pa.Table:
    """Cleaned traces as one Arrow table, ordered by arrival and id."""
    import pyarrow as pa

    ordered = sorted(cleaned, key=lambda trace: (trace.arrival_ms, trace.trace_id))
    return pa.Table.from_pylist([asdict(trace) for trace in ordered], cleaned_schema())


def table_to_cleaned(table: pa.Table) -> list[CleanedTrace]:
    """The cleaned traces of one or more stored days."""
    return [CleanedTrace(**row) for row in table.to_pylist()]


@dataclass(frozen=True)
class Window:
    """The cleaned traces of several days, each trace once, ordered by arrival and id."""

    traces: list[CleanedTrace]
    older: int
    """How many rows were left out because the trace stands on a later day too."""


def table_to_window(table: pa.Table) -> Window:
    """The cleaned traces of a window of stored days.

    Who logs a trace id again under another time puts it on a second day. What he
    logged last counts, as it does in MLflow; were it an error, anybody could
    stop the whole day with it. A trace whose words were erased is no longer learnt from.
    """
    rows = [trace for trace in table_to_cleaned(table) if trace.label_source != ERASED]
    latest = {trace.trace_id: trace for trace in sorted(rows, key=lambda trace: trace.day)}
    traces = sorted(latest.values(), key=lambda trace: (trace.arrival_ms, trace.trace_id))
    return Window(traces, len(rows) - len(traces))
