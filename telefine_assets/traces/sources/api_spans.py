"""Spans as MLflow's API sends them, as rows of the raw table: the text of a span is that of MLflow's database."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterable
from typing import Any

from telefine_assets.strangers_json import parse
from telefine_assets.traces.records import readable
from telefine_assets.traces.sources.api_rows import SpanRow, is_as_logged
from telefine_assets.traces.sources.assembling import ATTRIBUTES

UNREADABLE = "(which one is not known)"
"""In place of a span's id, where MLflow cannot say which of a trace's spans is corrupt."""

_INPUTS, _OUTPUTS = "mlflow.spanInputs", "mlflow.spanOutputs"
_HEXADECIMAL = re.compile(r"(?:0x)?([0-9a-f]{16})")


def logged_spans(trace_id: str, sent: bytes) -> list[SpanRow]:
    """Spans of a trace as they were logged, from ``{"spans": [...]}``."""
    try:
        return [span_row(trace_id, span) for span in parse(sent)["spans"]]
    except (ValueError, KeyError, TypeError) as error:
        return [(trace_id, UNREADABLE, None, 0, f"not spans: {error}")]


def span_row(trace_id: str, span: dict[str, Any]) -> SpanRow:
    """A row from MLflow's dictionary of a span, of any version."""
    if "context" in span:  # before MLflow 3
        span = _of_version_2(span)
    parent = span.get("parent_span_id")
    return (
        trace_id,
        _hex(span["span_id"]),
        _hex(parent) if parent else None,
        int(span["start_time_unix_nano"]),
        readable(json.dumps(span, ensure_ascii=False)),
    )


def sent_spans(traces: Iterable[dict[str, Any]]) -> dict[str, list[SpanRow]]:
    """Spans by trace, from complete traces in the form of OpenTelemetry.

    A text in them was parsed and written again by the server. It is left out
    when the start of the root's, which MLflow keeps in the metadata, does not
    agree: then another program than Python's MLflow had written it.
    """
    rows: dict[str, list[SpanRow]] = {}
    for trace in traces:
        info = trace["trace_info"]
        spans = [_logged(span) for span in trace.get("spans", ())]
        root = next((span["attributes"] for span in spans if not span["parent_span_id"]), None)
        if root is None or is_as_logged(info.get("trace_metadata", {}), root.get(_INPUTS), root.get(_OUTPUTS)):
            rows[info["trace_id"]] = [span_row(info["trace_id"], span) for span in spans]
    return rows


def _logged(sent: dict[str, Any]) -> dict[str, Any]:
    """MLflow's dictionary of a span from OpenTelemetry's, with those of its attributes that are read."""
    status = sent.get("status", {})
    attributes = {
        each["key"]: json.dumps(_value(each), ensure_ascii=False)
        for each in sent.get("attributes", ())
        if each["key"] in ATTRIBUTES
    }
    return {
        "trace_id": sent["trace_id"],
        "span_id": sent["span_id"],
        "parent_span_id": sent.get("parent_span_id") or None,
        "name": sent.get("name", ""),
        "start_time_unix_nano": int(sent["start_time_unix_nano"]),
        "end_time_unix_nano": int(sent.get("end_time_unix_nano", 0)) or None,
        "events": [
            {
                "name": event.get("name", ""),
                "time_unix_nano": int(event.get("time_unix_nano", 0)),
                "attributes": {each["key"]: _value(each) for each in event.get("attributes", ())},
            }
            for event in sent.get("events", ())
        ],
        "status": {"code": status.get("code", "STATUS_CODE_UNSET"), "message": status.get("message", "")},
        "attributes": attributes,
    }


def _value(pair: dict[str, Any]) -> Any:
    return _any_value(pair.get("value", {}))


def _any_value(sent: dict[str, Any]) -> Any:
    """Python's value of an OpenTelemetry ``AnyValue`` in JSON; none set is None."""
    if "string_value" in sent:
        return sent["string_value"]
    if "kvlist_value" in sent:
        return {pair["key"]: _value(pair) for pair in sent["kvlist_value"].get("values", ())}
    if "array_value" in sent:
        return [_any_value(each) for each in sent["array_value"].get("values", ())]
    if "int_value" in sent:
        return int(sent["int_value"])
    if "double_value" in sent:
        return float(sent["double_value"])  # "NaN" and "Infinity" are strings in JSON
    return sent.get("bool_value", sent.get("bytes_value"))


def _of_version_2(span: dict[str, Any]) -> dict[str, Any]:
    """A span of MLflow 2 as MLflow 3 writes it."""
    return {
        "span_id": span["context"]["span_id"],
        "parent_span_id": span.get("parent_id"),
        "name": span.get("name", ""),
        "start_time_unix_nano": span["start_time"],
        "events": span.get("events") or [],
        "status": {
            "code": f"STATUS_CODE_{str(span.get('status_code', 'UNSET')).rpartition('.')[2]}",
            "message": span.get("status_message") or "",
        },
        "attributes": span.get("attributes") or {},
    }


def _hex(span_id: str) -> str:
    """A span's id as MLflow's tables have it; MLflow 3 writes base64, earlier versions hexadecimal digits."""
    digits = _HEXADECIMAL.fullmatch(span_id)
    return digits[1] if digits else b64decode(span_id).hex()
