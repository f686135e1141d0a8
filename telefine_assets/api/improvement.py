"""Improvement reports: what became of a program in the days that end with one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from telefine_assets.api.answers import PRIVATE, Asked, Page, documented_file, stored
from telefine_assets.api.deployment import Deployment
from telefine_assets.api.parameters import Day, Here, Program
from telefine_assets.api.problems import documented, not_found
from telefine_assets.api.reports import PAGE_MAY
from telefine_assets.api.security import Caller, requires
from telefine_assets.api.standings import amended_since
from telefine_assets.pages.html import noted

router = APIRouter(prefix="/v1/programs/{program}/improvement", tags=["improvement reports"])
Reader = Annotated[Caller, requires("read")]
STAGE = "improvement_reports"
_PAGE = "report.html"
_SUBJECT = "film_reviews, 2026-11-09 to 2026-11-15: 1 DeltaOne certified (+8.18 pp), 556 traces"
_EXAMPLE: dict[str, Any] = {
    "program": "film_reviews",
    "day": "2026-11-15",
    "subject": _SUBJECT,
    "verdict": "1 DeltaOne certified",
    "headline": "Certified: better by 8.18 pp",
    "sentence": "2026-11-09 to 2026-11-15: 556 traces came in, 92.7 a day (64.0 a day in the 7 days before).",
    "summary": f"{_SUBJECT}\n\nCertified:    2 comparisons; 2026-11-12 better by 8.18 pp\n",
    "this": {"first": "2026-11-09", "last": "2026-11-15", "traces": 556, "certified": ["2026-11-12"]},
    "before": {"first": "2026-11-02", "last": "2026-11-08", "traces": 448, "certified": []},
    "moved": ["mean score"],
    "drift": {"score": {"name": "mean score", "moved": True}},
    "serves": "1f" * 32,
    "evidence": {_PAGE: "2e" * 32},
    "amended_since": {},
}


class ImprovementListed(BaseModel):
    """A day that has a report."""

    day: str = Field(description="The last of the days that it is about.", examples=["2026-11-15"])
    subject: str = Field(examples=[_EXAMPLE["subject"]])
    verdict: str = Field(examples=[_EXAMPLE["verdict"]])
    amended_since: list[str] = Field(description="Days of it of which something was revoked after it was made.")


class ImprovementShown(BaseModel):
    """A report as it is recorded."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    program: str
    day: str = Field(description="The last of the days that it is about.")
    subject: str
    verdict: str = Field(description="What came of it, in a few words.")
    headline: str
    sentence: str
    summary: str = Field(description="The report in short, as plain text.")
    this: dict[str, Any] = Field(description="The numbers of these days; amounts are text, in the smallest unit.")
    before: dict[str, Any] = Field(description="The same of as many days before.")
    moved: list[str] = Field(description="What differs beyond chance between the two.")
    drift: dict[str, Any] = Field(description="How far it moved.")
    serves: str | None = Field(description="The version that served at the end.")
    evidence: dict[str, str] = Field(description="SHA-256 of the whole report, by file.")
    amended_since: dict[str, Any] = Field(
        description="What was revoked, or issued again, after it was made: by day, of what it says is certified."
    )


@router.get("", response_model=Page[ImprovementListed], responses=documented(404))
def list_improvement(request: Request, caller: Reader, here: Here, program: Program, asked: Asked) -> Response:
    """List the days that have an improvement report, oldest first."""
    page = asked.of(f"improvement of {program}", here.records.days(program, STAGE), lambda day: day, str)
    return stored(request, {"items": [_listed(here, program, day) for day in page.items], "next": page.next})


@router.get("/{day}.html", response_class=Response, responses=documented_file("text/html") | documented(404, 410))
def show_improvement_page(request: Request, caller: Reader, here: Here, program: Program, day: Day) -> Response:
    """Show an improvement report as a page for people, with what was revoked since it was made."""
    record = _record(here, program, day)
    digest = record["evidence"][_PAGE]
    here.require_unerased(digest)
    notes = [f"{of}. {now['sentence']}" for of, now in amended_since(here, program, record).items()]
    return stored(request, noted(here.evidence.get(digest), notes), "text/html", PRIVATE, PAGE_MAY)


@router.get("/{day}", response_model=ImprovementShown, responses=documented(404))
def show_improvement(request: Request, caller: Reader, here: Here, program: Program, day: Day) -> Response:
    """Show an improvement report as it was recorded when it was made, and what was revoked since.

    `telefine improvement show` makes it anew, of what is stored now.
    """
    record = _record(here, program, day)
    since = amended_since(here, program, record)
    return stored(request, {"program": program, "day": day, **record, "amended_since": since})


def _listed(here: Deployment, program: str, day: str) -> dict[str, Any]:
    record = here.records.read(program, STAGE, day)
    since = [*amended_since(here, program, record)]
    return {"day": day, "subject": record["subject"], "verdict": record["verdict"], "amended_since": since}


def _record(here: Deployment, program: str, day: str) -> dict[str, Any]:
    record = here.records.find(program, STAGE, day)
    if record is None:
        raise not_found(
            f"{program} has no improvement report of {day}; made with: "
            f"telefine run improvement_reports --program {program} --day {day}"
        )
    return record
