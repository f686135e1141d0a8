"""Runs: started, stopped and followed. They are Dagster's; nothing is run beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from telefine_assets.api.answers import Asked, Page, documented_file, json_body, parsed, raw_body, stored
from telefine_assets.api.deployment import Deployment
from telefine_assets.api.parameters import DAY, Here
from telefine_assets.api.problems import Problem, documented, not_found
from telefine_assets.api.security import Caller, requires, still_in
from telefine_assets.canonical import sha256_hex
from telefine_assets.control.errors import ControlError
from telefine_assets.control.records import RunRequest, RunState
from telefine_assets.observing.tracing import traceparent

router = APIRouter(prefix="/v1/runs", tags=["runs"])
Reader = Annotated[Caller, requires("read")]
Follower = Annotated[Caller, requires("read", session=True)]
Operator = Annotated[Caller, requires("operate")]
RunId = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$", examples=["5f0c2e2a-9c4e-4a3f-8d5a-0d3a1c2b3e4f"])]
LOOK_SECONDS, BEAT_SECONDS, MOST_SECONDS = 1.0, 15.0, 900.0
"""How often a followed run is looked at, how often its stream says that it lives, and how long a stream lasts."""
_EXAMPLE = {"program": "film_reviews", "stages": ["traces"], "first": "2026-11-02", "last": "2026-11-06"}


class Wanted(BaseModel):
    """What is to be run."""

    model_config = ConfigDict(extra="forbid", title="RunWanted")

    program: str = Field(max_length=63)
    stages: list[str] = Field([], max_length=50, description="Stages of the program's line; none for all.")
    first: str = Field(pattern=DAY, description="First UTC day.")
    last: str = Field(pattern=DAY, description="Last UTC day, included.")


class Started(BaseModel):
    """Runs that were queued, in the order of their days."""

    runs: list[str]


@router.get("", response_model=Page[RunState], responses=documented(503))
def list_runs(
    request: Request,
    caller: Reader,
    here: Here,
    asked: Asked,
    program: Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="Of one program.")] = None,
) -> Response:
    """List runs, the newest first."""
    listing = f"runs of {program}" if program else "runs"
    found = here.control.runs(program, asked.limit + 1, asked.after(listing, str))
    return stored(request, asked.page(listing, found, lambda run: run.run_id))


@router.post(
    "",
    status_code=202,
    response_model=Started,
    responses=documented(400, 413, 415, 422, 503),
    openapi_extra=json_body(Wanted, _EXAMPLE),
)
async def start_run(request: Request, caller: Operator, here: Here) -> Started:
    """Queue the runs of a program's stages over a day or a range. Follow them with `/v1/runs/{run_id}/events`."""
    wanted = parsed(await raw_body(request), Wanted)
    return Started(runs=await run_in_threadpool(_started, here, caller, wanted))


@router.get("/{run_id}", response_model=RunState, responses=documented(404, 503))
def show_run(request: Request, caller: Reader, here: Here, run_id: RunId) -> Response:
    """Show a run."""
    return stored(request, _known(here, run_id))


@router.post("/{run_id}/stop", status_code=202, response_model=RunState, responses=documented(404, 503))
def stop_run(caller: Operator, here: Here, run_id: RunId) -> RunState:
    """Ask a run to end; one that has ended stays as it is."""
    run = _known(here, run_id)
    here.audit(caller.name, "asked a run to stop", f"run {run_id}", program=run.program)
    here.control.stop(run_id, caller.name)
    return _known(here, run_id)


@router.get(
    "/{run_id}/events",
    response_class=StreamingResponse,
    responses=documented_file("text/event-stream") | documented(404, 503),
)
def follow_run(request: Request, caller: Follower, here: Here, run_id: RunId) -> Response:
    """Follow a run: an event `run` with its state now and whenever it changes, and `end` when it has ended.

    A stream ends with its key or session, and after a quarter of an hour in any case; browsers ask
    again by themselves. One key may have a fifth of all streams.
    """
    run = _known(here, run_id)
    if not here.following.take(caller.name):
        raise Problem(503, "too_many_followers", "too many runs are being followed", {"Retry-After": "10"})

    def look() -> RunState | None:
        return here.control.run(run_id) if still_in(request, here, caller) else None

    return _Stream(_events(run, look), lambda: here.following.leave(caller.name))


class _Stream(StreamingResponse):
    """A run's events; its place among the followers is given back however it ends."""

    def __init__(self, events: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        self._leave = leave
        super().__init__(events, headers={"X-Accel-Buffering": "no"}, media_type="text/event-stream")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


async def _events(run: RunState, look: Callable[[], RunState | None]) -> AsyncIterator[bytes]:
    """Looks at the run now and then: no thread is held while nothing happens, and leaving costs nothing."""
    began = said = asyncio.get_running_loop().time()
    yield _event("run", run)
    while not run.status.ended:
        await asyncio.sleep(LOOK_SECONDS)
        now, seen = asyncio.get_running_loop().time(), await run_in_threadpool(look)
        if seen is None or now - began > MOST_SECONDS:
            return
        if seen != run:
            run, said = seen, now
            yield _event("run", run)
        elif now - said >= BEAT_SECONDS:
            said = now
            yield b": still running\n\n"
    yield _event("end", run)


def _event(name: str, run: RunState) -> bytes:
    """Source: WHATWG HTML, section 9.2 (server-sent events). JSON has no line break in it."""
    data = orjson.dumps(run)
    return b"event: %s\nid: %s\ndata: %s\n\n" % (name.encode(), sha256_hex(data)[:16].encode(), data)


def _known(here: Deployment, run_id: str) -> RunState:
    run = here.control.run(run_id)
    if run is None:
        raise not_found(f"there is no run {run_id}")
    return run


def _started(here: Deployment, caller: Caller, wanted: Wanted) -> list[str]:
    """Written down before it is asked for: what cannot be accounted for is not started."""
    _check(here, wanted)
    details = {"stages": ", ".join(wanted.stages) or "all", "first": wanted.first, "last": wanted.last}
    here.audit(caller.name, "asked for runs", f"runs of {wanted.program}", **details)
    try:
        with here.observer.tracing.span(f"start runs of {wanted.program}", "PRODUCER", program=wanted.program):
            span, stages = (wanted.first, wanted.last), tuple(wanted.stages)
            return list(here.control.start(RunRequest(wanted.program, stages, *span, caller.name, traceparent())))
    except ControlError as error:
        # Whoever may operate may know what Dagster lacks, and how to cure it.
        raise Problem(503, "not_started", str(error)) from None


def _check(here: Deployment, wanted: Wanted) -> None:
    if wanted.program not in here.settings.programs:
        raise _wrong("program", "there is no such program")
    stages = [each.stage for each in here.control.stages(wanted.program)]
    if not set(wanted.stages) <= set(stages):
        raise _wrong("stages", f"there are: {', '.join(stages)}")
    days = here.settings.partitions
    first, last = _day(wanted.first, "first"), _day(wanted.last, "last")
    if not days.start <= first <= last or (days.end is not None and last > days.end):
        until = f" and not after {days.end}" if days.end else ""
        raise _wrong("first", f"must not be after last, nor before {days.start}{until}")


def _day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _wrong(field, "there is no such day") from None


def _wrong(field: str, problem: str) -> Problem:
    return Problem(
        422, "cannot_run", f"body.{field}: {problem}", errors=[{"where": f"body.{field}", "problem": problem}]
    )
