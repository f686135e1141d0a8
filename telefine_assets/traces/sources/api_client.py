"""Any other tracking URI, through MLflow's own client: a database without a server, Databricks, a plugin's store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from telefine_assets.settings.addresses import without_password
from telefine_assets.traces.sources.api_patience import TRIES, CannotSend, Patience
from telefine_assets.traces.sources.api_rows import Info, SpanRow
from telefine_assets.traces.sources.api_spans import UNREADABLE, span_row
from telefine_assets.traces.sources.databases import database_of
from telefine_assets.traces.sources.protocol import MOST_NAMED, TraceSourceError

_ORDER = ["timestamp_ms ASC", "request_id ASC"]
_BUSY, _GONE = "TEMPORARILY_UNAVAILABLE", "RESOURCE_DOES_NOT_EXIST"

Answer = TypeVar("Answer")


class ClientTracking:
    """Asks MLflow's client (see :class:`~telefine_assets.traces.sources.api_rows.Tracking`).

    A database that is busy is asked again; a remote store's own retries are the
    only ones.
    """

    page = 1_000

    def __init__(self, uri: str) -> None:
        """Read from the store at ``uri``."""
        parts = urlsplit(uri)
        self._uri = uri
        open_to_all = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.netloc else uri
        self.where = without_password(open_to_all)
        self._password = parts.password
        self._patience = Patience()

    def stop(self) -> None:
        """Wait for no retry any longer."""
        self._patience.end()

    def experiment(self, name: str) -> str | None:
        """Id of the experiment, or None."""
        found = self._answer(lambda: self._client.get_experiment_by_name(name))
        return None if found is None else str(found.experiment_id)

    def experiments(self) -> list[str]:
        """Names of some experiments."""
        found = self._answer(lambda: self._client.search_experiments(max_results=MOST_NAMED, order_by=["name ASC"]))
        return [each.name for each in found]

    def infos(self, experiment: str, condition: str, token: str | None, count: int) -> tuple[list[Info], str | None]:
        """Traces ordered by start and id, from where ``token`` stands, and the token of what follows."""
        page = self._answer(
            lambda: self._client.search_traces(
                locations=[experiment],
                filter_string=condition,
                max_results=count,
                order_by=_ORDER,
                page_token=token,
                include_spans=False,
            )
        )
        return [_info(trace.info) for trace in page], page.token or None

    def first_id(self, experiment: str, condition: str) -> str | None:
        """MLflow's client has no second way to ask."""
        return None

    def spans(self, trace_ids: Sequence[str]) -> list[SpanRow]:
        """All spans of the traces; one by one where they do not come together."""
        try:
            traces = self._answer(lambda: self._tracing.batch_get_traces(list(trace_ids)))
            came = {trace.info.trace_id: _rows(trace) for trace in traces}
        except CannotSend:
            came = {}
        return [row for trace_id in trace_ids for row in came.get(trace_id) or self._one(trace_id)]

    def _one(self, trace_id: str) -> list[SpanRow]:
        """Spans of one trace, as far as they are there; none when it is gone."""
        from mlflow.exceptions import MlflowNotImplementedException, MlflowTracingException

        def trace() -> Any:
            try:
                return self._tracing.store.get_trace(trace_id, allow_partial=True)
            except (MlflowTracingException, MlflowNotImplementedException):  # its spans are not in the database
                return self._tracing.get_trace(trace_id)

        try:
            return _rows(self._answer(trace))
        except CannotSend as error:
            said = str(error)
        info = self._answer(lambda: next(iter(self._tracing.store.batch_get_trace_infos([trace_id])), None))
        return [] if info is None else [(trace_id, UNREADABLE, None, 0, said)]

    @cached_property
    def _client(self) -> Any:
        from mlflow import MlflowClient

        database = database_of(self._uri)
        if database is not None:
            database.require()
        return MlflowClient(tracking_uri=self._uri)

    @cached_property
    def _tracing(self) -> Any:
        from mlflow.tracing.client import TracingClient

        return TracingClient(tracking_uri=self._uri)

    def _answer(self, ask: Callable[[], Answer]) -> Answer:
        """What MLflow says, with patience for a database that is busy."""
        from mlflow.exceptions import MlflowException

        tries = TRIES if database_of(self._uri) is not None else 1
        for tried in range(1, tries + 1):
            try:
                return ask()
            except TraceSourceError:
                raise
            except Exception as error:  # noqa: BLE001 (a store may raise what it likes; it is named below)
                failed = error
            if tried == tries or not (isinstance(failed, MlflowException) and failed.error_code == _BUSY):
                break
            self._patience.wait(tried, self._uri)
        text = " ".join(str(failed).split())[:500]
        if self._password:
            text = text.replace(self._password, "***")
        raise CannotSend(
            f"MLflow cannot read from {self.where}: {type(failed).__name__}: {text}; nothing was stored. "
            "Check mlflow.tracking_uri and the store, then load again"
        ) from None


def _rows(trace: Any) -> list[SpanRow]:
    return [span_row(trace.info.trace_id, span.to_dict()) for span in trace.data.spans]


def _info(info: Any) -> Info:
    return Info(
        trace_id=info.trace_id,
        request_time_ms=int(info.request_time),
        duration_ms=info.execution_duration,
        status=str(info.state.value),
        request_preview=info.request_preview,
        response_preview=info.response_preview,
        tags=info.tags,
        metadata=info.trace_metadata,
        assessments=list(_assessments(info.trace_id, info.assessments)),
    )


def _assessments(trace_id: str, assessments: Iterable[Any]) -> Iterable[tuple[Any, ...]]:
    for each in assessments:
        error = None
        if each.expectation is not None:
            kind, value = "expectation", each.expectation.value
        elif each.feedback is not None:
            kind, value, error = "feedback", each.feedback.value, each.feedback.error
        else:
            kind, value = "issue", each.issue.to_dictionary()
        yield (
            *(trace_id, each.assessment_id, each.name, kind, json.dumps(value)),
            None if error is None else json.dumps(error.to_dictionary()),
            *(str(each.source.source_type), each.source.source_id, int(each.create_time_ms or 0)),
            *(each.valid is not False, each.rationale),
        )
