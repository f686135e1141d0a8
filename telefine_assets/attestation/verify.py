"""Verify an attestation offline: envelope, statement, evidence, log.

Nothing is believed because the bundle says so. Whom to trust is the policy's,
the time is the caller's, and whatever the evidence allows is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from telefine_assets.attestation.bundle import AttestationBundle
from telefine_assets.attestation.checks import (
    DecisionRecheck,
    ErasedFile,
    EvidenceSource,
    check_binding,
    check_claim,
    check_decision,
    check_erased,
    check_identity,
    check_log,
    check_log_is_there,
    check_replaced,
    check_standing,
    check_weights,
    fetch_evidence,
)
from telefine_assets.attestation.claim import Claim
from telefine_assets.attestation.cosigning import check_threshold, read_cosignatures
from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.eas_schema import AttestationData
from telefine_assets.attestation.failures import FailureCode, VerificationFailed, expect
from telefine_assets.attestation.log_receipt import LogReceipt
from telefine_assets.attestation.policy import SignerPolicy
from telefine_assets.attestation.snapshot import CheckedLog
from telefine_assets.attestation.statement import evidence_digest, parse_statement
from telefine_assets.attribution.records import RecordError
from telefine_assets.attribution.weights import WeightTable
from telefine_assets.payouts.merkle import shares_root

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class VerifiedAttestation:
    """An attestation that passed.

    Attributes:
        uid: what it is known by.
        signer: who signed it, EIP-55.
        time: the end of its partition, seconds since 1970 UTC.
        data: the fields that a contract reads.
        claim: what it binds.
        weights: the weight table, recomputed from the evidence.
        log_index: its place in the log; None without a receipt.
        signers: the attesters whose signatures count, ascending, EIP-55.
        unchecked: what was not checked because the caller gave no means to:
            ``decision``, ``log``, ``revocation`` (what the log says after the
            receipt). Empty for a full verification.
        erased: files of evidence that are missing because they were erased on request, by
            the signed word that stands in the log; the decision is then unchecked. Empty
            unless the caller accepts it.
    """

    uid: str
    signer: str
    time: int
    data: AttestationData
    claim: Claim
    weights: WeightTable
    log_index: int | None
    signers: tuple[str, ...]
    unchecked: tuple[str, ...]
    erased: tuple[ErasedFile, ...] = ()


def verify(
    envelope: Mapping[str, Any],
    statement: Mapping[str, Any],
    evidence: EvidenceSource,
    policy: SignerPolicy,
    receipt: Mapping[str, Any] | None,
    *,
    at: int,
    cosignatures: Sequence[Any] = (),
    log: CheckedLog | None = None,
    recheck_decision: DecisionRecheck | None = None,
    payout_root: Callable[[WeightTable], str] | None = None,
    accept_erased: bool = False,
) -> VerifiedAttestation:
    """Verify an attestation, or refuse it with a code.

    Args:
        envelope: the EAS envelope, as JSON.
        statement: the in-toto statement, as JSON.
        evidence: the evidence files by sha256; all of them are fetched.
        policy: whom to trust; with a ``log``, what ``snapshot`` derived from it.
        receipt: the log's receipt, as JSON; None without one.
        at: the time to judge expiry by, seconds since 1970 UTC.
        cosignatures: further attesters' signatures, as JSON.
        log: the whole log, if it is at hand; it is the policy's. Required with a pinned
            head, and for cosignatures to count.
        recheck_decision: recomputes the decision from the evidence. Without
            it the decision stands as signed, and the result says so.
        payout_root: gives the payout root of the recomputed weights;
            ``shares_root`` over wallets and ppm if None.
        accept_erased: pass although files of evidence were erased by a signed word in the log
            that counts. Nobody can decide again then: such a word is as good as who gave it.

    Returns:
        What was verified, and what was not.

    Raises:
        VerificationFailed: with the code of the first check that failed.
    """
    check_log_is_there(policy, log)
    parsed = _parse(FailureCode.MALFORMED_ENVELOPE, Envelope.from_json, envelope)
    check_identity(parsed, policy)
    check_standing(parsed, policy, at)
    data = _parse(FailureCode.DATA_MALFORMED, AttestationData.decode, parsed.message.data)
    claim = _parse(FailureCode.STATEMENT_MALFORMED, parse_statement, statement)
    check_binding(parsed, data, claim, evidence_digest(statement))
    check_claim(data, claim)
    proof = None if receipt is None else _parse(FailureCode.LOG_RECEIPT_MALFORMED, LogReceipt.from_json, receipt)
    log_index = check_log(parsed, proof, policy, log)
    check_replaced(claim, log, log_index)
    logged = {} if log is None else log.state.cosigned
    signers = check_threshold(parsed, read_cosignatures(cosignatures, parsed), policy, log_index, logged)
    files, erased = fetch_evidence(claim, evidence, policy, log, log_index)
    if not accept_erased:
        check_erased(erased)
    weights = check_weights(claim, files, policy)
    expect(
        FailureCode.PAYOUT_ROOT_MISMATCH,
        "payoutRoot recomputed from the weights",
        (payout_root or _root_of_shares)(weights),
        claim.payout_root,
    )
    unchecked = []
    if recheck_decision is None or erased:
        unchecked.append("decision")
    else:
        stated = {**statement["predicate"], "candidateVersion": claim.candidate_version}
        check_decision(stated, files, recheck_decision)
    unchecked += [name for name, given in (("log", log_index), ("revocation", log)) if given is None]
    return VerifiedAttestation(
        parsed.uid,
        parsed.signer,
        parsed.message.time,
        data,
        claim,
        weights,
        log_index,
        signers,
        tuple(unchecked),
        erased,
    )


def verify_bundle(
    bundle: AttestationBundle,
    evidence: EvidenceSource,
    policy: SignerPolicy,
    *,
    at: int,
    log: CheckedLog | None = None,
    recheck_decision: DecisionRecheck | None = None,
    payout_root: Callable[[WeightTable], str] | None = None,
    accept_erased: bool = False,
) -> VerifiedAttestation:
    """``verify`` for what ``AttestationBundle.from_bytes`` read."""
    return verify(
        bundle.envelope,
        bundle.statement,
        evidence,
        policy,
        bundle.receipt,
        at=at,
        cosignatures=bundle.cosignatures,
        log=log,
        recheck_decision=recheck_decision,
        payout_root=payout_root,
        accept_erased=accept_erased,
    )


def _root_of_shares(table: WeightTable) -> str:
    return shares_root((line.address, line.weight_ppm) for line in table.lines)


def _parse(code: FailureCode, read: Callable[[In], Out], value: In) -> Out:
    try:
        return read(value)
    except RecordError as error:
        raise VerificationFailed(code, str(error)) from None
