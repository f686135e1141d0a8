"""Whether everything that a deployment has proved can still be proved: audit log, log, attestations, claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from sqlalchemy import select, union

from telefine_assets.attestation.attesting import reverify
from telefine_assets.attestation.bundle import AttestationBundle
from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets.attestation.trust import Trust
from telefine_assets.canonical import sha256_hex
from telefine_assets.errors import TelefineError
from telefine_assets.keeping.holds import ATTESTATIONS, PAYOUTS, read_records
from telefine_assets.keeping.places import EVIDENCE, Track
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.ledger.schema import champions, payouts
from telefine_assets.payouts.exports import checked_claims
from telefine_assets.payouts.paying import PAID, claim_problems
from telefine_assets.payouts.plan import PayoutError
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files

Result = TypeVar("Result")


@dataclass(frozen=True)
class Proven:
    """What was verified.

    Attributes:
        audit_rows: rows of the audit log.
        leaves: leaves of the transparency log.
        attestations: attestations that verified.
        distrusted: attestations of keys that leaked, by the log: they are whole, and prove nothing any more.
        payouts: payouts whose claims were built again, to the same root.
        problems: what did not verify, each with its reason.
        erased: names of the files that were erased, by the uid of each attestation that verifies without them.
    """

    audit_rows: int
    leaves: int
    attestations: int
    distrusted: int
    payouts: int
    problems: tuple[str, ...]
    erased: Mapping[str, Set[str]]


def prove(ledger: Ledger, trust: Trust, files: Files, track: Track, audit: str | None = None) -> Proven:
    """Verify the audit chain, replay the log, and verify every attestation and every payout's claims.

    An attestation that was promoted or paid, and that no record names, is looked
    for in all of the evidence.

    Args:
        ledger: the ledger.
        trust: whom the deployment trusts, by its log.
        files: the store.
        track: shows how far it has come.
        audit: digest of a row of the audit log that must be there.
    """
    problems: list[str] = []
    rows = _checked(problems, "audit log", lambda: Audit(ledger).verify(audit))
    named = [each for _, each in read_records(files, ATTESTATIONS) if each["uid"] is not None]
    lost = _relied_on(ledger) - {each["uid"] for each in named}
    found = _bundles(files, lost, track) if lost else {}
    problems += [f"attestation {uid}: no evidence holds it" for uid in sorted(lost - found.keys())]
    find = EvidenceStore(files).find
    attested = distrusted = 0
    erased: dict[str, Set[str]] = {}
    for each in track([*named, *({"uid": uid, "bundle": bundle} for uid, bundle in found.items())], "attestations"):
        standing = _checked(problems, f"attestation {each['uid']}", partial(_standing, each, trust, find))
        attested += isinstance(standing, frozenset)
        distrusted += standing is False
        erased |= {each["uid"]: standing} if standing else {}
    paid = [each for _, each in read_records(files, PAYOUTS) if each["outcome"] == PAID]
    claimed = 0
    for each in track(paid, "claims"):
        claimed += bool(_checked(problems, f"payout of {each['attestation']}", partial(_claims, each, ledger, files)))
    return Proven(rows or 0, trust.state().size, attested, distrusted, claimed, tuple(problems), erased)


def _checked(problems: list[str], what: str, verify: Callable[[], Result]) -> Result | None:
    """What came of it, or None with the reason among the problems."""
    try:
        return verify()
    except TelefineError as error:
        problems.append(f"{what}: {error}")
        return None


def _standing(
    record: Mapping[str, Any], trust: Trust, find: Callable[[str], bytes | None]
) -> frozenset[str] | Literal[False]:
    """Which files were erased of an attestation that verifies; False where all against it is that its key leaked."""
    try:
        verified = reverify(record, trust, find).verified
    except VerificationFailed as failure:
        if failure.code is not FailureCode.UNTRUSTED_SIGNER:
            raise
        return False
    return frozenset(each.name for each in verified.erased) if verified else frozenset()


def _relied_on(ledger: Ledger) -> set[str]:
    """Attestations that something was promoted or paid on."""
    promoted = select(champions.c.attestation).where(champions.c.attestation.is_not(None))
    with ledger.reading() as connection:
        return {str(uid) for uid in connection.scalars(union(promoted, select(payouts.c.attestation)))}


def _bundles(files: Files, uids: Set[str], track: Track) -> dict[str, str]:
    """Digests of the attestations in the evidence, by uid."""
    found: dict[str, str] = {}
    for name in track([*files.sizes(EVIDENCE)], "looking for attestations"):
        content = files.read(name) or b""
        if b'"envelope"' in content and any(uid.encode() in content for uid in uids):
            with suppress(VerificationFailed, KeyError, TypeError):
                uid = AttestationBundle.from_bytes(content).envelope["sig"]["uid"]
                found |= {uid: sha256_hex(content)} if uid in uids else {}
    return found


def _claims(record: Mapping[str, Any], ledger: Ledger, files: Files) -> bool:
    """Build the claims of a payout again, from the ledger's totals as they were then."""
    book = Payouts(ledger)
    paid = book.of(record["attestation"])
    if paid is None:
        raise PayoutError("the ledger knows of no such payout. Materialise contributor_payouts again.")
    checked_claims(record, book.totals_before(paid.program, paid.token, paid.seq + 1))
    if wrong := claim_problems(record, EvidenceStore(files).get):
        raise PayoutError("; ".join(wrong))
    return True
