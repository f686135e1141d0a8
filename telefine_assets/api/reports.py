"""DeltaOne reports: what a day's comparison came to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from telefine_assets.api.answers import PRIVATE, Asked, Page, documented_file, stored
from telefine_assets.api.deployment import Deployment
from telefine_assets.api.parameters import Day, Here, Program
from telefine_assets.api.problems import documented, not_found
from telefine_assets.api.security import Caller, requires
from telefine_assets.api.standings import standing, standings
from telefine_assets.attestation.standing import DayStanding
from telefine_assets.attestation.standing_shown import amended, sentence_of, told_of
from telefine_assets.canonical import canonical_json, sha256_hex

router = APIRouter(prefix="/v1/programs/{program}/reports", tags=["DeltaOne reports"])
Reader = Annotated[Caller, requires("read")]
STAGE = "deltaone_reports"
# The page brings its own styles and pictures, and no script.
PAGE_MAY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
}


class ReportShown(BaseModel):
    """What a day came to."""

    day: str
    reached: bool
    code: str
    sentence: str
    candidate: str | None
    standing: str = Field(
        description="What stands of it now: not_attested, attested, awaiting_signatures, revoked or corrected."
    )
    in_force: str | None = Field(description="The attestation in force.")
    amendment: str = Field(description="What was revoked of it since and why, in words; empty where nothing was.")


@router.get("", response_model=Page[ReportShown], responses=documented(404))
def list_reports(request: Request, caller: Reader, here: Here, program: Program, asked: Asked) -> Response:
    """List the days that have a report, oldest first."""
    page = asked.of(f"reports of {program}", here.records.days(program, STAGE), lambda day: day, str)
    now = standings(here, program)
    items = [_shown(day, here.records.read(program, STAGE, day), now.get(day, DayStanding())) for day in page.items]
    return stored(request, {"items": items, "next": page.next})


@router.get("/{day}", response_model=dict[str, Any], responses=documented(404))
def show_report(request: Request, caller: Reader, here: Here, program: Program, day: Day) -> Response:
    """Show a day's report as it is recorded, with what stands of it now in ``standing``.

    Until DeltaOne is reached it has no score of the holdout. What a look found stays as it was found, whatever was
    revoked or issued again since.
    """
    now = told_of(standing(here, program, day))
    return stored(request, {"program": program, "day": day, **_record(here, program, day), "standing": now})


@router.get(
    "/{day}/page",
    response_class=Response,
    responses=documented_file("text/html") | documented(404),
)
def show_page(request: Request, caller: Reader, here: Here, program: Program, day: Day) -> Response:
    """Show a day's report as a page for people."""
    return page_of_day(request, here, program, day)


def page_of_day(
    request: Request, here: Deployment, program: str, day: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A day's report as a page, with more ``headers``, for a caller who may read it.

    Raises:
        Problem: 404.
    """
    record = _record(here, program, day)
    now = standing(here, program, day)
    stamp = here.records.stamp_of(program, STAGE, day), sha256_hex(canonical_json(told_of(now)))
    page = here.asked_for.get(("report", program, day), stamp, lambda: _page(here, program, record, now))
    return stored(request, page, "text/html", PRIVATE, PAGE_MAY | dict(headers or {}))


def _page(here: Deployment, program: str, record: dict[str, Any], now: DayStanding) -> bytes:
    from telefine_assets.deltaone.report import context_of, page_of, reopened
    from telefine_assets.pages.html import html

    page = page_of(record, *reopened(record, here.evidence.get, context_of(program, record)))
    return html(amended(page, now))


def _record(here: Deployment, program: str, day: str) -> dict[str, Any]:
    record = here.records.find(program, STAGE, day)
    if record is None:
        raise not_found(f"{program} has no report of {day}")
    return record


def _shown(day: str, record: dict[str, Any], now: DayStanding) -> dict[str, Any]:
    told = {name: record[name] for name in ("reached", "code", "sentence", "candidate")}
    in_force = now.in_force.uid if now.in_force else None
    return {"day": day, **told, "standing": now.code, "in_force": in_force, "amendment": sentence_of(now)}
