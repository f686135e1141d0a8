"""One trace of an exported file: flat columns, or MLflow's JSON of a trace.

Flat columns (the first name that a file has counts):

========================================================== ===================================================
``trace_id``, ``request_id``                               text
``request_time_ms``, ``request_time``, ``timestamp_ms``    whole milliseconds, a timestamp, or ISO 8601 text;
                                                           UTC where it does not say
``status``, ``state``                                      OK, ERROR, ...; OK where there is none and no error
``inputs``, ``request``                                    JSON text or an object, by input field
``outputs``, ``response``                                  JSON text or any value; text that is no JSON is text
``duration_ms``, ``execution_duration``,                   milliseconds
``execution_time_ms``
``tags``; ``metadata``, ``trace_metadata``,                an object, or JSON text of one
``request_metadata``
``assessments``                                            a list, or JSON text of one: MLflow's assessments, or
                                                           Telefine's (:class:`~telefine_assets.traces.records.
                                                           Assessment`)
``error``, ``session``, ``version``, ``tokens``            text, text, text, a number
``spans``                                                  a list of MLflow's spans, or JSON text of one; where
                                                           there are some, inputs and outputs are taken from them
``trace``                                                  MLflow's JSON of the whole trace: nothing else counts
========================================================== ===================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from telefine_assets.strangers_json import parse
from telefine_assets.traces.records import readable
from telefine_assets.traces.sources.api_rows import Info, SpanRow, milliseconds, sent_assessment, sent_info
from telefine_assets.traces.sources.api_spans import span_row
from telefine_assets.traces.sources.protocol import SESSION, TOKEN_USAGE

_ID = ("trace_id", "request_id")
TIMES = ("request_time_ms", "request_time", "timestamp_ms")
_STATUS = ("status", "state")
_INPUTS, _OUTPUTS = ("inputs", "request"), ("outputs", "response")
_DURATION = ("duration_ms", "execution_duration", "execution_time_ms")
_METADATA = ("metadata", "trace_metadata", "request_metadata")
WHOLE = "trace"
"""Column with MLflow's JSON of a trace."""


class BadRow(ValueError):
    """A row that is no trace; the message says why."""


def start_of(row: Mapping[str, Any]) -> int:
    """When a trace started, in Unix milliseconds: all that must be known of one of another day.

    Raises:
        BadRow: it does not say, or not in a way that can be read.
    """
    info = _mlflow(row)
    if info is not None:
        return _time(_first(info["info"], TIMES) if isinstance(info.get("info"), dict) else None)
    return _time(_first(row, TIMES))


def trace_of(row: Mapping[str, Any], version_key: str) -> tuple[Info, list[SpanRow]]:
    """A row's trace with its spans.

    Raises:
        BadRow: a column is missing or of the wrong type.
    """
    try:
        whole = _mlflow(row)
        return _flat(row, version_key) if whole is None else _whole(whole)
    except BadRow:
        raise
    except (KeyError, StopIteration) as error:
        raise BadRow(f"something is missing: {error or 'feedback, expectation or issue of an assessment'}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise BadRow(f"something is of the wrong type: {error}") from None


def _mlflow(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """MLflow's dictionary of the trace, if the row is or has one."""
    if "info" in row and "data" in row:
        return dict(row)
    whole = _json(row.get(WHOLE), WHOLE)
    return whole if isinstance(whole, dict) else None


def _whole(trace: Mapping[str, Any]) -> tuple[Info, list[SpanRow]]:
    info = trace["info"]
    if "trace_id" not in info:  # before MLflow 3
        info = _of_version_2(info)
    found = sent_info(info)
    return found, [span_row(found.trace_id, span) for span in (trace["data"] or {}).get("spans") or ()]


def _of_version_2(info: Mapping[str, Any]) -> dict[str, Any]:
    started = datetime.fromtimestamp(info["timestamp_ms"] / 1_000, UTC).isoformat()
    return {
        "trace_id": info["request_id"],
        "request_time": started,
        "execution_duration_ms": info.get("execution_time_ms"),
        "state": info.get("status"),
        "tags": info.get("tags"),
        "trace_metadata": info.get("request_metadata"),
        "assessments": info.get("assessments"),
    }


def _flat(row: Mapping[str, Any], version_key: str) -> tuple[Info, list[SpanRow]]:
    trace_id = _first(row, _ID)
    if not isinstance(trace_id, str) or not trace_id:
        raise BadRow(f"trace_id is {trace_id!r}, not text" if trace_id is not None else "it has no trace_id")
    started, error = _time(_first(row, TIMES)), row.get("error")
    status = str(_first(row, _STATUS) or ("ERROR" if error else "OK")).rpartition(".")[2].upper()
    duration = _first(row, _DURATION)
    info = Info(
        trace_id=trace_id,
        request_time_ms=started,
        duration_ms=None if duration is None else round(float(duration)),
        status=status,
        request_preview=None,
        response_preview=None,
        tags=_pairs(row, ("tags",)),
        metadata=_pairs(row, _METADATA) | _own_metadata(row, version_key),
        assessments=[_assessment(trace_id, each) for each in _list(row, "assessments")],
    )
    spans = [span_row(trace_id, _span(span, error)) for span in _list(row, "spans")]
    return info, spans or [_root(info, row, error)]


def _root(info: Info, row: Mapping[str, Any], error: Any) -> SpanRow:
    """The root span that the row's columns tell of."""
    texts = {"mlflow.spanInputs": _text(_first(row, _INPUTS)), "mlflow.spanOutputs": _text(_first(row, _OUTPUTS))}
    content = {
        "name": "",
        "status": {"code": "STATUS_CODE_ERROR" if error else "STATUS_CODE_OK", "message": str(error or "")},
        "attributes": {key: text for key, text in texts.items() if text is not None},
    }
    text = readable(json.dumps(content, ensure_ascii=False))
    return info.trace_id, "", None, info.request_time_ms * 1_000_000, text


def _own_metadata(row: Mapping[str, Any], version_key: str) -> dict[str, str]:
    """Columns of a day of traces that Telefine itself has stored."""
    own = {SESSION: row.get("session"), version_key: row.get("version")}
    if (tokens := row.get("tokens")) is not None:
        own[TOKEN_USAGE] = json.dumps({"total_tokens": int(tokens)})
    return {key: str(value) for key, value in own.items() if value is not None}


def _assessment(trace_id: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    if "kind" not in row:
        return sent_assessment(trace_id, row)
    error = row.get("error")
    return (
        *(trace_id, row.get("assessment_id") or "", row["name"], row["kind"], row["value"]),
        *(error, row["source_type"], row.get("source_id"), int(row["create_time_ms"])),
        *(row.get("valid") is not False, row.get("rationale")),
    )


def _span(span: Mapping[str, Any], error: Any) -> dict[str, Any]:
    """MLflow's dictionary of a span, from MLflow's or from Telefine's (``records.Trace.spans``)."""
    if "start_ns" not in span:
        # Parquet gives every span the attributes of all.
        attributes = _as_dict(span["attributes"] or {}, "attributes")
        return {**span, "attributes": {key: value for key, value in attributes.items() if value is not None}}
    failed = error and span["parent_id"] is None
    texts = {
        "mlflow.spanInputs": span["inputs"],
        "mlflow.spanOutputs": span["outputs"],
        "mlflow.spanType": span["type"],
        "signature": span["signature"],
    }
    return {
        "span_id": span["span_id"],
        "parent_span_id": span["parent_id"],
        "name": span["name"],
        "start_time_unix_nano": span["start_ns"],
        "status": {"code": "STATUS_CODE_ERROR" if failed else "STATUS_CODE_OK", "message": error if failed else ""},
        "attributes": {key: text for key, text in texts.items() if text is not None},
    }


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _text(value: Any) -> str | None:
    """JSON text of a value; text stands for itself."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(_as_dict(value, "") if _is_map(value) else value, ensure_ascii=False, default=str)


def _time(value: Any) -> int:
    if isinstance(value, bool) or value is None:
        raise BadRow(
            f"it has no {TIMES[0]} (nor {', '.join(TIMES[1:])})" if value is None else "its start is a boolean"
        )
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, date):
        return milliseconds(value.isoformat())
    if isinstance(value, str):
        try:
            return milliseconds(value)
        except ValueError:
            pass
    raise BadRow(f"its start is {str(value)[:40]!r}, neither milliseconds nor a time in ISO 8601")


def _json(value: Any, name: str) -> Any:
    """A value of its own, or what a JSON text says."""
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except ValueError:
        raise BadRow(f"{name} is text that is no JSON: {value[:40]!r}") from None


def _list(row: Mapping[str, Any], name: str) -> list[Any]:
    value = _json(row.get(name), name)
    if value is not None and not isinstance(value, list):
        raise BadRow(f"{name} is {type(value).__name__}, not a list")
    return list(value or ())


def _pairs(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    """Text by text; a key without a value comes from Parquet, which gives every row the keys of all."""
    name = next((name for name in names if row.get(name) is not None), names[0])
    pairs = _as_dict(_json(row.get(name), name) or {}, name)
    return {
        str(key): value if isinstance(value, str) else json.dumps(value)
        for key, value in pairs.items()
        if value is not None
    }


def _as_dict(value: Any, name: str) -> dict[str, Any]:
    if _is_map(value):
        return dict(value)
    if isinstance(value, list) and all(isinstance(each, dict) and {"key", "value"} <= each.keys() for each in value):
        return {each["key"]: each["value"] for each in value}
    if not isinstance(value, dict):
        raise BadRow(f"{name} is {type(value).__name__}, not an object")
    return value


def _is_map(value: Any) -> bool:
    """Whether this is what Arrow makes of a map."""
    return isinstance(value, list) and bool(value) and all(isinstance(each, tuple) and len(each) == 2 for each in value)
