"""An MLflow tracking server, asked over HTTP: plain JSON, with MLflow's own credentials and TLS settings.

MLflow's client would take the same answers apart into protobuf messages and
entities, which costs more than the server's own work. Its retries are turned
off (seven with pauses of up to two minutes, and corrupt spans count as
transient): these here are the only ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from telefine_assets.settings.addresses import without_password
from telefine_assets.strangers_json import parse
from telefine_assets.traces.sources.api_patience import TRIES, CannotSend, Patience
from telefine_assets.traces.sources.api_rows import Info, SpanRow, sent_info
from telefine_assets.traces.sources.api_spans import UNREADABLE, logged_spans, sent_spans
from telefine_assets.traces.sources.protocol import MOST_NAMED, SourceUnreachable, TraceSourceError

_SEARCH = "/api/3.0/mlflow/traces/search"
_OLD_SEARCH = "/api/2.0/mlflow/traces"
_BATCH = "/api/3.0/mlflow/traces/batchGet"
_INFO = "/api/3.0/mlflow/traces/"
_ARTIFACT = "/ajax-api/2.0/mlflow/get-trace-artifact"
_EXPERIMENT = "/api/2.0/mlflow/experiments/get-by-name"
_SEARCH_EXPERIMENTS = "/api/2.0/mlflow/experiments/search"
_ORDER = ["timestamp_ms ASC", "request_id ASC"]
_IDS_AT_ONCE = 25

_TRANSIENT = {408, 429, 502, 503, 504}
# A timeout is long (MLFLOW_HTTP_REQUEST_TIMEOUT, two minutes), and a fault of the server's rarely passes.
_TRIES_AT_500 = _TRIES_IN_SILENCE = 3
_SILENCE = "not in time"
_SYSTEM_ERROR = re.compile(r"\[Errno -?\d+\] ([A-Za-z ]+)")


class RestTracking:
    """Asks a tracking server (see :class:`~telefine_assets.traces.sources.api_rows.Tracking`)."""

    page = 500

    def __init__(self, uri: str) -> None:
        """Ask the server at ``uri``."""
        parts = urlsplit(uri)
        self._uri = uri.rstrip("/")
        self.where = without_password(urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))
        self._patience = Patience()

    def stop(self) -> None:
        """Wait for no retry any longer."""
        self._patience.end()

    def experiment(self, name: str) -> str | None:
        """Id of the experiment, or None."""
        response = self._answer("GET", _EXPERIMENT, params={"experiment_name": name}, accept={404})
        return str(self._parsed(response)["experiment"]["experiment_id"]) if response.status_code == 200 else None

    def experiments(self) -> list[str]:
        """Names of some experiments."""
        body = {"max_results": MOST_NAMED, "order_by": ["name ASC"]}
        return [
            each["name"] for each in self._parsed(self._answer("POST", _SEARCH_EXPERIMENTS, json=body))["experiments"]
        ]

    def infos(self, experiment: str, condition: str, token: str | None, count: int) -> tuple[list[Info], str | None]:
        """Traces ordered by start and id, from where ``token`` stands, and the token of what follows."""
        location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
        body = {"locations": [location], "filter": condition, "max_results": count, "order_by": _ORDER}
        body |= {"page_token": token} if token else {}
        tries = _TRIES_AT_500 if count == self.page else 1  # fewer are asked for after a fault
        answer = self._parsed(self._answer("POST", _SEARCH, json=body, tries_at_500=tries))
        return [sent_info(each) for each in answer.get("traces", ())], answer.get("next_page_token") or None

    def first_id(self, experiment: str, condition: str) -> str | None:
        """Id of the first such trace, by the old API that leaves assessments out."""
        params = {"experiment_ids": [experiment], "filter": condition, "max_results": 1, "order_by": _ORDER}
        found = self._parsed(self._answer("GET", _OLD_SEARCH, params=params, tries_at_500=1)).get("traces", ())
        return str(found[0]["request_id"]) if found else None

    def spans(self, trace_ids: Sequence[str]) -> list[SpanRow]:
        """All spans of the traces: in batches, and one by one where a batch fails or does not say it all."""
        rows: list[SpanRow] = []
        for first in range(0, len(trace_ids), _IDS_AT_ONCE):
            ids = trace_ids[first : first + _IDS_AT_ONCE]
            came = self._batch(ids)
            for trace_id in ids:
                rows += came.get(trace_id) or self._one(trace_id)
        return rows

    def _batch(self, trace_ids: Sequence[str]) -> dict[str, list[SpanRow]]:
        """Spans by trace. Missing are traces that are not complete, or gone, or whose text may differ from the log."""
        try:
            asked = {"trace_ids": list(trace_ids)}
            response = self._answer("GET", _BATCH, params=asked, accept={400, 404}, tries_at_500=1)
        except CannotSend:
            return {}
        if response.status_code != 200:
            return {}
        return sent_spans(self._parsed(response).get("traces", ()))

    def _one(self, trace_id: str) -> list[SpanRow]:
        """Spans of one trace, as they are stored; none when it is gone."""
        try:
            response = self._answer("GET", _ARTIFACT, params={"request_id": trace_id}, accept={400, 404})
            if response.status_code == 200:
                return logged_spans(trace_id, response.content)
            said = _said(response)
        except CannotSend as error:
            said = str(error)
        # A server that is only busy or broken must not make a trace look corrupt.
        known = self._answer("GET", _INFO + trace_id, accept={404})
        return [] if known.status_code == 404 else [(trace_id, UNREADABLE, None, 0, said)]

    def _parsed(self, response: Any) -> dict[str, Any]:
        import orjson  # half of our time would go into taking the answers apart

        try:
            answer = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            start = " ".join(response.text[:80].split())
            raise TraceSourceError(
                f"what answers at {self.where} is no MLflow tracking server (its answer starts with {start!r}); check "
                "mlflow.tracking_uri and whether a proxy asks for a login there"
            )
        return answer

    def _answer(
        self, method: str, path: str, accept: Set[int] = frozenset(), tries_at_500: int = _TRIES_AT_500, **more: Any
    ) -> Any:
        """The server's answer, with patience for faults that pass."""
        tried = 0
        while True:
            tried += 1
            response, fault = self._once(method, path, more)
            status = 0 if response is None else response.status_code
            if status == 200 or status in accept:
                return response
            passes = response is None or status in _TRANSIENT or status == 500
            tries = tries_at_500 if status == 500 else _TRIES_IN_SILENCE if fault == _SILENCE else TRIES
            if not passes or tried >= tries:
                raise self._failure(response, fault, tried)
            asked = "" if response is None else response.headers.get("Retry-After", "")
            self._patience.wait(tried, f"{path} {more}", float(asked) if asked.isdecimal() else 0.0)

    def _once(self, method: str, path: str, more: dict[str, Any]) -> tuple[Any | None, str]:
        """One attempt: the response, or what kept us from getting one.

        Raises:
            TraceSourceError: the fault will not pass by itself.
        """
        from mlflow.exceptions import MlflowException
        from mlflow.utils.credentials import get_default_host_creds
        from mlflow.utils.rest_utils import http_request

        try:
            credentials = get_default_host_creds(self._uri)
            once = {"max_retries": 0, "backoff_factor": 0, "retry_codes": frozenset(), "raise_on_status": False}
            return http_request(credentials, path, method, **once, **more), ""
        except MlflowException as error:
            cause = error.__cause__ or error.__context__ or error
            if _is_for_good(cause):
                raise TraceSourceError(
                    f"the MLflow server at {self.where} cannot be asked ({type(cause).__name__}); check "
                    "mlflow.tracking_uri and MLflow's credentials and certificates (MLFLOW_TRACKING_*)"
                ) from None
            if "timed out" in str(cause):
                return None, _SILENCE
            reason = _SYSTEM_ERROR.search(str(cause))
            return None, reason[1] if reason else type(cause).__name__

    def _failure(self, response: Any | None, fault: str, tried: int) -> TraceSourceError:
        if response is None:
            return SourceUnreachable(
                f"the MLflow server at {self.where} does not answer ({fault}, {tried} attempts); nothing was stored. "
                "Start it or check mlflow.tracking_uri, then load again"
            )
        if response.status_code in (401, 403):
            return TraceSourceError(
                f"the MLflow server at {self.where} refuses us ({response.status_code}); set MLFLOW_TRACKING_USERNAME "
                "and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, of someone who may read the experiment"
            )
        if response.status_code == 404:
            return TraceSourceError(
                f"the MLflow server at {self.where} does not know what it is asked for ({_said(response)}); it must be "
                "MLflow 3, and mlflow.tracking_uri must be its address with the path under which it is served"
            )
        kind = CannotSend if response.status_code == 500 else TraceSourceError
        return kind(
            f"the MLflow server at {self.where} answered {_said(response)} ({tried} attempts); nothing was stored. "
            "Its log says more; then load again"
        )


def _is_for_good(error: BaseException) -> bool:
    """Faults of the address, the certificates or the credentials, which no retry mends."""
    import requests.exceptions as faults
    from mlflow.exceptions import MlflowException

    return isinstance(
        error, faults.SSLError | faults.InvalidURL | faults.InvalidSchema | faults.MissingSchema | MlflowException
    )


def _said(response: Any) -> str:
    """Status and message of an answer."""
    try:
        message = str(parse(response.content)["message"])
    except (ValueError, KeyError, TypeError):
        message = str(response.reason)
    return f"{response.status_code}: {' '.join(message.split())[:300]}"
