"""Of a program and a day one attestation is in force: what must hold before another one is signed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from telefine_assets.attestation.claim import Claim
from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets.attestation.replay import LogState
from telefine_assets.errors import TelefineError


class NotAlone(TelefineError):
    """The day has another attestation, which is in force, or which has to be issued again and not anew."""


def require_alone(
    state: LogState, claim: Claim, uid: str, logged: Iterable[str], before: Mapping[str, Any] | None
) -> None:
    """Let a claim pass beside which no other attestation of its day would be in force.

    Args:
        state: what the log says now.
        claim: what is to be signed.
        uid: what it would be known by.
        logged: uids of the day that the ledger has.
        before: the day's record so far, from the store.

    Raises:
        VerificationFailed: ``replaced_not_revoked``: what the claim says that it replaces is in force.
        NotAlone: another one is in force, or the day's last one was revoked and the claim does not replace it.
    """
    for each in claim.replaces:
        if each not in state.revoked:
            raise VerificationFailed(FailureCode.REPLACED_NOT_REVOKED, _in_force(each, claim))
    last = None if before is None else before["uid"]
    for each in {*logged, *([last] if last else [])} - {uid, *claim.replaces}:
        # What a leaked key logged, or nobody did, is in force nowhere.
        if state.leaf_of(each) is None:
            continue
        if each not in state.revoked:
            raise NotAlone(_in_force(each, claim))
        if each == last:
            raise NotAlone(
                f"the attestation of {claim.program} {claim.partition} was {each}, which was revoked, and what would "
                f"be signed does not replace it. Prepare it again with: telefine attest reissue {each}"
            )


def _in_force(uid: str, claim: Claim) -> str:
    return (
        f"{uid} of {claim.program} {claim.partition} is in the log, and in force: of a program and a day, one "
        f"attestation is. Where that one is not to stand, run: telefine attest revoke {uid} --reason REASON"
    )
