"""Programs, their versions, and how their stages, schedules and sensors stand."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel
from starlette.responses import Response

from telefine_assets.api.answers import Asked, Page, stored
from telefine_assets.api.deployment import Deployment
from telefine_assets.api.parameters import Here, Program
from telefine_assets.api.problems import documented, not_found
from telefine_assets.api.security import Caller, requires
from telefine_assets.control.records import AutomationState, StageState
from telefine_assets.programs.catalogue import Entry, UnknownVersion, described

router = APIRouter(prefix="/v1/programs", tags=["programs"])
Reader = Annotated[Caller, requires("read")]
_STAGES = ("compiled_programs", "deltaone_reports")


class ProgramShown(BaseModel):
    """A program, and what serves."""

    program: str
    description: str
    owner: str
    metric: str
    experiment: str
    champion: str | None
    """The version that was promoted last; null while the first one serves."""
    champion_since: str | None
    champion_attestation: str | None


@router.get("", response_model=Page[ProgramShown])
def list_programs(request: Request, caller: Reader, here: Here, asked: Asked) -> Response:
    """List the programs, by name."""
    names = sorted(here.settings.programs)
    page = asked.of("programs", names, lambda name: name, str)
    return stored(request, {"items": [_shown(here, name) for name in page.items], "next": page.next})


@router.get("/{program}", response_model=ProgramShown, responses=documented(404))
def show_program(request: Request, caller: Reader, here: Here, program: Program) -> Response:
    """Show one program."""
    return stored(request, _shown(here, program))


@router.get("/{program}/versions", response_model=Page[Entry], responses=documented(404))
def list_versions(request: Request, caller: Reader, here: Here, program: Program, asked: Asked) -> Response:
    """List the versions of a program: the first one, then the candidates by day."""
    serving = here.champions.current(program)
    stamp = here.records.stamp(program, *_STAGES)
    entries = here.kept.get(
        ("versions", program),
        None if stamp is None else (stamp, serving.seq if serving else 0),
        lambda: here.catalogue(program).entries(),
    )
    page = asked.of(f"versions of {program}", entries, lambda entry: entry.day or "", str)
    return stored(request, page)


@router.get("/{program}/versions/{version}", response_model=dict[str, Any], responses=documented(404))
def show_version(
    request: Request,
    caller: Reader,
    here: Here,
    program: Program,
    version: Annotated[
        str,
        Path(
            pattern=r"^[0-9a-z-]{1,64}$",
            description="champion, candidate (the latest), first, a day, or at least 6 digits of the version.",
            examples=["champion"],
        ),
    ],
) -> Response:
    """Show a version: instructions, demos with the traces they come from, strategy, model, lineage."""
    catalogue = here.catalogue(program)
    try:
        digest = catalogue.resolve(version)
    except UnknownVersion:
        raise not_found(f"{program} has no version of that name, or more than one") from None
    return stored(request, described(catalogue, digest))


@router.get("/{program}/stages", response_model=list[StageState], responses=documented(404, 503))
def list_stages(request: Request, caller: Reader, here: Here, program: Program) -> Response:
    """How far each stage has come: its newest day, the days that failed and those that run."""
    return stored(request, list(here.control.stages(program)))


@router.get("/{program}/automation", response_model=list[AutomationState], responses=documented(404, 503))
def list_automation(request: Request, caller: Reader, here: Here, program: Program) -> Response:
    """Schedules and sensors: whether they are on, what their last tick said, when the next one is."""
    return stored(request, list(here.control.automation(program)))


def _shown(here: Deployment, name: str) -> dict[str, Any]:
    own, serves = here.settings.programs[name], here.champions.current(name)
    return {
        "program": name,
        "description": own.description,
        "owner": own.owner,
        "metric": own.metric.label,
        "experiment": own.experiment,
        "champion": serves.version if serves else None,
        "champion_since": serves.day if serves else None,
        "champion_attestation": serves.attestation if serves else None,
    }
