"""DeltaOne reports: what a day's comparison came to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from telefine_assets.api.answers import PRIVATE, Asked, Page, documented_file, stored
from telefine_assets.api.deployment import Deployment
from telefine_assets.api.parameters import Day, Here, Program
from telefine_assets.api.problems import documented, not_found
from telefine_assets.api.security import Caller, requires

router = APIRouter(prefix="/v1/programs/{program}/reports", tags=["DeltaOne reports"])
Reader = Annotated[Caller, requires("read")]
STAGE = "deltaone_reports"
# The page brings its own styles and pictures, and no script.
_PAGE_MAY = {
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


@router.get("", response_model=Page[ReportShown], responses=documented(404))
def list_reports(request: Request, caller: Reader, here: Here, program: Program, asked: Asked) -> Response:
    """List the days that have a report, oldest first."""
    page = asked.of(f"reports of {program}", here.records.days(program, STAGE), lambda day: day, str)
    items = [_shown(day, here.records.read(program, STAGE, day)) for day in page.items]
    return stored(request, {"items": items, "next": page.next})


@router.get("/{day}", response_model=dict[str, Any], responses=documented(404))
def show_report(request: Request, caller: Reader, here: Here, program: Program, day: Day) -> Response:
    """Show a day's report as it is recorded; until DeltaOne is reached it has no score of the holdout."""
    return stored(request, {"program": program, "day": day, **_record(here, program, day)})


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
    page = here.asked_for.get(
        ("report", program, day), here.records.stamp_of(program, STAGE, day), lambda: _page(here, program, record)
    )
    return stored(request, page, "text/html", PRIVATE, _PAGE_MAY | dict(headers or {}))


def _page(here: Deployment, program: str, record: dict[str, Any]) -> bytes:
    from telefine_assets.deltaone.report import context_of, page_of, reopened
    from telefine_assets.pages.html import html

    return html(page_of(record, *reopened(record, here.evidence.get, context_of(program, record))))


def _record(here: Deployment, program: str, day: str) -> dict[str, Any]:
    record = here.records.find(program, STAGE, day)
    if record is None:
        raise not_found(f"{program} has no report of {day}")
    return record


def _shown(day: str, record: dict[str, Any]) -> dict[str, Any]:
    return {"day": day} | {name: record[name] for name in ("reached", "code", "sentence", "candidate")}
