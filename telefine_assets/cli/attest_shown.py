"""How ``telefine attest verify`` shows what it found: as facts for programs, and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from telefine_assets.cli.shared import short
from telefine_assets.pages.numbers import at_least, gain

if TYPE_CHECKING:
    from telefine_assets.attestation.handed_on import HandedOn
    from telefine_assets.attestation.policy import SignerPolicy
    from telefine_assets.attestation.verify import VerifiedAttestation


def facts_of(found: HandedOn) -> dict[str, Any]:
    """A verified attestation as JSON: what it claims, who signed, and the log that it was judged by."""
    verified, log = found.verified, found.log
    claim, decision = verified.claim, verified.claim.decision
    names = ("delta_ppm", "lower_ppm", "n", "p", "alpha", "grade")
    return {
        "valid": True,
        "uid": verified.uid,
        "signer": verified.signer,
        "signers": list(verified.signers),
        "log_index": verified.log_index,
        "program": claim.program,
        "day": claim.partition,
        "replaces": list(claim.replaces),
        "candidate_version": claim.candidate_version,
        "baseline_version": claim.baseline_version,
        "decision": {name: getattr(decision, name) for name in names},
        "weights": [{"address": line.address, "weight_ppm": line.weight_ppm} for line in verified.weights.lines],
        "escrow_ppm": verified.weights.escrow_ppm,
        "unchecked": list(verified.unchecked),
        "erased": [asdict(each) for each in verified.erased],
        "log": None
        if log is None
        else {
            "size": log.state.size,
            "genesis": log.state.genesis,
            "good": list(log.state.good),
            "void": len(log.state.void),
        },
    }


def lines_of(found: HandedOn, policy: SignerPolicy, facts: Mapping[str, Any]) -> Iterator[str]:
    """The same in words; ``facts`` say in addition where the policy is from, and what was pinned."""
    yield from _claimed(found)
    if facts["policy"] is None:
        yield "  note        the policy came with the attestation: compare its first key with the one you know"
    yield _judged(found, policy)
    if pinned := facts["pinned"]:
        yield f"  pinned      {pinned['size']} leaves, in {pinned['file']}"
        if pinned["first"]:
            yield "  note        trust on first use: from now on a log that is shorter or rewritten is refused"


def _claimed(found: HandedOn) -> Iterator[str]:
    verified = found.verified
    claim, decision = verified.claim, verified.claim.decision
    yield f"valid: {verified.uid}"
    yield f"  signed by   {verified.signer}, at position {verified.log_index} of the log"
    yield from (f"  and by      {each}" for each in verified.signers if each != verified.signer)
    yield f"  program     {short(claim.program)} {claim.candidate_version[:12]}, day {claim.partition}"
    yield from (f"  instead of  {uid}, which was revoked" for uid in claim.replaces)
    yield (
        f"  claims      {gain(decision.delta_ppm)} on {decision.n} held-out items "
        f"(at least {at_least(decision.lower_ppm)}), p {short(decision.p)} below {short(decision.alpha)}: "
        f"{short(decision.grade)}"
    )
    yield f"  pays        {len(verified.weights.lines)} wallets, {verified.weights.escrow_ppm} ppm in escrow"
    yield from _checked(verified)
    if found.log is not None:
        state = found.log.state
        yield f"  log         {state.size} leaves, first key {state.genesis}, good now: {', '.join(state.good)}"
        if state.void:
            yield f"  log         {len(state.void)} leaves have no effect; see: telefine attest log"


def _checked(verified: VerifiedAttestation) -> Iterator[str]:
    if not verified.erased:
        yield "  decided again from the per-item results; weights computed again from the demos"
        return
    yield "  weights computed again from the demos"
    yield f"  NOT decided again: {len(verified.erased)} files of evidence were erased at a person's request"
    for each in verified.erased:
        said = f"by the word of {each.signer} at position {each.position} of the log: {short(each.reason, 200)}"
        yield f"  erased      {each.name} {each.sha256[:12]}, {said}"


def _judged(found: HandedOn, policy: SignerPolicy) -> str:
    if found.log is None:
        return "  not checked whether it was revoked, or its key retired, after the receipt: no log.json beside it"
    if policy.head is None:
        return "  not checked whether this log is the one that others see: no head is pinned (see --pin)"
    return f"  log         contains the {policy.head.size} leaves that were pinned"
