"""From the spool to MLflow: each trace that was handed in becomes the trace that MLflow itself would have made of it.

Its id follows from its identity in the spool. Whatever is written twice, since a
process ended in between, is therefore one trace all the same.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import ValidationError

from telefine_assets.errors import TelefineError
from telefine_assets.ledger.spool_records import RefusedTrace, SpooledTrace
from telefine_assets.traces.records import Assessment
from telefine_assets.traces.sources.protocol import SESSION
from telefine_assets.traces.submitted import SubmittedTrace

SUBMITTER = "telefine.submitter"
"""Trace metadata: which API key handed the trace in."""
NULL = "null"
"""What MLflow gets for an expectation of null, which it refuses; cleaning reads null where the field may be none."""
AT_ONCE = 200
"""How many traces are written between two marks."""

_CUT, _MORE = 250, "..."


@dataclass(frozen=True)
class Place:
    """Where a program's traces go.

    Attributes:
        program: its name.
        contributor_tag: the tag that names the contributor.
        submission_tag: the tag with the contributor's signed submission.
    """

    program: str
    contributor_tag: str
    submission_tag: str


@dataclass(frozen=True)
class MlflowTrace:
    """A finished trace with one span, as MLflow stores it.

    Attributes:
        trace_id: ``tr-`` and 32 digits.
        start_ms: when it began, Unix milliseconds UTC.
        duration_ms: how long it took.
        metadata: what does not change any more.
        tags: what people may change.
        assessments: feedback and expectations.
        span: the root span, as MLflow's ``Span.to_dict`` has it.
    """

    trace_id: str
    start_ms: int
    duration_ms: int
    metadata: Mapping[str, str]
    tags: Mapping[str, str]
    assessments: Sequence[Assessment]
    span: Mapping[str, Any]


class Book(Protocol):
    """The ledger's spool (``ledger.spool.Spool``), as far as it is drained."""

    def waiting(self, program: str, limit: int) -> list[SpooledTrace]:
        """The first traces that wait."""
        ...

    def drained(self, program: str, upto: int, refused: Mapping[int, str], at_ms: int) -> None:
        """Mark what is done with."""
        ...

    def refused(self, program: str) -> list[RefusedTrace]:
        """What is put aside."""
        ...

    def replayed(self, program: str, positions: Collection[int], at_ms: int) -> None:
        """Mark what was put aside and is written after all."""
        ...


@dataclass(frozen=True)
class Written:
    """What became of traces; those that are not named are in MLflow.

    Attributes:
        refused: of those that MLflow refuses for good, the reason by id.
        waiting: the ids of those that could not be written this time, or were not tried after that.
        cause: why they wait; None where none does.
    """

    refused: Mapping[str, str]
    waiting: Collection[str] = ()
    cause: TelefineError | None = None


class Writer(Protocol):
    """Writes to MLflow (``traces.mlflow_writing.MlflowWriter``)."""

    def write(self, traces: Sequence[MlflowTrace]) -> Written:
        """Write traces; what is there already stays as it is.

        Raises:
            TraceWriteError: MLflow cannot be written to now.
        """
        ...


@dataclass(frozen=True)
class Drained:
    """What one draining did.

    Attributes:
        written: how many traces are in MLflow now.
        refused: how many it refuses, with the reasons by position.
    """

    written: int
    refused: Mapping[int, str]


def trace_id_of(identity: str) -> str:
    """MLflow's id for a trace of the spool."""
    return f"tr-{identity[:32]}"


def drain(book: Book, place: Place, writer: Writer, budget: int, now_ms: int) -> Drained:
    """Write the first ``budget`` traces of a program that wait, ``AT_ONCE`` at a time, and mark them.

    One at a time may drain a program; a second one would write nothing twice,
    but waste its time.

    Raises:
        TraceWriteError: MLflow cannot be written to now; what stands before the first trace that
            it does not take is marked, the rest waits on.
    """
    written, refused = 0, dict[int, str]()
    while budget > 0:
        rows = book.waiting(place.program, min(AT_ONCE, budget))
        if not rows:
            break
        failed, waiting, cause = _write(rows, place, writer)
        first = min(waiting, default=rows[-1].position + 1)
        book.drained(place.program, first - 1, {at: why for at, why in failed.items() if at < first}, now_ms)
        if cause is not None:
            raise cause
        written, budget = written + len(rows) - len(failed), budget - len(rows)
        refused |= failed
    return Drained(written, refused)


def replay(book: Book, place: Place, writer: Writer, now_ms: int) -> Drained:
    """Try to write a program's traces that were put aside; what MLflow refuses still stays aside.

    Raises:
        TraceWriteError: MLflow cannot be written to.
    """
    rows = [each.trace for each in book.refused(place.program)]
    written, refused = 0, dict[int, str]()
    for start in range(0, len(rows), AT_ONCE):
        chunk = rows[start : start + AT_ONCE]
        failed, waiting, cause = _write(chunk, place, writer)
        good = [row.position for row in chunk if row.position not in failed and row.position not in waiting]
        book.replayed(place.program, good, now_ms)
        if cause is not None:
            raise cause
        written, refused = written + len(good), refused | failed
    return Drained(written, refused)


def _write(
    rows: Sequence[SpooledTrace], place: Place, writer: Writer
) -> tuple[dict[int, str], set[int], TelefineError | None]:
    """Write rows; the reasons of those that are refused, by position, and those that wait, with the cause."""
    refused: dict[int, str] = {}
    traces: dict[int, MlflowTrace] = {}
    for row in rows:
        try:
            traces[row.position] = mlflow_trace(row, place)
        except ValidationError as error:
            refused[row.position] = f"the spool's row is no trace: {error.error_count()} fields are wrong"
    said = writer.write(list(traces.values()))
    refused |= {at: said.refused[trace.trace_id] for at, trace in traces.items() if trace.trace_id in said.refused}
    return refused, {at for at, trace in traces.items() if trace.trace_id in said.waiting}, said.cause


def mlflow_trace(row: SpooledTrace, place: Place) -> MlflowTrace:
    """What MLflow stores of a trace of the spool; the same row gives the same trace.

    Raises:
        ValidationError: the row holds no trace.
    """
    said = SubmittedTrace.model_validate_json(row.body)
    start_ms = row.received_ms if said.time_ms is None else said.time_ms
    inputs = _text(said.inputs)
    outputs = None if said.outputs is None else _text(said.outputs)
    own = {place.contributor_tag: said.contributor, place.submission_tag: said.submission}
    metadata = {
        "mlflow.trace_schema.version": "3",
        "mlflow.traceInputs": _start(inputs),
        "mlflow.traceOutputs": outputs and _start(outputs),
        SESSION: said.session,
        SUBMITTER: row.submitter,
    }
    return MlflowTrace(
        trace_id=trace_id_of(row.identity),
        start_ms=start_ms,
        duration_ms=said.duration_ms,
        metadata={key: value for key, value in metadata.items() if value is not None},
        tags={
            "mlflow.traceName": place.program,
            **said.tags,
            **{key: value for key, value in own.items() if value is not None},
        },
        assessments=tuple(_assessments(said, row)),
        span=_span(row, place.program, start_ms, said.duration_ms, inputs, outputs),
    )


def _assessments(said: SubmittedTrace, row: SpooledTrace) -> Iterator[Assessment]:
    """What was said of the trace, at the time of its receipt.

    The source's id begins with who handed it in: nobody speaks in the name of
    a rater whom the settings trust.
    """
    sender = f"api/{row.submitter}"
    every: list[tuple[str, str, Any, str, str, str | None]] = [
        ("expectation", name, NULL if value is None else value, "HUMAN", sender, None)
        for name, value in said.expectations.items()
    ]
    for each in said.feedback:
        by = sender if each.by is None else f"{sender}/{each.by}"
        every.append(("feedback", each.name, each.value, each.source, by, each.rationale))
    for number, (kind, name, value, source_type, source_id, rationale) in enumerate(every):
        yield Assessment(
            name=name,
            kind=kind,
            value=_text(value),
            source_type=source_type,
            source_id=source_id,
            create_time_ms=row.received_ms,
            valid=True,
            assessment_id=f"a-{_derived(row.identity, f'assessment {number}')[:32]}",
            # PostgreSQL takes no NUL in a text, and all else that people write is within JSON.
            rationale=rationale and rationale.replace("\0", "\N{REPLACEMENT CHARACTER}"),
        )


def _span(
    row: SpooledTrace, name: str, start_ms: int, duration_ms: int, inputs: str, outputs: str | None
) -> dict[str, Any]:
    attributes = {
        "mlflow.traceRequestId": _text(trace_id_of(row.identity)),
        "mlflow.spanType": _text("CHAIN"),
        "mlflow.spanInputs": inputs,
    }
    return {
        "trace_id": _base64(row.identity[:32]),
        "span_id": _base64(_derived(row.identity, "root span")[:16]),
        "parent_span_id": None,
        "name": name,
        "start_time_unix_nano": start_ms * 10**6,
        "end_time_unix_nano": (start_ms + duration_ms) * 10**6,
        "events": [],
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "attributes": attributes if outputs is None else attributes | {"mlflow.spanOutputs": outputs},
        "links": [],
    }


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _start(text: str) -> str:
    """What MLflow keeps of a text in a trace's metadata."""
    return text if len(text) <= _CUT else text[: _CUT - len(_MORE)] + _MORE


def _derived(identity: str, what: str) -> str:
    return hashlib.sha256(f"{identity} {what}".encode()).hexdigest()


def _base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()
