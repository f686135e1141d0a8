"""What is seen of every request: a line in the log, a count, a span, and a report of what nobody expected."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.types import Scope

from telefine_assets.api.problems import logger
from telefine_assets.observing.logs import about
from telefine_assets.observing.observer import Observer
from telefine_assets.observing.tracing import Tracing

Observe = Callable[[str, str, int | None, float], None]
"""Is told a request's method, the template of its route, the status of its answer, and how many seconds it took."""

_OF_MACHINES = ("/v1/metrics", "/v1/health", "/v1/ready")
_UNTRACED = Tracing(None, "", "")


class Seen:
    """Sees the requests of one application."""

    def __init__(self, observer: Observer, observe: Observe) -> None:
        """Log and trace by ``observer``; ``observe`` counts."""
        self._observer, self._observe = observer, observe

    @contextmanager
    def request(self, scope: Scope, request_id: str, status: Callable[[], int | None]) -> Iterator[None]:
        """Around a request; ``status`` says how it was answered, once it was.

        Whoever asks may name a span of theirs (``traceparent``), of which this one is then a part.
        """
        method, began = scope["method"], time.perf_counter()
        # Nobody looks for the thousands of these that machines ask for.
        tracing = _UNTRACED if scope["path"] in _OF_MACHINES else self._observer.tracing
        parent = Headers(scope=scope).get("traceparent")
        with about(request_id=request_id), tracing.span(_short(method), "SERVER", parent) as span:
            try:
                yield
            finally:
                # Neither query nor full path: people put keys into the oddest places.
                route = getattr(scope.get("route"), "path", "-")
                took, answered = time.perf_counter() - began, status()
                span.update_name(f"{_short(method)} {route}")
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", answered or 0)
                self._observe(method, route, answered, took)
                self._log(_short(method), route, answered, took)

    def report(self, error: Exception, scope: Scope, request_id: str) -> None:
        """Report what was answered with 500."""
        route = getattr(scope.get("route"), "path", "-")
        self._observer.reporting.report(error, {"request_id": request_id, "route": route})

    @staticmethod
    def _log(method: str, route: str, status: int | None, seconds: float) -> None:
        told = {"method": method, "route": route, "status": status, "seconds": round(seconds, 4)}
        logger.info("%s %s %s %.0f ms", method, route, status, seconds * 1000, extra=told)


def _short(method: str) -> str:
    """A method as it is logged: a key is no method, but somebody may send one as such."""
    return method if re.fullmatch("[A-Z]{1,10}", method) else "?"
