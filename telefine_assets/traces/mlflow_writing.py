"""Writing whole traces to MLflow, through MLflow's own client: a database or a server, whatever the tracking URI names.

In a database all of them are one transaction. Elsewhere, and where that fails, first
what is said of each trace, which is still in progress then, and after that the spans
of all of them in one request, which finish the traces. A reader in between sees traces
that change later, and reads them again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from telefine_assets.errors import TelefineError
from telefine_assets.traces.mlflow_transaction import one_transaction
from telefine_assets.traces.records import Assessment
from telefine_assets.traces.spooling import MlflowTrace, Written

# MLflow says so of a value in the trace, but also of an experiment that was deleted, and may be restored.
_BAD_VALUE, _EXPERIMENT_GONE = "INVALID_PARAMETER_VALUE", "must be in the 'active' state"
_DATABASE_GONE = "TEMPORARILY_UNAVAILABLE"
_REASON = 500
# A server has workers; in a database of its own, one trace would only wait for the other.
_SERVER_THREADS = 4


class TraceWriteError(TelefineError):
    """Traces cannot be written to MLflow now; they wait on."""


class MlflowWriter:
    """Writes traces of one experiment."""

    def __init__(self, tracking_uri: str, experiment: str) -> None:
        """Write to the experiment of that name at ``tracking_uri``."""
        self._uri, self._experiment = tracking_uri, experiment
        self._threads = _SERVER_THREADS if tracking_uri.startswith("http") else 1

    def write(self, traces: Sequence[MlflowTrace]) -> Written:
        """See :class:`~telefine_assets.traces.spooling.Writer`."""
        if not traces:
            return Written({})
        done = self._finished([trace.trace_id for trace in traces])
        new = [trace for trace in traces if trace.trace_id not in done]
        if not new or self._written_together(new):
            return Written({})
        failed = self._each(self._begin, new)
        failed |= self._finish([trace for trace in new if trace.trace_id not in failed])
        refused = {trace_id: _reason(error) for trace_id, error in failed.items() if _is_for_good(error)}
        waiting = {trace_id: error for trace_id, error in failed.items() if trace_id not in refused}
        cause = self._unreachable(next(iter(waiting.values()))) if waiting else None
        return Written(refused, tuple(waiting), cause)

    def _written_together(self, traces: Sequence[MlflowTrace]) -> bool:
        """Write all in one transaction; whether that could be done. If not, nothing was written."""
        try:
            with one_transaction(self._client.store, self._location) as store:
                for trace in traces:
                    store.start_trace(_info(trace, self._location))
                store.log_spans(self._location, _spans(traces))
        except TraceWriteError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever else it was, each trace is tried by itself next)
            if getattr(error, "error_code", None) == _DATABASE_GONE:
                # Whoever waited for a lock in vain would wait as long for each trace.
                raise self._unreachable(error) from None
            return False
        return True

    def _begin(self, trace: MlflowTrace) -> None:
        self._client.start_trace(_info(trace, self._location))

    def _finish(self, traces: Sequence[MlflowTrace]) -> dict[str, Exception]:
        """Log the spans of all traces at once, or of one after the other if that fails."""
        if not traces:
            return {}
        try:
            self._log(traces)
        except Exception:  # noqa: BLE001 (a store may raise what it likes; each trace is tried by itself)
            return self._each(lambda trace: self._log([trace]), traces)
        return {}

    def _log(self, traces: Sequence[MlflowTrace]) -> None:
        self._client.log_spans(self._location, _spans(traces))

    def _finished(self, trace_ids: list[str]) -> set[str]:
        """Those of some traces that MLflow has, spans and all."""
        from mlflow.entities import TraceState

        try:
            found = self._client.store.batch_get_trace_infos(trace_ids)
        except Exception as error:  # noqa: BLE001 (a store may raise what it likes; it is named)
            raise self._unreachable(error) from None
        return {info.trace_id for info in found if info.state is not TraceState.IN_PROGRESS}

    def _each(self, act: Callable[[MlflowTrace], object], traces: Sequence[MlflowTrace]) -> dict[str, Exception]:
        """Do something to each trace, until what fails is not the trace's own fault; what was raised, by trace.

        Traces that were not tried after that have that error, too.
        """
        passing: list[Exception] = []

        def tried(trace: MlflowTrace) -> Exception | None:
            if passing:
                return passing[0]
            try:
                act(trace)
            except TraceWriteError:
                raise
            except Exception as error:  # noqa: BLE001 (a store may raise what it likes; it is judged)
                if not _is_for_good(error):
                    passing.append(error)
                return error
            return None

        if self._threads == 1:
            raised = list(map(tried, traces))
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                raised = list(pool.map(tried, traces))
        return {trace.trace_id: error for trace, error in zip(traces, raised, strict=True) if error is not None}

    def _unreachable(self, error: Exception) -> TraceWriteError:
        text = _reason(error)
        password = urlsplit(self._uri).password
        return TraceWriteError(
            f"MLflow cannot be written to: {text.replace(password, '***') if password else text}; "
            "the traces wait in the spool. Check mlflow.tracking_uri, the server, its database and its disk"
        )

    @cached_property
    def _client(self) -> Any:
        from mlflow.tracing.client import TracingClient

        return TracingClient(tracking_uri=self._uri)

    @cached_property
    def _location(self) -> str:
        try:
            found = self._client.store.get_experiment_by_name(self._experiment)
        except Exception as error:  # noqa: BLE001 (a store may raise what it likes; it is named)
            raise self._unreachable(error) from None
        if found is None:
            raise TraceWriteError(
                f"MLflow has no experiment {self._experiment!r}; create it, or check programs.*.experiment "
                "and mlflow.tracking_uri. The traces wait in the spool"
            )
        if found.lifecycle_stage != "active":
            raise TraceWriteError(
                f"MLflow's experiment {self._experiment!r} was deleted; restore it (`mlflow experiments restore -x "
                f"{found.experiment_id}`), or check programs.*.experiment. The traces wait in the spool"
            )
        return str(found.experiment_id)


def _is_for_good(error: BaseException | None) -> bool:
    """Whether it is about the trace itself: a value that MLflow, its driver or its database can make nothing of.

    All else passes, whatever it is: a trace that waits in vain is seen, one that was put aside in vain is not.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import DataError, SQLAlchemyError

    if isinstance(error, MlflowException):
        about_value = error.error_code == _BAD_VALUE and _EXPERIMENT_GONE not in error.message
        return _is_for_good(error.__cause__) or (about_value and not isinstance(error.__cause__, SQLAlchemyError))
    # What requests says of an answer that is no JSON is a ValueError and an OSError.
    of_value = isinstance(error, (TypeError, ValueError, OverflowError, DataError))
    return of_value and not isinstance(error, OSError)


def _reason(error: Exception) -> str:
    # SQLAlchemy goes on with the statement and its values, which are what people wrote.
    text = " ".join(str(error).partition("[SQL:")[0].split())
    return f"{type(error).__name__}: {text}"[:_REASON]


def _spans(traces: Sequence[MlflowTrace]) -> list[Any]:
    from mlflow.entities import Span

    return [Span.from_dict(dict(trace.span)) for trace in traces]


def _info(trace: MlflowTrace, experiment_id: str) -> Any:
    from mlflow.entities import TraceInfo, TraceLocation, TraceState

    return TraceInfo(
        trace_id=trace.trace_id,
        trace_location=TraceLocation.from_experiment_id(experiment_id),
        request_time=trace.start_ms,
        execution_duration=trace.duration_ms,
        state=TraceState.IN_PROGRESS,
        trace_metadata=dict(trace.metadata),
        tags=dict(trace.tags),
        assessments=list(_entities(trace.trace_id, trace.assessments)),
    )


def _entities(trace_id: str, assessments: Sequence[Assessment]) -> Iterator[Any]:
    from mlflow.entities import AssessmentSource, Expectation, Feedback

    for each in assessments:
        kind = Expectation if each.kind == "expectation" else Feedback
        entity = kind(
            name=each.name,
            value=json.loads(each.value or "null"),
            source=AssessmentSource(each.source_type, each.source_id),
            trace_id=trace_id,
            create_time_ms=each.create_time_ms,
            last_update_time_ms=each.create_time_ms,
        )
        entity.assessment_id, entity.rationale = each.assessment_id, each.rationale
        yield entity
