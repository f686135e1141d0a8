"""Traces logged by MLflow's own API, with the times that a test wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def logging_to(uri: str) -> Iterator[pytest.MonkeyPatch]:
    """MLflow logs to a store, at once; afterwards everything is as it was."""
    import mlflow

    before = mlflow.get_tracking_uri()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        patch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
        mlflow.set_tracking_uri(uri)
        yield patch
        mlflow.set_tracking_uri(before)


def log(
    experiment_id: str, at_ms: int, inputs: Any = None, outputs: Any = None, error: Exception | None = None,
    child: tuple[Any, Any] | None = None, child_error: Exception | None = None, **more: Any
) -> str:  # fmt: skip
    """Log one trace that starts at ``at_ms``; ``child`` is (inputs, outputs) of a span below the root."""
    import mlflow

    start = at_ms * 10**6
    root = mlflow.start_span_no_context("root", inputs=inputs, experiment_id=experiment_id, start_time_ns=start, **more)
    if child:
        span = mlflow.start_span_no_context("child", inputs=child[0], parent_span=root, start_time_ns=start + 1)
        span.set_outputs(child[1])
        if child_error:
            span.record_exception(child_error)
        span.end(status="ERROR" if child_error else "OK", end_time_ns=start + 2)
    if error:
        root.record_exception(error)
    root.set_outputs(outputs)
    root.end(status="ERROR" if error else "OK", end_time_ns=start + 7 * 10**6)
    return str(root.trace_id)
