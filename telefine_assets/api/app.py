"""The API as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from telefine_assets.api import (
    archives,
    attestations,
    contributors,
    health,
    improvement,
    metrics,
    programs,
    reports,
    runs,
    traces,
)
from telefine_assets.api.deployment import Clock, Deployment
from telefine_assets.api.description import describe
from telefine_assets.api.guard import Guard
from telefine_assets.api.pages import attestations as attestation_pages
from telefine_assets.api.pages import contributors as contributor_pages
from telefine_assets.api.pages import programs as program_pages
from telefine_assets.api.pages import sign_in, static_files, verifier
from telefine_assets.api.pages.errors import ErrorPages
from telefine_assets.api.problems import documented, explain_problems
from telefine_assets.api.security import charge
from telefine_assets.api.seen import Seen
from telefine_assets.api.sessions import Sessions
from telefine_assets.api.settling import settle
from telefine_assets.api.surface import Surface
from telefine_assets.control.records import Control
from telefine_assets.settings.schema import Settings

if TYPE_CHECKING:
    from telefine_assets.attestation.signatures import Signer

OPENAPI = "/v1/openapi.json"
_ROUTERS = (health, metrics, programs, runs, reports, improvement, attestations, archives, contributors, traces)
_PAGES = (program_pages, attestation_pages, contributor_pages, sign_in, static_files, verifier)


def make_app(settings: Settings, control: Control, clock: Clock, signer: Callable[[], Signer]) -> FastAPI:
    """The API of a deployment.

    Args:
        settings: the deployment's.
        control: its Dagster.
        clock: now, with a time zone.
        signer: opens the key that signs the log's heads; asked when one is to be signed.

    Raises:
        LedgerError: when the ledger cannot be opened.
        MissingExtra: when settings ask for traces or error reports, and what these need is not installed.
    """
    here = Deployment(settings, control, clock, signer)

    @asynccontextmanager
    async def closing(_: FastAPI) -> AsyncIterator[None]:
        settle()
        yield
        here.ledger.close()

    app = FastAPI(
        lifespan=closing,
        title="Telefine",
        version="1",
        description="Better DSPy programs from traces, proved, attested and paid for.",
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=documented(400, 401, 403, 404, 405, 413, 414, 422, 429, 431, 500, 503),
    )
    counted = app.state.metrics = metrics.Metrics(here)
    app.state.deployment, app.state.sessions = here, Sessions()
    modules = _ROUTERS + _PAGES if settings.api.pages else _ROUTERS
    for module in modules:
        app.include_router(module.router)
    routes = [route for module in modules for route in module.router.routes]
    describe(app, routes)
    explain_problems(app)
    surface = Surface(routes, [OPENAPI])
    seen = Seen(here.observer, counted.observe)
    app.add_middleware(Guard, settings=settings.api, surface=surface, seen=seen, charge=partial(charge, here))
    if settings.api.pages:
        app.add_middleware(ErrorPages, deployment=settings.deployment)
    if settings.api.cors_origins:
        # Outermost, so that errors can be read by the pages too. Keys are no cookies: no credentials.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.api.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "Idempotency-Key"],
            expose_headers=["ETag", "X-Request-Id", "Retry-After", "Location"],
        )
    return app
