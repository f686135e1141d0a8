"""``telefine attest reissue``: a revoked attestation again, by corrected feedback."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.attest_shared import Reason, audit_entry, evidence_of, ledger_of, record_of, trust_of
from telefine_assets.cli.shared import AsJson, coded, note, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attestation.claim import Claim
    from telefine_assets.attestation.reissuing import Now
    from telefine_assets.attestation.verify import VerifiedAttestation
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.settings.schema import Settings
    from telefine_assets.store.evidence import EvidenceStore


def reissue(
    uid: Annotated[str, typer.Argument(help="The uid of the attestation that was revoked.")],
    reason: Reason,
    by: Annotated[str | None, typer.Option("--by", help="Who decides it; who runs the command if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Prepare a revoked attestation again by corrected feedback: the same look and answers, never a larger gain.

    Load the corrected days first (`telefine run traces cleaned_traces`). No language model is asked and no look is
    spent. Where DeltaOne is still reached, the stages `attestations`, `champions` and `contributor_payouts` of its day
    then sign, promote and pay what is new. What was paid stands, and nothing is paid twice.

    Example: telefine attest reissue 0x3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a
    --reason "two wallets were mistyped"
    """
    from telefine_assets.ledger.attested import turn_of
    from telefine_assets.ledger.turns import turn
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    record, evidence, ledger = record_of(settings, uid), evidence_of(settings), ledger_of(settings)
    claim = _revoked(settings, record, ledger, evidence).claim
    with turn(ledger, turn_of(claim.program), 1, partial(note, as_json)):
        found = _prepared(Before(settings, ledger, evidence, claim, record["bundle"]), uid, reason, by, as_json)
    facts = {name: value for name, value in found.items() if name not in ("evidence", "replaced")}
    tell(as_json, {"program": claim.program, "day": claim.partition, **facts}, _lines(claim, found))


@dataclass(frozen=True)
class Before:
    """What is to be issued again, and where: the claim that was revoked, and the digest of its bundle."""

    settings: Settings
    ledger: Ledger
    evidence: EvidenceStore
    claim: Claim
    bundle: str


def _prepared(before: Before, uid: str, reason: str, by: str | None, as_json: bool) -> dict[str, Any]:
    """The record of what is to be signed, kept; whoever prepares or signs at the same time waits for it.

    Raises:
        TelefineError: it was issued again already, or nothing can be.
    """
    from telefine_assets.attestation import reissuing
    from telefine_assets.attestation.bundle import AttestationBundle
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore

    settings, claim, evidence = before.settings, before.claim, before.evidence
    records = RecordStore(Files(settings.store.uri))
    prepared = records.find(claim.program, reissuing.STAGE, claim.partition)
    if (latest := records.read(claim.program, "attestations", claim.partition)["uid"]) != uid:
        raise TelefineError(f"{uid} was issued again already, as {latest}")
    _require_not_signed(claim, prepared, settings, before.ledger)
    bundle = AttestationBundle.from_bytes(evidence.get(before.bundle))
    files = {file.name: evidence.get(file.sha256) for file in claim.evidence}
    now = _now(settings, claim, before.ledger, files)
    with coded(as_json), _audited(before.ledger, by or getpass.getuser(), uid, reason) as told:
        found = reissuing.reissue(bundle, files, reason, now, evidence.put, prepared)
        records.write(claim.program, reissuing.STAGE, claim.partition, found)
        told |= {name: found[name] for name in ("items", "withdrawn_demos", "gain_before_ppm", "gain_ppm")}
    return found


def _revoked(
    settings: Settings, record: Mapping[str, Any], ledger: Ledger, evidence: EvidenceStore
) -> VerifiedAttestation:
    """The attestation of a record, verified again, if the log says that it is revoked."""
    from telefine_assets.attestation.attesting import REVOKED, reverify

    standing = reverify(record, trust_of(settings, ledger), evidence.find)
    if standing.verified is None or standing.outcome != REVOKED:
        raise TelefineError(
            f"{record['uid']} is not revoked ({standing.outcome}), and of a program and a day one attestation is in "
            f"force. First: telefine attest revoke {record['uid']} --reason REASON"
        )
    if standing.verified.erased:
        names = ", ".join(file.name for file in standing.verified.erased)
        raise TelefineError(f"{record['uid']}: {names} was erased on request; what is gone cannot be scored again")
    return standing.verified


def _require_not_signed(claim: Claim, prepared: Mapping[str, Any] | None, settings: Settings, ledger: Ledger) -> None:
    """Prepare nothing else beside what was signed already, and cut off before the day's record named it."""
    if prepared is None:
        return
    state, uid = trust_of(settings, ledger).state(), prepared["uid"]
    if state.leaf_of(uid) is not None and uid not in state.revoked:
        raise TelefineError(
            f"{prepared['replaces']} was issued again already, as {uid}: it stands in the log, and the stage was cut "
            f"off before its record. Finish it: telefine run attestations --day {claim.partition} "
            f"--program {claim.program}"
        )


def _now(settings: Settings, claim: Claim, ledger: Ledger, files: Mapping[str, bytes]) -> Now:
    """The program, and the traces that the attestation names as they are stored now."""
    from telefine_assets.attestation.reissuing import Now, named_traces
    from telefine_assets.attribution.arrivals import Register
    from telefine_assets.attribution.submissions import Scope
    from telefine_assets.cli.attested_traces import stored_traces
    from telefine_assets.ledger.submissions import Submissions
    from telefine_assets.programs.spec import load_spec
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore
    from telefine_assets.store.tables import TableStore

    own, store = settings.program(claim.program), Files(settings.store.uri)
    named, (tables, records) = named_traces(files), (TableStore(store), RecordStore(store))
    cleaned = stored_traces(tables, records, claim.program, claim.partition, named)
    scope = Scope(settings.deployment, claim.program)
    register = Register(scope, Submissions(ledger).of_traces, own.attribution.unsigned)
    return Now(load_spec(claim.program, own), cleaned, register)


@contextmanager
def _audited(ledger: Ledger, by: str, uid: str, reason: str) -> Iterator[dict[str, Any]]:
    """Tell the audit log what was prepared, with the details that the block adds, or why there is nothing."""
    from telefine_assets.attestation.reissuing import NotReissued
    from telefine_assets.ledger.audit import Audit

    audit, details = Audit(ledger), {"reason": reason}
    try:
        yield details
    except NotReissued as refused:
        why = {"reason": reason, "code": refused.code, "why": str(refused)}
        audit.append(audit_entry(by, "did not reissue", uid, **why), datetime.now(UTC))
        raise
    audit.append(audit_entry(by, "prepared a reissue", uid, **details), datetime.now(UTC))


def _lines(claim: Claim, found: Mapping[str, Any]) -> Iterator[str]:
    items, weights = found["items"], found["weights"]
    yield f"{claim.program} {claim.partition}: prepared instead of {found['replaces']}"
    before, after = (found[name] / 10_000 for name in ("gain_before_ppm", "gain_ppm"))
    yield f"  gain        {before:+.2f} pp was attested, {after:+.2f} pp is left"
    yield (
        f"  items       {items['relabelled']} with another label, {items['withdrawn']} without any, "
        f"{items['passed_over']} whose correction would favour the candidate and is not taken"
    )
    held = sum(line["weight_ppm"] for line in weights["escrow"])
    yield f"  weights     {len(weights['lines'])} wallets, {held} ppm in escrow"
    yield (
        "  next        telefine run attestations champions contributor_payouts "
        f"--day {claim.partition} --program {claim.program}"
    )
