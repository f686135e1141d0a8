"""The version that serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from telefine_assets.attestation.verify import VerifiedAttestation
from telefine_assets.ledger.records import Champion
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

    def promote(self, champion: Champion) -> None:
        """Record a promotion once."""
        ...


def serving(
    spec: ProgramSpec, champion: Champion | None, evidence: Callable[[str], bytes], lm: Mapping[str, str]
) -> Version:
    """The champion's version from stored evidence, or the first version when nothing was ever promoted.

    A champion that cannot be read is an error, never silently replaced.
    """
    return first_version(spec, lm) if champion is None else Version(evidence(champion.version))


def promote_day(program: str, day: str, verified: VerifiedAttestation | None, promotions: Promotions) -> dict[str, Any]:
    """Promote what a verified attestation is about; returns the stage's record."""
    if verified is None:
        before = promotions.before(program, day)
        reason = "no attestation for this day: what served before goes on"
        serves = before.version if before else "first version"
        return {"outcome": "kept", "serves": serves, "reason": reason, "attestation": None}
    claim = verified.claim
    if (claim.program, claim.partition) != (program, day):
        raise ProgramError(f"attestation {verified.uid} is about {claim.program} on {claim.partition}, not {program}")
    promoted = promotions.of(verified.uid)
    if promoted is None:
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
    reason = f"attestation {verified.uid}"
    promotions.promote(Champion(program, day, claim.candidate_version, reason, verified.uid))
    serves = claim.candidate_version
    return {"outcome": "promoted", "serves": serves, "reason": reason, "attestation": verified.uid}
