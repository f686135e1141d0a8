"""Attestations and the log they are in. They are public: whoever has the uid may read and verify.

Evidence files quote traces, so that they need a key unless ``api.public_evidence`` is set.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from telefine_assets.api.answers import FOREVER, PRIVATE, PUBLIC, Asked, Page, documented_file, stored
from telefine_assets.api.deployment import Deployment
from telefine_assets.api.parameters import Digest, Here, Uid
from telefine_assets.api.problems import Problem, documented, not_found
from telefine_assets.api.security import Caller, anyone, check_scope
from telefine_assets.api.standings import standings
from telefine_assets.attestation.standing import Issued
from telefine_assets.ledger.api_keys import Scope

router = APIRouter(prefix="/v1", tags=["attestations"])
Anyone = Annotated[Caller, anyone()]
Verifier = Annotated[Caller, anyone(cost=10)]
# The log is kept as bytes; every page of an attestation asks for it.
LogReader = Annotated[Caller, anyone(cost=2)]


class AttestationListed(BaseModel):
    """An attestation in the list."""

    uid: str
    program: str
    day: str
    outcome: str = Field(description="By the log as it is now: attested, awaiting_signatures or revoked.")
    signer: str
    log_index: int
    candidate: str
    baseline: str
    gain_ppm: int = Field(description="What it claims, or claimed until it was revoked.")
    replaced_by: str | None = Field(description="The attestation that was issued again for it, by corrected feedback.")


class Attestation(BaseModel):
    """An attestation, as `attestation.json` of an export has it."""

    envelope: dict[str, Any] = Field(description="EAS off-chain attestation, version 2.")
    statement: dict[str, Any] = Field(description="in-toto statement.")
    receipt: dict[str, Any] | None = Field(description="That it is in the log, under the head of its time.")
    cosignatures: list[dict[str, Any]]


class Verification(BaseModel):
    """What a verification from stored evidence, done for this answer, came to."""

    uid: str
    valid: bool
    code: str | None = Field(description="Why not: a stable code.", examples=["revoked"])
    detail: str | None
    signers: list[str] = Field(description="Attesters whose signatures count.")
    log_size: int = Field(description="Leaves of the log that it was judged by.")


@router.get("/attestations", response_model=Page[AttestationListed])
def list_attestations(request: Request, caller: Anyone, here: Here, asked: Asked) -> Response:
    """List the attestations of all programs, by day; those too that were revoked and issued again."""
    found = sorted(_index(here).values(), key=_place)
    page = asked.of("attestations", found, _place, list[str])
    items = [_listed(each) for each in page.items]
    return stored(request, {"items": items, "next": page.next}, caching=PUBLIC)


@router.get("/attestations/{uid}", response_model=Attestation, responses=documented(404))
def show_attestation(request: Request, caller: Anyone, here: Here, uid: Uid) -> Response:
    """Get an attestation with the cosignatures that came in so far."""
    from telefine_assets.attestation.bundle import AttestationBundle

    stored_bytes = here.evidence.get(issued(here, uid).bundle)
    return stored(request, here.trust().cosigned(AttestationBundle.from_bytes(stored_bytes)).to_bytes(), caching=PUBLIC)


@router.get("/attestations/{uid}/statement", response_model=dict[str, Any], responses=documented(404))
def show_statement(request: Request, caller: Anyone, here: Here, uid: Uid) -> Response:
    """Get the statement, in the bytes that the envelope's digest is of."""
    from telefine_assets.canonical import canonical_json

    return stored(request, canonical_json(_bundle(here, uid).statement), caching=PUBLIC)


@router.get("/attestations/{uid}/receipt", response_model=dict[str, Any], responses=documented(404))
def show_receipt(request: Request, caller: Anyone, here: Here, uid: Uid) -> Response:
    """Get the log's receipt, under the signed head of the time when it was attested."""
    return stored(request, _bundle(here, uid).receipt, caching=PUBLIC)


@router.get("/attestations/{uid}/proof", response_model=dict[str, Any], responses=documented(404, 503))
def show_proof(request: Request, caller: Anyone, here: Here, uid: Uid) -> Response:
    """Get a proof that the attestation is in the log as it stands now, under a newly signed head."""
    from telefine_assets.attestation.log_receipt import make_receipt

    index, snapshot = issued(here, uid).log_index, _snapshot(here)
    return stored(request, make_receipt(here.log().log, index, snapshot.head).to_json(), caching=PUBLIC)


@router.get("/attestations/{uid}/verification", response_model=Verification, responses=documented(404, 503))
def verify_attestation(caller: Verifier, here: Here, uid: Uid) -> Verification:
    """Verify an attestation again: envelope, evidence, decision, weights, log, revocation.

    It is this server that says so. Who does not trust it verifies an export, offline.
    """
    found = issued(here, uid)
    if not here.verifying.acquire(blocking=False):
        raise Problem(503, "busy", "another attestation is being verified", {"Retry-After": "1"})
    try:
        return _verified(here, found)
    finally:
        here.verifying.release()


@router.get(
    "/attestations/{uid}/evidence/{digest}",
    response_class=Response,
    responses=documented_file("application/octet-stream") | documented(403, 404, 410),
)
def show_evidence(request: Request, caller: Anyone, here: Here, uid: Uid, digest: Digest) -> Response:
    """Get an evidence file that the attestation's statement names."""
    public = here.settings.api.public_evidence
    if not public:
        check_scope(caller, Scope.READ)
    if digest not in {file["sha256"] for file in _bundle(here, uid).statement["predicate"]["evidence"]}:
        raise not_found("the attestation has no such evidence")
    here.require_unerased(digest)
    caching = FOREVER if public else PRIVATE
    name = {"Content-Disposition": f'attachment; filename="{digest}"'}
    return stored(request, here.evidence.get(digest), "application/octet-stream", caching, name)


@router.get("/log", response_model=dict[str, Any], responses=documented(503))
def show_log(request: Request, caller: LogReader, here: Here) -> Response:
    """Get the whole log under a newly signed head: every key that came and went, and every revocation."""
    return stored(
        request, here.kept.get("log.json", here.leaves.size(), lambda: _snapshot(here).to_bytes()), caching=PUBLIC
    )


def _verified(here: Deployment, found: Issued) -> Verification:
    from telefine_assets.attestation.attesting import Standing, reverify
    from telefine_assets.attestation.failures import VerificationFailed

    size = here.leaves.size()
    try:
        standing = reverify({"uid": found.uid, "bundle": found.bundle}, here.trust(), here.evidence.find)
    except VerificationFailed as failed:
        standing = Standing(None, failed)
    why, verified = standing.failure, standing.verified
    return Verification(
        uid=found.uid,
        valid=why is None,
        code=why.code if why else None,
        detail=why.detail if why else None,
        signers=list(verified.signers) if verified else [],
        log_size=size,
    )


def _snapshot(here: Deployment) -> Any:
    """The log under a head that is signed once for each size.

    Raises:
        TelefineError: this server has no key, or one that is not good in the log.
    """
    from telefine_assets.attestation.log_writing import require_good
    from telefine_assets.attestation.snapshot import take_snapshot

    def taken() -> Any:
        require_good(here.log().state, here.signer.address)
        return take_snapshot(here.leaves.leaves(size), here.settings.deployment, here.signer)

    size = here.leaves.size()
    return here.kept.get("snapshot", size, taken)


def _index(here: Deployment) -> dict[str, Issued]:
    """All attestations by uid."""
    found = (each for program in here.settings.programs for each in standings(here, program).values())
    return {each.uid: each for standing in found for each in standing.issued}


def issued(here: Deployment, uid: str) -> Issued:
    """The attestation of this uid.

    Raises:
        Problem: 404.
    """
    found = _index(here).get(uid)
    if found is None:
        raise not_found(f"there is no attestation {uid}")
    return found


def _bundle(here: Deployment, uid: str) -> Any:
    from telefine_assets.attestation.bundle import AttestationBundle

    return AttestationBundle.from_bytes(here.evidence.get(issued(here, uid).bundle))


def _place(each: Issued) -> list[str]:
    # Of a day, as they came.
    return [each.claim.partition, each.claim.program, f"{each.log_index:020}", each.uid]


def _listed(each: Issued) -> dict[str, Any]:
    claim, names = each.claim, ("uid", "outcome", "signer", "log_index", "replaced_by")
    return {name: getattr(each, name) for name in names} | {
        "program": claim.program,
        "day": claim.partition,
        "candidate": claim.candidate_version,
        "baseline": claim.baseline_version,
        "gain_ppm": claim.decision.delta_ppm,
    }
