"""The version that serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from telefine_assets.attestation.verify import VerifiedAttestation
from telefine_assets.errors import TelefineError
from telefine_assets.ledger.records import Champion, Promotion
from telefine_assets.programs.spec import ProgramError, ProgramSpec
from telefine_assets.programs.versions import Version, first_version


class Promotions(Protocol):
    """The part of ``ledger.champions.Champions`` that a promotion uses."""

    def before(self, program: str, day: str) -> Champion | None:
        """The champion that served during ``day``."""
        ...

    def current(self, program: str) -> Champion | None:
        """The champion that serves now."""
        ...

    def of(self, attestation: str) -> Champion | None:
        """The promotion that an attestation brought about."""
        ...

    def promote(self, promotion: Promotion, at: datetime) -> Champion:
        """Record a promotion once."""
        ...

    def why_unpaid(self, promoted: Champion) -> str | None:
        """Why nothing is paid for a promotion, in words; None if it is one to pay for."""
        ...


def serving(
    spec: ProgramSpec, champion: Champion | None, evidence: Callable[[str], bytes], lm: Mapping[str, str]
) -> Version:
    """The champion's version from stored evidence, or the first version when nothing was ever promoted.

    Raises:
        ProgramError: when the champion cannot serve, with the cure. It is never
            replaced by something else without a word.
    """
    if champion is None:
        return first_version(spec, lm)
    try:
        version = Version(evidence(champion.version))
        version.module(spec)
    except TelefineError as error:
        raise ProgramError(
            f"{spec.name}: version {champion.version[:12]}, which serves since {champion.day}, cannot be used: "
            f"{error}. Restore it, or go back to the version before it: "
            f"telefine programs rollback --program {spec.name} --reason REASON --by NAME"
        ) from error
    return version


def promote_day(
    program: str,
    day: str,
    verified: VerifiedAttestation | None,
    promotions: Promotions,
    at: datetime,
    hindrance: str | None = None,
) -> dict[str, Any]:
    """Promote what a verified attestation is about; returns the stage's record.

    With a ``hindrance`` (it is revoked, signatures are missing) nothing new is
    promoted on it; what it once brought about stands, until somebody rolls it back.
    ``at`` is the time for the audit log; nothing in the record depends on it.
    The record names the attestation only if the gain is to be paid, as the ledger stands now
    (see ``ledger.gains``). One that was issued again promotes what the revoked
    one did not; where that one did promote, its promotion stands, and is what the
    new one is paid for.
    """
    if verified is None:
        return _kept(program, day, promotions, "no attestation for this day: what served before goes on")
    claim = verified.claim
    if (claim.program, claim.partition) != (program, day):
        raise ProgramError(f"attestation {verified.uid} is about {claim.program} on {claim.partition}, not {program}")
    standing = [each for uid in (verified.uid, *claim.replaces) if (each := promotions.of(uid)) is not None]
    if standing and standing[0].attestation != verified.uid:
        return _taken_over(program, verified.uid, standing[0], promotions, hindrance)
    if not standing:
        if hindrance is not None:
            return _kept(program, day, promotions, f"attestation {verified.uid} is {hindrance}")
        now, before = promotions.current(program), promotions.before(program, day)
        if now is not None and now.day >= day:
            # Beating what it has replaced would be the same gain again, paid twice.
            reason = f"version {now.version[:12]} of {now.day} serves already; a gain over what it replaced is not new"
            return {"outcome": "superseded", "serves": now.version, "reason": reason, "attestation": None}
        if before is not None and before.version != claim.baseline_version:
            raise ProgramError(
                f"attestation {verified.uid} is about a gain over {claim.baseline_version[:12]}, but "
                f"{before.version[:12]} served on {day}; nothing is promoted or paid on it"
            )
    asked = Promotion(program, day, claim.candidate_version, claim.baseline_version, verified.uid)
    promoted = promotions.promote(asked, at)
    why = promotions.why_unpaid(promoted)
    if why is not None:
        reason = f"{promoted.reason} {why}: it was promoted, but winning it back is not paid again"
        return {"outcome": "regained", "serves": promoted.version, "reason": reason, "attestation": None}
    return {"outcome": "promoted", "serves": promoted.version, "reason": promoted.reason, "attestation": verified.uid}


def _taken_over(
    program: str, uid: str, promoted: Champion, promotions: Promotions, hindrance: str | None
) -> dict[str, Any]:
    """The promotion by an attestation that was revoked since, under the one that replaces it."""
    now = promotions.current(program)
    reason = f"attestation {promoted.attestation} promoted it, which attestation {uid} replaces"
    if hindrance is not None:
        reason += f", and that one is {hindrance}"
    why = promotions.why_unpaid(promoted)
    if why is not None:
        reason += f"; it {why}, which is not paid again"
    serves = promoted.version if now is None else now.version
    return {"outcome": "promoted", "serves": serves, "reason": reason, "attestation": uid if why is None else None}


def _kept(program: str, day: str, promotions: Promotions, reason: str) -> dict[str, Any]:
    before = promotions.before(program, day)
    serves = before.version if before else "first version"
    return {"outcome": "kept", "serves": serves, "reason": reason, "attestation": None}
