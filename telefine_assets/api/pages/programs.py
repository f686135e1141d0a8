"""The list of programs, and the page of each."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from telefine_assets.api.deployment import Deployment
from telefine_assets.api.pages import program_view
from telefine_assets.api.pages.certified import certified
from telefine_assets.api.pages.payouts_read import payouts
from telefine_assets.api.pages.rendering import SIGNED_IN, page
from telefine_assets.api.parameters import Here
from telefine_assets.api.problems import not_found
from telefine_assets.api.reports import STAGE as REPORTS
from telefine_assets.api.reports import page_of_day
from telefine_assets.api.security import Caller, anyone, requires
from telefine_assets.api.standings import standing
from telefine_assets.attestation.standing import Issued
from telefine_assets.control.errors import ControlError
from telefine_assets.control.records import RunState
from telefine_assets.ledger.api_keys import Scope
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.records import ATTESTED, Champion

router = APIRouter(include_in_schema=False)
Visitor = Annotated[Caller, anyone(session=True)]
Reader = Annotated[Caller, requires("read", session=True)]
_RUNS, _REPORTS = 8, 8


async def _known(here: Here, program: str) -> str:
    if program not in here.settings.programs:
        raise not_found("there is no program of this name here; the list of programs has them all")
    return program


Program = Annotated[str, Depends(_known)]


@router.get("/")
def show_programs(request: Request, caller: Visitor, here: Here) -> Response:
    """Show all programs, each with what serves and the last certified gain."""
    rows = [
        program_view.listed(name, own.description, here.champions.current(name), certified(here, name))
        for name, own in sorted(here.settings.programs.items())
    ]
    return page(request, caller, "index", programs=rows)


@router.get("/programs/{program}")
def show_program(request: Request, caller: Visitor, here: Here, program: Program) -> Response:
    """Show a program: what serves, the story of its DeltaOnes, what was paid; to readers its runs and reports too."""
    own, serving, claims = here.settings.programs[program], here.champions.current(program), certified(here, program)
    inside = _inside(here, program) if caller.opens(Scope.READ) else None
    return page(
        request,
        caller,
        "program",
        program=program,
        description=own.description,
        metric=own.metric.label,
        champion=_champion(here, serving, claims, inside is not None),
        story=program_view.story(claims, serving, inside["failed_looks"] if inside else []),
        certified=program_view.rows(claims, serving),
        older=max(0, len(claims) - program_view.MOST),
        payouts=payouts(here, program),
        inside=inside,
    )


@router.get("/programs/{program}/reports/{day}")
def show_report(request: Request, caller: Reader, here: Here, program: Program, day: str) -> Response:
    """Show a day's report to those who signed in."""
    if day not in here.records.days(program, REPORTS):
        raise not_found(f"there is no report of this day; see the reports of {program} on its page")
    return page_of_day(request, here, program, day, SIGNED_IN)


def _champion(
    here: Deployment, serving: Champion | None, claims: list[Issued], whole: bool
) -> program_view.Serving | None:
    if serving is None:
        return None
    by = _chosen_by(here, serving) if whole and serving.how != ATTESTED else None
    return program_view.serving(serving, claims, by)


def _chosen_by(here: Deployment, serving: Champion) -> str | None:
    """Who chose a version by hand, by the audit log."""
    rows = Audit(here.ledger).rows(serving.program)
    return next((row.actor for row in reversed(rows) if row.details.get("version") == serving.version), None)


def _inside(here: Deployment, program: str) -> dict[str, Any]:
    """What only readers see: runs, reports, and the looks that did not reach DeltaOne."""
    reports = [(day, here.records.read(program, REPORTS, day)) for day in here.records.days(program, REPORTS)]
    runs, trouble = _runs(here, program)
    return {
        "runs": [program_view.run(each) for each in runs],
        "trouble": trouble,
        "reports": [
            program_view.report(day, record, standing(here, program, day))
            for day, record in reports[: -_REPORTS - 1 : -1]
        ],
        "failed_looks": [
            (day, record["public"]["k"])
            for day, record in reports
            if not record["reached"] and record["public"].get("k") is not None
        ],
    }


def _runs(here: Deployment, program: str) -> tuple[list[RunState], bool]:
    """The newest runs, and whether Dagster could not be asked: the rest of the page needs it not."""
    try:
        return list(here.control.runs(program, _RUNS)), False
    except ControlError:
        return [], True
