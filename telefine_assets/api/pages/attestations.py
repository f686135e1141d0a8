"""The page of an attestation. It shows what is claimed; whether that is true, the reader's own browser finds out."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from telefine_assets.api.deployment import Deployment
from telefine_assets.api.pages.attestation_view import shown
from telefine_assets.api.pages.certified import Certified, certified
from telefine_assets.api.pages.rendering import page
from telefine_assets.api.parameters import Here
from telefine_assets.api.problems import not_found
from telefine_assets.api.security import Caller, anyone

router = APIRouter(include_in_schema=False)
Visitor = Annotated[Caller, anyone(session=True)]
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
    return page(request, caller, "attestation", it=found, view=view)


def _found(here: Deployment, uid: str) -> Certified | None:
    every = (each for program in here.settings.programs for each in certified(here, program))
    return next((each for each in every if each.uid == uid), None)
