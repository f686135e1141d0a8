"""Metrics for Prometheus, of one application: what was asked of it, and how its deployment stands.

They need a key with the scope ``read`` unless ``api.public_metrics`` is set; even then
strangers are not told how often DeltaOne was tried, which is no page's to tell either. That a
caller is on this machine opens nothing: behind a proxy everybody seems to be.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import copy
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Request
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from telefine_assets.api.answers import documented_file
from telefine_assets.api.collecting import DeploymentCollector
from telefine_assets.api.parameters import Here
from telefine_assets.api.problems import documented
from telefine_assets.api.security import Caller, anyone, check_scope
from telefine_assets.ledger.api_keys import Scope

if TYPE_CHECKING:
    from telefine_assets.api.deployment import Deployment

router = APIRouter(prefix="/v1", tags=["health"])
Anyone = Annotated[Caller, anyone()]
_OF_LOOKS = {("table", "looks"), ("stage", "deltaone_reports")}
_ABOUT_LOOKS = ("telefine_deltaone_", "telefine_stage_outcomes")
"""An attestation that says why there is none tells of a look too."""
_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The registry of one application; nothing of it is global."""

    def __init__(self, here: Deployment) -> None:
        """Count the requests of ``here``, and tell of the rest of it when asked."""
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter(
            "telefine_http_requests", "Requests that were answered.", labels, registry=self.registry
        )
        self._seconds = Histogram(
            "telefine_http_request_duration_seconds",
            "From a request to the end of its answer; a stream of events lasts as long as it is followed.",
            labels,
            buckets=_SECONDS,
            registry=self.registry,
        )
        build = Info("telefine_build", "The version that runs.", registry=self.registry)
        build.info({"version": version("telefine-assets")})
        ProcessCollector(registry=self.registry)
        self.registry.register(DeploymentCollector(here, time.monotonic))

    def observe(self, method: str, route: str, status: int | None, seconds: float) -> None:
        """Count a request.

        Args:
            method: its method, whatever it was.
            route: the template of its route, ``-`` where there is none.
            status: of its answer; None when the caller left before there was one.
            seconds: that it took.
        """
        known = method if method in _METHODS else "other"
        labels = (known, route, "none" if status is None else f"{status // 100}xx")
        self._requests.labels(*labels).inc()
        self._seconds.labels(*labels).observe(seconds)


class _ForStrangers(Collector):
    """What a registry tells, without that which counts looks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            if family.name.startswith(_ABOUT_LOOKS):
                continue
            # A copy: what was read is told again, to others.
            told = copy(family)
            told.samples = [each for each in family.samples if _OF_LOOKS.isdisjoint(each.labels.items())]
            yield told


@router.get("/metrics", response_class=Response, responses=documented_file("text/plain") | documented(403))
def metrics(request: Request, caller: Anyone, here: Here) -> Response:
    """Metrics in the text format of Prometheus. A part that cannot be read has `telefine_collector_up` 0."""
    if not here.settings.api.public_metrics:
        check_scope(caller, Scope.READ)
    own: Metrics = request.app.state.metrics
    told = own.registry if caller.opens(Scope.READ) else _ForStrangers(own.registry)
    return Response(generate_latest(told), media_type=CONTENT_TYPE_PLAIN_0_0_4)
