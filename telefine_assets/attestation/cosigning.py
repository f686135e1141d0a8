"""Further attesters' signatures under an attestation: m of n.

A cosignature is another key's signature over the same EAS message, in the same
domain: what is signed, and so the uid, does not change. It becomes a leaf of the
log, with its signature in it, and counts if its key was good there: what a key signs
after it was retired can be made to look like anything, but not be put before the
retirement.

::

    {"kind": "telefine.cosignature/v1", "signature": {...}, "signer": "0x...", "uid": "0x..."}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from telefine_assets.attestation.eas import AttestMessage, EasDomain, Envelope, typed_data
from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets.attestation.policy import SignerPolicy
from telefine_assets.attestation.signatures import (
    BYTES32,
    HighSError,
    Signature,
    SignatureError,
    Signer,
    recover_typed,
    sign_typed,
)
from telefine_assets.attribution.addresses import address_order, is_checksummed
from telefine_assets.attribution.records import Fields, RecordError, load_json
from telefine_assets.canonical import canonical_json

COSIGNATURE_KIND = "telefine.cosignature/v1"
_MOST = 100


@dataclass(frozen=True)
class Cosignature:
    """Another attester's signature, not yet checked.

    Attributes:
        signer: who is said to have signed, EIP-55.
        signature: over the envelope's domain and message.
    """

    signer: str
    signature: Signature

    def check(self, envelope: Envelope) -> None:
        """Accept the canonical signature of ``signer`` over the attestation, and nothing else.

        Raises:
            VerificationFailed: ``high_s``, ``bad_cosignature``.
        """
        try:
            found = _who_signed(envelope.domain, envelope.message, self.signature)
        except HighSError as error:
            raise VerificationFailed(FailureCode.HIGH_S, f"cosignature of {self.signer}: {error}") from None
        except SignatureError as error:
            raise VerificationFailed(FailureCode.BAD_COSIGNATURE, f"{self.signer}: {error}") from None
        if found != self.signer:
            raise VerificationFailed(
                FailureCode.BAD_COSIGNATURE, f"it is not by {self.signer}, or not about attestation {envelope.uid}"
            )

    def to_json(self) -> dict[str, Any]:
        """The cosignature as JSON."""
        return {"signer": self.signer, "signature": self.signature.to_json()}

    @classmethod
    def from_json(cls, fields: Fields) -> Cosignature:
        """Read ``to_json``'s form.

        Raises:
            RecordError: a field is missing, unknown or wrong.
        """
        signer = fields.text("signer")
        if not is_checksummed(signer):
            raise RecordError(fields.path("signer"), f"expected an EIP-55 address, found {signer!r}")
        signature = Signature.from_json(fields.child("signature"))
        fields.done()
        return cls(signer, signature)


# A hundredth of a second each, and those under every day of a page are asked for whenever the log has grown.
@lru_cache(maxsize=4096)
def _who_signed(domain: EasDomain, message: AttestMessage, signature: Signature) -> str:
    return recover_typed(typed_data(domain, message), signature)


def cosign(envelope: Envelope, signer: Signer) -> Cosignature:
    """Have ``signer`` sign what the envelope holds, after it was verified.

    Raises:
        SigningError: the signer failed.
    """
    return Cosignature(signer.address, sign_typed(typed_data(envelope.domain, envelope.message), signer))


def cosignatures_to_json(cosignatures: Iterable[Cosignature]) -> list[dict[str, Any]]:
    """The list as a bundle holds it: ascending by signer."""
    return [each.to_json() for each in sorted(cosignatures, key=lambda each: address_order(each.signer))]


def read_cosignatures(value: object, envelope: Envelope) -> tuple[Cosignature, ...]:
    """Read a bundle's list strictly, and check every signature.

    Raises:
        VerificationFailed: ``cosignatures_malformed``, ``bad_cosignature``, ``high_s``.
    """
    try:
        fields = Fields({"cosignatures": value}, "bundle")
        found = tuple(Cosignature.from_json(row) for row in fields.objects("cosignatures"))
    except RecordError as error:
        raise VerificationFailed(FailureCode.COSIGNATURES_MALFORMED, str(error)) from None
    signers = [each.signer for each in found]
    if len(found) > _MOST or signers != sorted(set(signers), key=address_order) or envelope.signer in signers:
        raise VerificationFailed(
            FailureCode.COSIGNATURES_MALFORMED,
            f"expected at most {_MOST}, ascending by signer, each once, the attester's own not among them",
        )
    for each in found:
        each.check(envelope)
    return found


def cosignature_leaf(uid: str, cosignature: Cosignature) -> bytes:
    """The log's leaf for a cosignature under attestation ``uid``."""
    return canonical_json({"kind": COSIGNATURE_KIND, "uid": uid} | cosignature.to_json())


def read_cosignature_leaf(leaf: bytes) -> tuple[str, Cosignature]:
    """The uid and the cosignature of a leaf; the signature can only be checked with the attestation.

    Raises:
        RecordError: a field is missing, unknown or wrong, or the bytes are not the canonical ones.
    """
    fields = Fields(load_json(leaf, "leaf"), "leaf")
    fields.constant("kind", COSIGNATURE_KIND)
    uid = fields.text("uid", BYTES32, "a uid")
    cosignature = Cosignature.from_json(fields)
    if cosignature_leaf(uid, cosignature) != leaf:
        raise RecordError("leaf", "is not written canonically")
    return uid, cosignature


def check_threshold(
    envelope: Envelope,
    cosignatures: Sequence[Cosignature],
    policy: SignerPolicy,
    index: int | None,
    logged: Mapping[tuple[str, Cosignature], int],
) -> tuple[str, ...]:
    """Enough attesters signed, each with a key that was good where it stands in the log that it did.

    Args:
        envelope: the attestation.
        cosignatures: those under it, checked.
        policy: whose signatures count.
        index: where the attestation stands; None without a receipt.
        logged: where each uid's cosignatures stand (``replay.LogState.cosigned``);
            empty without a log, and then no cosignature counts.

    Returns:
        Those who count, ascending, EIP-55.

    Raises:
        VerificationFailed: ``threshold_not_met``.
    """
    counting = [envelope.signer] if policy.counts(envelope.signer, index) else []
    for each in cosignatures:
        position = logged.get((envelope.uid, each))
        if position is not None and policy.counts(each.signer, position):
            counting.append(each.signer)
    counted = tuple(sorted(counting, key=address_order))
    if len(counted) < policy.required:
        raise VerificationFailed(
            FailureCode.THRESHOLD_NOT_MET,
            f"{len(counted)} of {policy.required} signatures count ({', '.join(counted) or 'none'})",
        )
    return counted


def cosignature_file(uid: str, cosignature: Cosignature) -> bytes:
    """A cosignature on its way to whoever keeps the attestation."""
    return canonical_json({"uid": uid} | cosignature.to_json())


def read_cosignature_file(data: bytes, where: str) -> tuple[str, Cosignature]:
    """The uid and the cosignature of a file; the signature is not yet checked.

    Raises:
        RecordError: a field is missing, unknown or wrong.
    """
    fields = Fields(load_json(data, where), where)
    uid = fields.text("uid", BYTES32, "a uid")
    return uid, Cosignature.from_json(fields)
