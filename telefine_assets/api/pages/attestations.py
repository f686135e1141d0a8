"""The page of an attestation. It shows what is claimed; whether that is true, the reader's own browser finds out."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from telefine_assets.api.archives import MEDIA_TYPE, archive_of
from telefine_assets.api.deployment import Deployment
from telefine_assets.api.pages.attestation_view import shown
from telefine_assets.api.pages.certified import certified
from telefine_assets.api.pages.rendering import SIGNED_IN, page
from telefine_assets.api.parameters import Here
from telefine_assets.api.problems import not_found
from telefine_assets.api.security import Caller, anyone, requires
from telefine_assets.api.standings import standing
from telefine_assets.attestation.standing import Issued
from telefine_assets.ledger.api_keys import Scope

router = APIRouter(include_in_schema=False)
Visitor = Annotated[Caller, anyone(session=True)]
Reader = Annotated[Caller, requires("read", cost=10, session=True)]
_UID = re.compile("0x[0-9a-f]{64}")


@router.get("/attestations/{uid}")
def show_attestation(request: Request, caller: Visitor, here: Here, uid: str) -> Response:
    """Show an attestation."""
    found = _found(here, uid.lower()) if _UID.fullmatch(uid.lower()) else None
    if found is None:
        raise not_found(
            "there is no attestation of this name here; a name is 0x and 64 digits, and the page of each program "
            "lists those that there are"
        )
    view = shown(found, here.log().state, here.settings.signer, here.settings.api.public_evidence)
    of_day = standing(here, found.claim.program, found.claim.partition)
    return page(request, caller, "attestation", it=found, view=view, day=of_day, reads=caller.opens(Scope.READ))


@router.get("/attestations/{uid}/archive")
def hand_archive_on(caller: Reader, here: Here, uid: str) -> Response:
    """Hand the archive of an attestation to those who signed in."""
    name = {"Content-Disposition": f'attachment; filename="{uid}.tar"'}
    return Response(archive_of(here, uid), headers=SIGNED_IN | name, media_type=MEDIA_TYPE)


def _found(here: Deployment, uid: str) -> Issued | None:
    every = (each for program in here.settings.programs for each in certified(here, program))
    return next((each for each in every if each.uid == uid), None)
