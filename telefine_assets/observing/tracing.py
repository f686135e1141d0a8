"""Spans of Telefine's own work, sent to an OpenTelemetry collector where the settings name one.

The provider is this module's own and never the process's: MLflow's tracing, which rests on OpenTelemetry
too, neither sees these spans nor sends its own along, and a program's prompts stay where they are.
Which span is the current one is known here alone, for the same reason.

Source: https://www.w3.org/TR/trace-context/ (``traceparent``, version 00).
"""

from __future__ import annotations

import atexit
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.metadata import version
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Literal, Protocol

from telefine_assets.canonical import sha256_hex
from telefine_assets.observing.extras import needed_by

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

TAG = "telefine/traceparent"
"""The tag of a Dagster run that says which span asked for it; a run that is tried again keeps it."""
_EXPORT_SECONDS = 2.0
"""A collector that does not answer in this time has lost its spans; no run waits longer at its end."""
_PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_current: ContextVar[Any] = ContextVar("telefine_span", default=None)

Value = str | int | float | bool
Kind = Literal["INTERNAL", "SERVER", "PRODUCER", "CONSUMER"]


class Span(Protocol):
    """A piece of work that goes on."""

    def set_attribute(self, key: str, value: Value) -> None:
        """Say more of it."""
        ...

    def update_name(self, name: str) -> None:
        """Name it by what was only found out in it."""
        ...


class _Untraced:
    """A span that nobody sees."""

    def set_attribute(self, key: str, value: Value) -> None:
        """Nothing."""

    def update_name(self, name: str) -> None:
        """Nothing."""


class Tracing:
    """The spans of one process, or nothing at all where no collector is named."""

    def __init__(self, endpoint: str | None, service: str, deployment: str) -> None:
        """Send them to ``endpoint``, the base URL of a collector, as those of ``service``.

        Raises:
            MissingExtra: OpenTelemetry is not installed, and an endpoint is named.
        """
        self._provider = None if endpoint is None else _provider(endpoint, service, deployment)

    @contextmanager
    def span(
        self, name: str, kind: Kind = "INTERNAL", parent: str | None = None, **attributes: Value | None
    ) -> Iterator[Span]:
        """A span around the block, and the current one in it. An error that leaves the block is named in it by class.

        Args:
            name: what is done.
            kind: what others it has to do with.
            parent: a W3C ``traceparent``; by default the span around this one. One that is none is left out.
            attributes: what is known of it, below ``telefine.``; what is None is left out.
        """
        if self._provider is None:
            yield _Untraced()
            return
        from opentelemetry.trace import SpanKind

        known = {f"telefine.{key}": value for key, value in attributes.items() if value is not None}
        tracer = self._provider.get_tracer("telefine")
        span = tracer.start_span(name, _context(parent), SpanKind[kind], known)
        token = _current.set(span)
        try:
            yield span
        except BaseException as error:
            _failed(span, error)
            raise
        finally:
            _current.reset(token)
            span.end()

    def flush(self) -> None:
        """Send what has ended, and wait for it a little."""
        if self._provider is not None:
            # A thread of its own: the SDK's timeout is of each part of what waits, and not kept.
            flushing = Thread(target=self._provider.force_flush, daemon=True)
            flushing.start()
            flushing.join(_EXPORT_SECONDS)


def traceparent() -> str | None:
    """The current span, as others may be told of it; None where there is none."""
    span = _current.get()
    if span is None:
        return None
    found = span.get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-01"


def parent_of_run(run_id: str, tags: Mapping[str, str]) -> str:
    """The parent of a run's stages: whoever asked for it, else a name that all its stages agree on."""
    asked = tags.get(TAG, "")
    if _PARENT.fullmatch(asked):
        return asked
    digest = sha256_hex(run_id.encode())
    return f"00-{digest[:32]}-{digest[32:48]}-01"


def _context(parent: str | None) -> Any:
    """OpenTelemetry's context of a parent; an empty one never takes over what is current elsewhere."""
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    found = _PARENT.fullmatch(parent or "")
    if found is None:
        return Context() if _current.get() is None else set_span_in_context(_current.get(), Context())
    remote = SpanContext(int(found[1], 16), int(found[2], 16), True, TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(remote), Context())


def _failed(span: Any, error: BaseException) -> None:
    """By class alone: a message may quote a prompt."""
    from opentelemetry.trace import Status, StatusCode

    span.set_attribute("error.type", type(error).__name__)
    span.set_status(Status(StatusCode.ERROR, type(error).__name__))


@lru_cache
def _provider(endpoint: str, service: str, deployment: str) -> TracerProvider:
    """One for each process and address; what it holds is sent when the process ends."""
    with needed_by("observing.otlp_endpoint"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    named = {"service.name": service, "service.version": version("telefine-assets"), "telefine.deployment": deployment}
    provider = TracerProvider(ALWAYS_ON, Resource(named), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=_EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter, export_timeout_millis=_EXPORT_SECONDS * 1000))
    _at_exit(provider.shutdown)
    return provider


def _at_exit(close: Callable[[], None]) -> None:
    """Close when the process ends, and wait for it a little. No thread can be started any more then."""
    ending, closed = Event(), Event()

    def wait_and_close() -> None:
        ending.wait()
        close()
        closed.set()

    def end() -> None:
        ending.set()
        closed.wait(_EXPORT_SECONDS)

    Thread(target=wait_and_close, daemon=True).start()
    atexit.register(end)
