"""Raw pages from what MLflow's API says of traces.

A trace's previews are its whole root input and output when they are short and
agree with the start of the root span's text, which MLflow keeps in the
metadata; then no span has to be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from telefine_assets.strangers_json import parse
from telefine_assets.traces.sources.pages import RawPage, schemas
from telefine_assets.traces.sources.protocol import TraceQuery

if TYPE_CHECKING:
    import pyarrow as pa

SpanRow = tuple[str, str, str | None, int, str]
"""Trace, span, parent, start in nanoseconds, content: a row of the raw table ``spans``."""

# MLflow cuts a preview off at 1,000 characters and the metadata at 250, of which the last three are "...".
_WHOLE_PREVIEW = 1_000
_METADATA, _CUT = 250, "..."
_INPUTS, _OUTPUTS = "mlflow.traceInputs", "mlflow.traceOutputs"
_SYSTEM_TAGS = "mlflow."
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Info:
    """What MLflow says of a trace without its spans."""

    trace_id: str
    request_time_ms: int
    duration_ms: int | None
    status: str
    request_preview: str | None
    response_preview: str | None
    tags: Mapping[str, str]
    metadata: Mapping[str, str]
    assessments: Sequence[tuple[Any, ...]]
    """Rows of the raw table ``assessments``."""


class Tracking(Protocol):
    """A tracking server or store, and how it is asked."""

    page: int
    """How many traces it gives at most in one answer."""

    @property
    def where(self) -> str:
        """Its address, without credentials."""
        ...

    def experiment(self, name: str) -> str | None:
        """Id of the experiment, or None."""
        ...

    def experiments(self) -> list[str]:
        """Names of some experiments."""
        ...

    def infos(self, experiment: str, condition: str, token: str | None, count: int) -> tuple[list[Info], str | None]:
        """Traces ordered by start and id, from where ``token`` stands, and the token of what follows.

        Raises:
            CannotSend: the server fails at this request, again and again.
            TraceSourceError: the server cannot be reached or refuses us.
        """
        ...

    def first_id(self, experiment: str, condition: str) -> str | None:
        """Id of the first such trace when ``infos`` cannot say it; None when nothing can."""
        ...

    def spans(self, trace_ids: Sequence[str]) -> list[SpanRow]:
        """All spans of the traces. One that cannot be read is a row whose content is not JSON."""
        ...

    def stop(self) -> None:
        """Wait for no retry any longer."""
        ...


def sent_info(sent: Mapping[str, Any]) -> Info:
    """A trace without spans from MLflow's JSON of it, as its server sends it and ``Trace.to_json`` writes it."""
    trace_id = sent["trace_id"]
    return Info(
        trace_id=trace_id,
        request_time_ms=milliseconds(sent["request_time"]),
        duration_ms=_duration(sent),
        status=sent.get("state") or "STATE_UNSPECIFIED",
        request_preview=sent.get("request_preview"),
        response_preview=sent.get("response_preview"),
        tags=sent.get("tags") or {},
        metadata=sent.get("trace_metadata") or {},
        assessments=[sent_assessment(trace_id, each) for each in sent.get("assessments") or ()],
    )


def _duration(sent: Mapping[str, Any]) -> int | None:
    if (milliseconds := sent.get("execution_duration_ms")) is not None:
        return int(milliseconds)
    text = sent.get("execution_duration")
    return None if text is None else round(float(text.removesuffix("s")) * 1_000)


def sent_assessment(trace_id: str, sent: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row of the raw table ``assessments`` from MLflow's JSON of one."""
    kind = next(kind for kind in ("feedback", "expectation", "issue") if sent.get(kind) is not None)
    said, source = sent[kind], sent.get("source") or {}
    if (serialized := said.get("serialized_value")) is not None:
        value = serialized["value"]
    else:
        value = json.dumps(said if kind == "issue" else said.get("value"))
    return (
        *(trace_id, sent["assessment_id"], sent["assessment_name"], kind, value),
        json.dumps(said["error"]) if said.get("error") is not None else None,
        *(source.get("source_type"), source.get("source_id"), milliseconds(sent["create_time"])),
        *(sent.get("valid") is not False, sent.get("rationale")),
    )


def milliseconds(text: str) -> int:
    """Unix milliseconds of a time in ISO 8601; UTC where it does not say."""
    time = datetime.fromisoformat(text)
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND


def root_of(info: Info) -> SpanRow | None:
    """The root span, made of the trace's previews; None when they may not be all that there is."""
    if not _says_it_all(info):
        return None
    texts = {"mlflow.spanInputs": info.request_preview, "mlflow.spanOutputs": info.response_preview}
    attributes = {key: text for key, text in texts.items() if text}
    content = {"name": "", "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": attributes}
    return info.trace_id, "", None, info.request_time_ms * 1_000_000, json.dumps(content)


def _says_it_all(info: Info) -> bool:
    """Whether a trace went well and its previews are its whole root input and output."""
    return (
        info.status == "OK"
        and _is_whole(info.request_preview, info.metadata.get(_INPUTS))
        and _is_whole(info.response_preview, info.metadata.get(_OUTPUTS))
    )


def _is_whole(preview: str | None, metadata: str | None) -> bool:
    """Whether a preview is the root span's text, from its first character to its last."""
    if metadata is None:
        return False
    return len(preview or "") < _WHOLE_PREVIEW and starts_as(preview or "", metadata)


def starts_as(text: str, metadata: str) -> bool:
    """Whether a text is the one that MLflow has cut off for its metadata."""
    if len(text) <= _METADATA:
        return text == metadata
    return text[: _METADATA - len(_CUT)] + _CUT == metadata


def is_as_logged(metadata: Mapping[str, str], inputs: str | None, outputs: str | None) -> bool:
    """Whether a root span's texts agree with the trace's metadata as far as this goes."""
    return starts_as(inputs or "", metadata.get(_INPUTS, "")) and starts_as(outputs or "", metadata.get(_OUTPUTS, ""))


def needs_spans(info: Info, query: TraceQuery) -> bool:
    """Whether the spans must be read to know what the program was asked and what it answered."""
    if query.spans == "all" or not _says_it_all(info):
        return True
    try:
        inputs = parse(info.request_preview or "")
    except ValueError:
        return True
    if not isinstance(inputs, dict):
        return True
    given = inputs.get("args") if inputs.keys() == {"args"} else None
    by_place = isinstance(given, list) and len(given) == len(query.input_fields)
    return not (by_place or inputs.keys() >= set(query.input_fields))


def page_of(infos: Sequence[Info], spans: Iterable[SpanRow], query: TraceQuery) -> RawPage:
    """The raw page of some traces."""
    tags = (
        (info.trace_id, key, value)
        for info in infos
        for key, value in info.tags.items()
        if key == query.version_key or not key.startswith(_SYSTEM_TAGS)
    )
    wanted = query.metadata_keys
    metadata = ((info.trace_id, key, info.metadata[key]) for info in infos for key in wanted if key in info.metadata)
    return RawPage(
        info=table("info", ((info.trace_id, info.request_time_ms, info.duration_ms, info.status) for info in infos)),
        tags=table("tags", tags),
        metadata=table("metadata", metadata),
        assessments=table("assessments", (row for info in infos for row in info.assessments)),
        spans=table("spans", spans),
    )


def table(name: str, rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    """One of the five raw tables."""
    import pyarrow as pa

    schema = schemas()[name]
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)], schema=schema)


def joined(pages: Sequence[RawPage]) -> RawPage:
    """Several pages as one."""
    import pyarrow as pa

    if len(pages) == 1:
        return pages[0]
    return RawPage(*(pa.concat_tables([getattr(page, name) for page in pages]) for name in schemas()))


def size_of(page: RawPage) -> int:
    """Bytes of a page."""
    return sum(int(getattr(page, name).nbytes) for name in schemas())
