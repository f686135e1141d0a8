"""An attestation as it is kept and handed on, and how one is made.

The file ``attestation.json`` holds ``{"envelope", "statement", "receipt",
"cosignatures"}``; the evidence files lie beside it, or in a store, under their sha256.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from telefine_assets.attestation.claim import Claim, partition_time
from telefine_assets.attestation.cosigning import Cosignature, cosignatures_to_json
from telefine_assets.attestation.eas import (
    ZERO_BYTES32,
    AttestMessage,
    EasDomain,
    sign,
)
from telefine_assets.attestation.eas_schema import AttestationData, telefine_schema_uid
from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets.attestation.log_receipt import LogReceipt
from telefine_assets.attestation.signatures import Signer
from telefine_assets.attestation.statement import build_statement, derive_salt, evidence_digest
from telefine_assets.attribution.addresses import ZERO_ADDRESS
from telefine_assets.attribution.records import Fields, RecordError, load_json
from telefine_assets.canonical import canonical_json

BUNDLE_FILE = "attestation.json"


@dataclass(frozen=True)
class AttestationBundle:
    """The parts of ``attestation.json``, as JSON values.

    Attributes:
        envelope: the signed EAS envelope.
        statement: the in-toto statement.
        receipt: the log's receipt; None until it is logged.
        cosignatures: further attesters' signatures, ascending by signer. None are
            stored with the evidence: they come later, and are kept in the ledger.
    """

    envelope: dict[str, Any]
    statement: dict[str, Any]
    receipt: dict[str, Any] | None = None
    cosignatures: tuple[Any, ...] = ()

    def to_bytes(self) -> bytes:
        """The file's canonical bytes."""
        return canonical_json(
            {
                "envelope": self.envelope,
                "statement": self.statement,
                "receipt": self.receipt,
                "cosignatures": list(self.cosignatures),
            }
        )

    def with_receipt(self, receipt: LogReceipt) -> AttestationBundle:
        """The same attestation, with its receipt."""
        return replace(self, receipt=receipt.to_json())

    def with_cosignatures(self, cosignatures: Iterable[Cosignature]) -> AttestationBundle:
        """The same attestation, with these cosignatures and no others."""
        return replace(self, cosignatures=tuple(cosignatures_to_json(cosignatures)))

    @classmethod
    def from_bytes(cls, data: bytes) -> AttestationBundle:
        """Read the file's outer form; its parts are judged by ``verify``.

        Raises:
            VerificationFailed: ``bundle_malformed``.
        """
        try:
            fields = Fields(load_json(data, BUNDLE_FILE), BUNDLE_FILE)
            parts = [fields.take(name) for name in ("envelope", "statement", "receipt")]
            cosignatures = tuple(fields.items("cosignatures"))
            fields.done()
        except RecordError as error:
            raise VerificationFailed(FailureCode.BUNDLE_MALFORMED, str(error)) from None
        envelope, statement, receipt = parts
        if not isinstance(envelope, dict) or not isinstance(statement, dict):
            raise VerificationFailed(FailureCode.BUNDLE_MALFORMED, "envelope and statement must be objects")
        if receipt is not None and not isinstance(receipt, dict):
            raise VerificationFailed(FailureCode.BUNDLE_MALFORMED, "receipt must be an object or null")
        return cls(envelope, statement, receipt, cosignatures)


def attest(claim: Claim, domain: EasDomain, signer: Signer) -> AttestationBundle:
    """Make the statement of a claim and have it signed.

    Args:
        claim: what is attested; it must be a DeltaOne, its weights must sum.
        domain: the EAS contract.
        signer: the attester.

    Returns:
        Envelope and statement, without a receipt. The same arguments give the
        same uid.

    Raises:
        RecordError: the claim is not met, or its weights do not sum.
        SigningError: the signer failed.
    """
    return AttestationBundle(sign(domain, message_of(claim), signer).to_json(), build_statement(claim))


def message_of(claim: Claim) -> AttestMessage:
    """What would be signed for a claim, by whomever: its uid is known before anybody signs, and there is no other.

    Raises:
        RecordError: the claim is not met, or its weights do not sum.
    """
    missing = claim.decision.why_not_met()
    if missing is not None:
        raise RecordError("decision", f"is no DeltaOne: {missing}")
    if claim.weights.total_ppm != claim.weights.expected_ppm:
        raise RecordError("weights", f"sum to {claim.weights.total_ppm}, not {claim.weights.expected_ppm}")
    digest = evidence_digest(build_statement(claim))
    return AttestMessage(
        schema=telefine_schema_uid(),
        recipient=ZERO_ADDRESS,
        time=partition_time(claim.partition),
        expiration_time=0,
        revocable=True,
        ref_uid=ZERO_BYTES32,
        data=data_of(claim, digest).encode(),
        salt=derive_salt(digest),
    )


def data_of(claim: Claim, digest: str) -> AttestationData:
    """The schema's fields for a claim whose statement has the sha256 ``digest``."""
    return AttestationData(
        program_digest="0x" + claim.candidate_version,
        baseline_digest="0x" + claim.baseline_version,
        evidence_digest="0x" + digest,
        payout_root=claim.payout_root,
        delta_ppm=claim.decision.delta_ppm,
        delta_lower_ppm=claim.decision.lower_ppm,
        holdout_size=claim.holdout.n,
        contributors=tuple(address for address, _ in claim.weights.contributors),
        weights_ppm=tuple(ppm for _, ppm in claim.weights.contributors),
    )
