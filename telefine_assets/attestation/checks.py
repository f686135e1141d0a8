"""The single checks of ``verify``: each raises one code, or a few closely related ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from telefine_assets.attestation.bundle import data_of
from telefine_assets.attestation.claim import Claim, StatedWeights, partition_time
from telefine_assets.attestation.eas import ZERO_BYTES32, Envelope, recover
from telefine_assets.attestation.eas_schema import AttestationData
from telefine_assets.attestation.failures import FailureCode, VerificationFailed, expect
from telefine_assets.attestation.log_receipt import LogReceipt, attestation_leaf
from telefine_assets.attestation.policy import SignerPolicy
from telefine_assets.attestation.replay import Line
from telefine_assets.attestation.signatures import HighSError, SignatureError
from telefine_assets.attestation.snapshot import LOG_FILE, CheckedLog, check_in_log
from telefine_assets.attestation.statement import derive_salt
from telefine_assets.attribution.addresses import ZERO_ADDRESS
from telefine_assets.attribution.facts import FACTS_FILE, read_facts, weights_of
from telefine_assets.attribution.submissions import Scope
from telefine_assets.attribution.weights import WeightTable
from telefine_assets.canonical import sha256_hex
from telefine_assets.errors import TelefineError

EvidenceSource = Mapping[str, bytes] | Callable[[str], bytes | None]
"""Evidence by sha256 (64 digits): a mapping, or a function that returns None for unknown."""


class DecisionRecheck(Protocol):
    """Re-derives the decision from the evidence; the DeltaOne package provides it."""

    def __call__(self, evidence: Mapping[str, bytes]) -> Mapping[str, Any]:
        """Recompute from the evidence files, by name.

        Returns:
            A part of the statement's predicate, in its form and spelling:
            ``decision``, complete, and any other of its keys that can be
            re-derived (``holdout``, ``metric``, ``looksDigest``,
            ``tracesetRoot``, ``baselineVersion``, ...), or the subject's
            version as ``candidateVersion``. All of it is compared.

        Raises:
            TelefineError: the evidence does not allow it; counts as a mismatch.
        """


@dataclass(frozen=True)
class ErasedFile:
    """A file of evidence that nobody can check any more, since a person's words in it were erased on request.

    Attributes:
        name: as the statement has it.
        sha256: of the file.
        signer: on whose signed word it is missing.
        position: where in the log that is said.
        reason: as stated there.
    """

    name: str
    sha256: str
    signer: str
    position: int
    reason: str


def check_identity(envelope: Envelope, policy: SignerPolicy) -> None:
    """Schema, domain, uid and signature: the envelope is what and whose it says."""
    expect(FailureCode.WRONG_SCHEMA, "message.schema", policy.schema_uid, envelope.message.schema)
    expect(FailureCode.WRONG_SCHEMA, "message.revocable", True, envelope.message.revocable)
    expect(FailureCode.WRONG_DOMAIN, "domain", policy.domain.to_json(), envelope.domain.to_json())
    expect(FailureCode.UID_MISMATCH, "uid", envelope.message.uid, envelope.uid)
    try:
        signer = recover(envelope)
    except HighSError as error:
        raise VerificationFailed(FailureCode.HIGH_S, str(error)) from None
    except SignatureError as error:
        raise VerificationFailed(FailureCode.BAD_SIGNATURE, str(error)) from None
    if signer != envelope.signer:
        raise VerificationFailed(
            FailureCode.BAD_SIGNATURE, f"signer: the envelope names {envelope.signer}, {signer} signed"
        )


def check_standing(envelope: Envelope, policy: SignerPolicy, at: int) -> None:
    """The signer is known, the attestation not revoked and in force at ``at``."""
    if not policy.stretches(envelope.signer):
        raise VerificationFailed(FailureCode.UNTRUSTED_SIGNER, f"signer: {envelope.signer} is not in the policy")
    check_revoked(envelope, policy)
    message = envelope.message
    if message.time > at:
        raise VerificationFailed(FailureCode.NOT_YET_VALID, f"message.time: {message.time} is after {at}")
    # EAS: an attestation is expired from its expiration time on.
    if message.expiration_time and message.expiration_time <= at:
        raise VerificationFailed(
            FailureCode.EXPIRED, f"message.expirationTime: {message.expiration_time} is not after {at}"
        )


def check_revoked(envelope: Envelope, policy: SignerPolicy) -> None:
    """The attestation was not revoked."""
    if envelope.uid in policy.revoked_uids:
        raise VerificationFailed(FailureCode.REVOKED, f"uid: {envelope.uid} has been revoked")


def check_binding(envelope: Envelope, data: AttestationData, claim: Claim, digest: str) -> None:
    """Everything that envelope and statement both say, they say alike, and the envelope says nothing else.

    What does not follow from the claim must be empty: else one claim could be signed under many uids.
    """
    message = envelope.message
    expect(FailureCode.STATEMENT_MISMATCH, "message.recipient", ZERO_ADDRESS, message.recipient)
    expect(FailureCode.STATEMENT_MISMATCH, "message.refUID", ZERO_BYTES32, message.ref_uid)
    expect(FailureCode.STATEMENT_MISMATCH, "message.expirationTime", 0, message.expiration_time)
    expect(
        FailureCode.STATEMENT_MISMATCH, "data.evidenceDigest against the statement's sha256",
        "0x" + digest, data.evidence_digest,
    )  # fmt: skip
    expect(FailureCode.SALT_MISMATCH, "message.salt", derive_salt(digest), message.salt)
    expect(
        FailureCode.TIME_MISMATCH, f"message.time for partition {claim.partition}",
        partition_time(claim.partition), message.time,
    )  # fmt: skip
    stated = data_of(claim, digest)
    for code, name in (
        (FailureCode.PROGRAM_MISMATCH, "program_digest"),
        (FailureCode.BASELINE_MISMATCH, "baseline_digest"),
        (FailureCode.DELTA_MISMATCH, "delta_ppm"),
        (FailureCode.DELTA_MISMATCH, "delta_lower_ppm"),
        (FailureCode.HOLDOUT_MISMATCH, "holdout_size"),
        (FailureCode.WEIGHTS_MISMATCH, "contributors"),
        (FailureCode.WEIGHTS_MISMATCH, "weights_ppm"),
        (FailureCode.PAYOUT_ROOT_MISMATCH, "payout_root"),
    ):
        expect(code, f"data.{name} against the statement", getattr(stated, name), getattr(data, name))


def check_claim(data: AttestationData, claim: Claim) -> None:
    """The claim is a DeltaOne by its own numbers, and its weights add up."""
    missing = claim.decision.why_not_met()
    if missing is not None:
        raise VerificationFailed(FailureCode.CLAIM_NOT_MET, f"statement.predicate.decision: {missing}")
    escrow = sum(ppm for _, ppm in claim.weights.escrow)
    expected = claim.weights.expected_ppm
    for where, total in (
        ("statement.predicate.weights", claim.weights.total_ppm),
        ("data.weights_ppm with the statement's escrow", sum(data.weights_ppm) + escrow),
    ):
        expect(FailureCode.WEIGHTS_DO_NOT_SUM, f"the sum of {where}", expected, total)


def fetch_evidence(
    claim: Claim,
    source: EvidenceSource,
    policy: SignerPolicy,
    log: CheckedLog | None = None,
    log_index: int | None = None,
) -> tuple[dict[str, bytes], tuple[ErasedFile, ...]]:
    """All evidence files by name, each checked against its size and digest, and those that were erased.

    A file may be missing only if the log says, after the attestation's own place in it, that it was erased: who
    erases first and attests then has nothing to show. Whoever says so must count there as an attester does.
    """
    get = source.get if isinstance(source, Mapping) else source
    files: dict[str, bytes] = {}
    erased: list[ErasedFile] = []
    for file in claim.evidence:
        data = get(file.sha256)
        if data is None:
            words = () if log is None else log.state.erased.get(file.sha256, ())
            line = next((each for each in words if excuses(each, policy, log_index)), None)
            if line is not None:
                erased.append(ErasedFile(file.name, file.sha256, line.signer, line.position, line.reason))
                continue
            raise VerificationFailed(FailureCode.EVIDENCE_MISSING, f"{file.name}: no file with sha256 {file.sha256}")
        expect(FailureCode.EVIDENCE_DIGEST_MISMATCH, f"{file.name}: size in bytes", file.size, len(data))
        expect(FailureCode.EVIDENCE_DIGEST_MISMATCH, f"{file.name}: sha256", file.sha256, sha256_hex(data))
        files[file.name] = data
    return files, tuple(erased)


def excuses(line: Line, policy: SignerPolicy, log_index: int | None) -> bool:
    """Whether the word that a file was erased counts for an attestation at ``log_index``, if the file is missing."""
    return log_index is not None and log_index < line.position and policy.counts(line.signer, line.position)


def check_erased(erased: Sequence[ErasedFile]) -> None:
    """No file of evidence is missing, not even by the attester's word: it takes the proof of what he claims with it."""
    if erased:
        said = "; ".join(
            f"{each.name} (sha256 {each.sha256}), by the word of {each.signer} at position {each.position} of the log"
            for each in erased
        )
        raise VerificationFailed(
            FailureCode.EVIDENCE_ERASED,
            f"{said}: erased, so that nobody can decide again what is claimed; telefine attest verify --accept-erased "
            "passes on that word alone",
        )


def check_weights(claim: Claim, files: Mapping[str, bytes], policy: SignerPolicy) -> WeightTable:
    """The stated weights are those that the facts in the evidence give, signed for this program of this deployment."""
    if FACTS_FILE not in files:
        raise VerificationFailed(FailureCode.EVIDENCE_MISSING, f"{FACTS_FILE}: not among the statement's evidence")
    try:
        facts = read_facts(files[FACTS_FILE])
        table = weights_of(facts)
    except TelefineError as error:
        raise VerificationFailed(FailureCode.EVIDENCE_MALFORMED, f"{FACTS_FILE}: {error}") from None
    scope = Scope(policy.log_origin or facts.scope.origin, claim.program)
    expect(FailureCode.WEIGHTS_MISMATCH, f"{FACTS_FILE}: deployment and program", scope, facts.scope)
    found = StatedWeights.of(table)
    for name in ("method", "contributors", "escrow", "reason"):
        expect(
            FailureCode.WEIGHTS_MISMATCH,
            f"weights.{name} recomputed from {FACTS_FILE}",
            getattr(found, name),
            getattr(claim.weights, name),
        )
    return table


def check_decision(predicate: Mapping[str, Any], files: Mapping[str, bytes], recheck: DecisionRecheck) -> None:
    """The stated decision is the one that the evidence gives."""
    try:
        derived = dict(recheck(files))
    except VerificationFailed:
        raise
    except TelefineError as error:
        raise VerificationFailed(FailureCode.DECISION_MISMATCH, f"cannot be rechecked: {error}") from None
    stated = dict(predicate)
    # The fields of the decision are compared one by one, to name the wrong one.
    for parts in (derived, stated):
        decision = parts.pop("decision", None)
        fields = decision if isinstance(decision, Mapping) else {}
        parts.update({f"decision.{name}": value for name, value in fields.items()})
    needed = [name for name in stated if name.startswith("decision.") or name == "replaces"]
    for name in sorted({*derived, *needed}):
        expect(
            FailureCode.DECISION_MISMATCH,
            f"{name} recomputed from the evidence",
            derived.get(name, "nothing"),
            stated.get(name, "nothing"),
        )


def check_log_is_there(policy: SignerPolicy, log: CheckedLog | None) -> None:
    """Whoever knows a head of the log is shown the whole log: without it nobody sees whether it contains that head."""
    if policy.head is not None and log is None:
        raise VerificationFailed(
            FailureCode.LOG_MISSING,
            f"there is no {LOG_FILE}: a head of {policy.head.size} leaves is pinned, and only the log shows that it "
            "contains it. Ask for a new export",
        )


def check_log(
    envelope: Envelope, receipt: LogReceipt | None, policy: SignerPolicy, log: CheckedLog | None
) -> int | None:
    """The attestation is in the trusted log, at a place where its signer's key was good.

    ``log`` is the whole log, where it is at hand: the receipt's head must be a beginning of it. Where it is
    not, whoever signed the head vouches for every position under it, and must be good still: the holder of a
    retired key could sign a head of its own time at any time.

    Returns:
        Its index in the log; None without a receipt, where the policy allows it.
    """
    stretches = policy.stretches(envelope.signer)
    if receipt is None:
        if policy.require_log:
            raise VerificationFailed(FailureCode.LOG_RECEIPT_MISSING, "receipt: the policy requires one")
        if all(stretch.bounded for stretch in stretches):
            raise VerificationFailed(
                FailureCode.UNTRUSTED_SIGNER,
                f"signer: {envelope.signer} is good for a part of the log only; a receipt must show where this is",
            )
        return None
    head_key = check_head(receipt, policy)
    if log is not None:
        check_in_log(log.log, receipt.head.head.size, receipt.head.head.root, "the receipt's head")
    if not receipt.proves(attestation_leaf(envelope)):
        raise VerificationFailed(
            FailureCode.LOG_PROOF_INVALID,
            f"receipt: leaf {receipt.index} of {receipt.head.head.size} under {receipt.head.head.root} is not "
            f"attestation {envelope.uid}",
        )
    check_signer(envelope, receipt.index, policy)
    _check_head_key(head_key, receipt.head.head.size - 1, policy, log)
    return receipt.index


def check_signer(envelope: Envelope, index: int, policy: SignerPolicy) -> None:
    """The key that signed the attestation was good at the attestation's place in the log, whoever cosigned it."""
    if not any(stretch.covers(index) for stretch in policy.stretches(envelope.signer)):
        raise VerificationFailed(
            FailureCode.UNTRUSTED_SIGNER, f"signer: {envelope.signer} was not good at log position {index}"
        )


def check_replaced(claim: Claim, log: CheckedLog | None, log_index: int | None) -> None:
    """What it was issued again for was revoked before: of a program and a day, one attestation is in force at most.

    Only the whole log shows it. Without one, the result says that revocation was not checked.
    """
    if log is None or log_index is None:
        return
    for uid in claim.replaces:
        revoked_at = log.state.revoked.get(uid)
        if revoked_at is None or revoked_at >= log_index:
            raise VerificationFailed(
                FailureCode.REPLACED_NOT_REVOKED,
                f"statement.predicate.replaces: {uid} was not revoked in the log before this attestation came",
            )


def _check_head_key(key: str, end: int, policy: SignerPolicy, log: CheckedLog | None) -> None:
    stretches = [each for each in policy.log_keys if each.address == key and each.covers(end)]
    if not stretches:
        raise VerificationFailed(
            FailureCode.LOG_HEAD_UNTRUSTED, f"receipt.head: {key}, who signed it, was not good at position {end}"
        )
    if log is None and all(each.last_index is not None for each in stretches):
        raise VerificationFailed(
            FailureCode.LOG_HEAD_UNTRUSTED,
            f"receipt.head: {key}, who signed it, was retired since; {LOG_FILE} must show that the head is older",
        )


def check_head(receipt: LogReceipt, policy: SignerPolicy) -> str:
    """The receipt's tree head is of the pinned log and signed by a key that it has, or had; returns the key."""
    expect(FailureCode.LOG_HEAD_UNTRUSTED, "receipt.head.origin", policy.log_origin, receipt.head.head.origin)
    try:
        key = receipt.head.signer()
    except SignatureError as error:
        raise VerificationFailed(FailureCode.LOG_HEAD_UNTRUSTED, f"receipt.head: {error}") from None
    if key not in {each.address for each in policy.log_keys}:
        raise VerificationFailed(
            FailureCode.LOG_HEAD_UNTRUSTED,
            f"receipt.head: signed by {key}, which is no key of {policy.log_origin}",
        )
    return key
