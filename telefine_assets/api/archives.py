"""An attestation with all of its evidence, as one file that verifies anywhere.

The evidence quotes traces, so that it is for readers, whatever ``api.public_evidence`` says.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from telefine_assets.api.answers import PRIVATE, documented_file, stored
from telefine_assets.api.attestations import issued
from telefine_assets.api.deployment import Deployment
from telefine_assets.api.parameters import Here, Uid
from telefine_assets.api.problems import Problem, documented
from telefine_assets.api.security import Caller, requires

router = APIRouter(prefix="/v1", tags=["attestations"])
# Each is made anew, under a newly signed head.
Reader = Annotated[Caller, requires("read", cost=10)]
MEDIA_TYPE = "application/x-tar"


@router.get(
    "/attestations/{uid}/archive",
    response_class=Response,
    responses=documented_file(MEDIA_TYPE) | documented(404, 410, 503),
)
def show_archive(request: Request, caller: Reader, here: Here, uid: Uid) -> Response:
    """Get an attestation, all its evidence and the log as one archive, for `telefine attest verify`.

    It is the one that `telefine evidence export` writes. Where some of the evidence was erased there is none: 410.
    """
    name = {"Content-Disposition": f'attachment; filename="{uid}.tar"'}
    return stored(request, archive_of(here, uid), MEDIA_TYPE, PRIVATE, name)


def archive_of(here: Deployment, uid: str) -> bytes:
    """The archive of an attestation, for a caller who may read it.

    Raises:
        Problem: 404, 410 where evidence of it was erased, or 503 where another one is being packed.
    """
    found = issued(here, uid)
    # A large one fills the memory; who is let in first is served first.
    if not here.verifying.acquire(blocking=False):
        raise Problem(503, "busy", "another attestation is being verified or packed", {"Retry-After": "1"})
    try:
        return _packed(here, found.bundle)
    finally:
        here.verifying.release()


def _packed(here: Deployment, bundle: str) -> bytes:
    from telefine_assets.attestation.archive import pack
    from telefine_assets.attestation.bundle import AttestationBundle
    from telefine_assets.attestation.export import exported

    content = here.evidence.get(bundle)
    for file in AttestationBundle.from_bytes(content).statement["predicate"]["evidence"]:
        here.require_unerased(file["sha256"])
    return pack(exported(content, here.trust(), here.signer, here.evidence.get))
