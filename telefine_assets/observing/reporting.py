"""Errors that nobody expected, sent to a Sentry-compatible service where the environment names one.

What leaves is the class of the error, the lines of code that it passed, and what it was about (run,
program, stage, partition). No local variable, no request, no prompt, and no message: one that quotes what it
was about quotes a trace or a model's answer, whoever raised it.
"""

from __future__ import annotations

import atexit
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from telefine_assets.observing.extras import needed_by

if TYPE_CHECKING:
    from sentry_sdk import Client

_SECONDS = 2.0
WITHHELD = "(its message stays here: it may quote data)"
_FRAME = ("filename", "module", "function", "lineno", "in_app", "context_line")
_EVENT = ("event_id", "timestamp", "platform", "level", "environment", "release", "sdk")


class Reporting:
    """Reports errors, or nothing where no service is named."""

    def __init__(self, dsn: str | None, deployment: str) -> None:
        """Report to ``dsn``.

        Raises:
            MissingExtra: sentry-sdk is not installed, and a DSN is set.
        """
        self._client = None if dsn is None else _client(dsn, deployment)

    def report(self, error: BaseException, about: dict[str, str | None]) -> None:
        """Report an error; ``about`` becomes its tags. Nothing is waited for, and nothing is raised."""
        if self._client is None:
            return
        from sentry_sdk.utils import event_from_exception

        event, _ = event_from_exception(error, client_options=self._client.options)
        told: Any = _scrubbed(event)
        told["tags"] = {name: value for name, value in about.items() if value is not None}
        self._client.capture_event(told)

    def flush(self) -> None:
        """Wait a little for what is under way."""
        if self._client is not None:
            self._client.flush(timeout=_SECONDS)


@lru_cache
def _client(dsn: str, deployment: str) -> Client:
    """A client of our own: nothing in the process is watched, patched or hooked into by the SDK."""
    with needed_by("observing.sentry_dsn"):
        from sentry_sdk import Client

    client = Client(
        dsn=dsn,
        environment=deployment,
        release=version("telefine-assets"),
        default_integrations=False,
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        send_client_reports=False,
        auto_session_tracking=False,
        shutdown_timeout=_SECONDS,
    )
    atexit.register(client.close, timeout=_SECONDS)
    return client


def _scrubbed(event: Any) -> dict[str, Any]:
    """Of an event, what is listed here, and nothing that another version of the SDK may add."""
    values = [_exception(each) for each in event.get("exception", {}).get("values", ())]
    return {name: event[name] for name in _EVENT if name in event} | {"exception": {"values": values}}


def _exception(value: Any) -> dict[str, Any]:
    frames = (value.get("stacktrace") or {}).get("frames", ())
    kept = [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]
    return {
        "type": value.get("type"),
        "module": value.get("module"),
        "value": WITHHELD,
        "stacktrace": {"frames": kept},
    }
