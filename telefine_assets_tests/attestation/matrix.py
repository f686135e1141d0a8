"""An attestation that two of two signed, with its log, and how a stranger verifies the whole of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from telefine_assets.attestation.log_records import Revocation
from telefine_assets.attestation.policy import SignerPolicy
from telefine_assets.attestation.snapshot import CheckedLog, Snapshot, check_snapshot
from telefine_assets.attestation.verify import VerifiedAttestation, verify
from telefine_assets_tests.attestation.example import ATTESTER, NOW, recheck
from telefine_assets_tests.attestation.logs import EVIDENCE, POLICY, SECOND, THIRD, World, admit, retire

WORLD = World.begun()
WORLD.say(admit(SECOND), ATTESTER)
BUNDLE = WORLD.cosign(WORLD.attest(), SECOND)
WORLD.say(admit(THIRD), SECOND)
WORLD.say(Revocation("0x" + "1" * 64, "of nothing"), ATTESTER)
WORLD.say(retire(THIRD), THIRD)

BOTH = replace(POLICY, required=2, attesters=frozenset({ATTESTER.address, SECOND.address}))
PARTS: dict[str, Any] = {
    "envelope": BUNDLE.envelope,
    "statement": BUNDLE.statement,
    "receipt": BUNDLE.receipt,
    "cosignatures": list(BUNDLE.cosignatures),
    "log": WORLD.snapshot().to_json(),
}


@cache
def honest_log(policy: SignerPolicy) -> CheckedLog:
    return check_snapshot(Snapshot.from_json(PARTS["log"]), policy)


def verify_parts(
    policy: SignerPolicy = BOTH, evidence: Any = EVIDENCE, at: int = NOW, **changed: Any
) -> VerifiedAttestation:
    """Verify all parts, some of them changed."""
    parts = PARTS | changed
    checked = check_snapshot(Snapshot.from_json(parts["log"]), policy) if "log" in changed else honest_log(policy)
    return verify(
        parts["envelope"],
        parts["statement"],
        evidence,
        checked.policy,
        parts["receipt"],
        at=at,
        cosignatures=parts["cosignatures"],
        log=checked,
        recheck_decision=recheck,
    )
