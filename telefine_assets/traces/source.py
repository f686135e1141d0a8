"""Where traces come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from telefine_assets.errors import TelefineError
from telefine_assets.traces.records import Assessment, Trace, json_text, readable

# MLflow's own tags say how a trace is stored, not what it means.
_SYSTEM_PREFIX = "mlflow."
_PAGE = 200


class TraceSourceError(TelefineError):
    """Traces cannot be read; nothing that was stored has changed."""


class TraceSource(Protocol):
    """Reads a program's production traces."""

    def read(self, experiment: str, start_ms: int, end_ms: int, input_fields: Sequence[str]) -> Iterator[Trace]:
        """Every trace of ``experiment`` that started in ``[start_ms, end_ms)``, each once."""
        ...


class MlflowApiSource:
    """Reads through MLflow's client, from any tracking server or store."""

    def __init__(self, tracking_uri: str) -> None:
        """Read from the server or store at ``tracking_uri``."""
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=tracking_uri)

    def read(self, experiment: str, start_ms: int, end_ms: int, input_fields: Sequence[str]) -> Iterator[Trace]:
        """Every trace of ``experiment`` that started in ``[start_ms, end_ms)``, each once.

        MLflow's pages are offsets: a trace that is written while we page can
        shift the rows, so the ids seen are remembered and rows seen twice are
        passed over.

        Raises:
            TraceSourceError: when the experiment does not exist or MLflow fails.
        """
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_experiment_by_name(experiment)
            if found is None:
                raise TraceSourceError(
                    f"MLflow has no experiment {experiment!r}; check programs.*.experiment and mlflow.tracking_uri"
                )
            yield from self._pages(found.experiment_id, start_ms, end_ms, input_fields)
        except MlflowException as error:
            raise TraceSourceError(f"MLflow could not list traces of {experiment!r}: {error}") from error

    def _pages(self, experiment_id: str, start_ms: int, end_ms: int, fields: Sequence[str]) -> Iterator[Trace]:
        seen: set[str] = set()
        token: str | None = None
        while True:
            page = self._client.search_traces(
                locations=[experiment_id],
                filter_string=f"trace.timestamp_ms >= {int(start_ms)} AND trace.timestamp_ms < {int(end_ms)}",
                order_by=["timestamp_ms ASC"],
                max_results=_PAGE,
                page_token=token,
            )
            for trace in page:
                if trace.info.trace_id not in seen:
                    seen.add(trace.info.trace_id)
                    yield to_trace(trace, fields)
            token = page.token
            if not token:
                return


def to_trace(trace: Any, input_fields: Sequence[str]) -> Trace:
    """One of ours from one of MLflow's (``mlflow.entities.Trace``).

    A program may be wrapped in other traced functions: inputs and outputs come
    from the topmost span whose inputs cover ``input_fields``, else from the root.
    """
    info = trace.info
    span = _program_span(trace.data.spans, set(input_fields))
    inputs = span.inputs if span else None
    if isinstance(inputs, dict) and set(inputs) == {"args"} and len(inputs["args"]) == len(input_fields):
        inputs = dict(zip(input_fields, inputs["args"], strict=True))
    return Trace(
        trace_id=info.trace_id,
        request_time_ms=info.request_time,
        duration_ms=info.execution_duration,
        status=str(info.state.value),
        inputs=None if inputs is None else json_text(inputs),
        outputs=None if span is None or span.outputs is None else json_text(span.outputs),
        error=next((readable(text) for text in map(_error, trace.data.spans) if text), None),
        session=info.trace_metadata.get("mlflow.trace.session"),
        tags=json_text({key: value for key, value in info.tags.items() if not key.startswith(_SYSTEM_PREFIX)}),
        assessments=json_text(sorted((asdict(_assessment(each)) for each in info.assessments), key=json_text)),
    )


def _error(span: Any) -> str | None:
    """What a span failed with: its status's description, or the exception that autologging recorded in its place."""
    if str(span.status.status_code.value) != "ERROR":
        return None
    if span.status.description:
        return str(span.status.description)
    thrown = [event.attributes or {} for event in span.events or () if event.name == "exception"]
    said = (f"{each.get('exception.type', 'error')}: {each.get('exception.message', '')}" for each in thrown)
    return next(said, None)


def _program_span(spans: Sequence[Any], fields: set[str]) -> Any | None:
    """The topmost span whose inputs cover the program's fields; the root when none does."""
    depth: dict[str, int] = {}
    parents = {span.span_id: span.parent_id for span in spans}
    for span in spans:
        level, at = 0, span.parent_id
        while at is not None and level <= len(spans):
            level, at = level + 1, parents.get(at)
        depth[span.span_id] = level
    ordered = sorted(spans, key=lambda span: (depth[span.span_id], span.start_time_ns))
    covering = (span for span in ordered if isinstance(span.inputs, dict) and fields <= set(span.inputs))
    return next(covering, ordered[0] if ordered else None)


def _assessment(assessment: Any) -> Assessment:
    expectation = assessment.expectation
    value = expectation.value if expectation is not None else getattr(assessment.feedback, "value", None)
    return Assessment(
        name=assessment.name,
        kind="expectation" if expectation is not None else "feedback",
        value=json_text(value),
        source_type=str(assessment.source.source_type),
        source_id=str(assessment.source.source_id),
        create_time_ms=int(assessment.create_time_ms or 0),
        valid=assessment.valid is not False,
    )
