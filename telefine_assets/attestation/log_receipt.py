"""Signed tree heads, and the receipt that an attestation is in the log.

A head is signed as EIP-712 typed data, ``TreeHead(string origin,uint64 size,
bytes32 root)`` in the domain ``{"name": "Telefine Transparency Log", "version":
"1"}``: the same signers serve as for attestations, and neither signature can be
taken for the other.

The leaf of an attestation names it by uid, signer and contract, never by the
bytes of its signature: a malleated copy is the same leaf.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.log import MerkleLog, leaf_hash, verify_inclusion
from telefine_assets.attestation.signatures import (
    BYTES32,
    Signature,
    Signer,
    recover_typed,
    sign_typed,
)
from telefine_assets.attribution.records import Fields, RecordError, whole
from telefine_assets.canonical import canonical_json

LEAF_KIND = "telefine.attestation/v1"
LOG_DOMAIN = {"name": "Telefine Transparency Log", "version": "1"}
LOG_DOMAIN_TYPE = [{"name": "name", "type": "string"}, {"name": "version", "type": "string"}]
MAX_SIZE = 2**53 - 1
_MAX_PROOF = 64


@dataclass(frozen=True)
class TreeHead:
    """The state of a log.

    Attributes:
        origin: which log; one origin is one log, for ever.
        size: its leaves.
        root: its Merkle root, 0x and 64 digits.
    """

    origin: str
    size: int
    root: str

    def __post_init__(self) -> None:
        if not isinstance(self.origin, str) or not self.origin:
            raise RecordError("head.origin", f"expected text, found {self.origin!r}")
        whole(self.size, "head.size", 0, MAX_SIZE)
        if not isinstance(self.root, str) or not BYTES32.fullmatch(self.root):
            raise RecordError("head.root", f"expected 0x and 64 lower-case digits, found {self.root!r}")

    def typed(self) -> dict[str, Any]:
        """The full EIP-712 message that the log's key signs."""
        return {
            "types": {
                "EIP712Domain": LOG_DOMAIN_TYPE,
                "TreeHead": [
                    {"name": "origin", "type": "string"},
                    {"name": "size", "type": "uint64"},
                    {"name": "root", "type": "bytes32"},
                ],
            },
            "primaryType": "TreeHead",
            "domain": LOG_DOMAIN,
            "message": {"origin": self.origin, "size": self.size, "root": self.root},
        }


@dataclass(frozen=True)
class SignedTreeHead:
    """A tree head with the log's signature, not yet checked."""

    head: TreeHead
    signature: Signature

    def signer(self) -> str:
        """The address that signed the head.

        Raises:
            SignatureError: the signature is not canonical, or is none.
        """
        return recover_typed(self.head.typed(), self.signature)

    def to_json(self) -> dict[str, Any]:
        """The head as JSON."""
        head = self.head
        return {
            "origin": head.origin,
            "size": head.size,
            "root": head.root,
            "signature": self.signature.to_json(),
        }

    @classmethod
    def from_json(cls, fields: Fields) -> SignedTreeHead:
        """Read ``to_json``'s form.

        Raises:
            RecordError: a field is missing, unknown or wrong.
        """
        head = TreeHead(fields.text("origin"), fields.integer("size", 0, MAX_SIZE), fields.text("root"))
        signed = cls(head, Signature.from_json(fields.child("signature")))
        fields.done()
        return signed


@dataclass(frozen=True)
class LogReceipt:
    """Shows that a leaf is in the log under a signed head.

    Attributes:
        index: the leaf's position, from 0.
        proof: the audit path, 0x and 64 digits each.
        head: the signed head.
    """

    index: int
    proof: tuple[str, ...]
    head: SignedTreeHead

    def proves(self, leaf: bytes) -> bool:
        """Whether the audit path leads from ``leaf`` to the head's root."""
        return verify_inclusion(
            leaf_hash(leaf),
            self.index,
            self.head.head.size,
            [bytes.fromhex(node[2:]) for node in self.proof],
            bytes.fromhex(self.head.head.root[2:]),
        )

    def to_json(self) -> dict[str, Any]:
        """The receipt as JSON."""
        return {"index": self.index, "proof": list(self.proof), "head": self.head.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LogReceipt:
        """Read ``to_json``'s form.

        Raises:
            RecordError: a field is missing, unknown or wrong.
        """
        fields = Fields(value, "receipt")
        proof = fields.texts("proof")
        if len(proof) > _MAX_PROOF or not all(BYTES32.fullmatch(node) for node in proof):
            raise RecordError("receipt.proof", "expected up to 64 hashes of 0x and 64 lower-case digits")
        index = fields.integer("index", 0, MAX_SIZE)
        receipt = cls(index, proof, SignedTreeHead.from_json(fields.child("head")))
        fields.done()
        return receipt


def attestation_leaf(envelope: Envelope) -> bytes:
    """The log's leaf for an attestation."""
    return canonical_json(
        {
            "kind": LEAF_KIND,
            "uid": envelope.message.uid,
            "signer": envelope.signer,
            "domain": envelope.domain.to_json(),
        }
    )


def sign_head(log: MerkleLog, origin: str, signer: Signer, size: int | None = None) -> SignedTreeHead:
    """Sign the head of ``log`` at ``size`` leaves; of all of them without ``size``.

    Raises:
        LogError: the log has fewer leaves.
        SigningError: the signer failed.
    """
    size = len(log) if size is None else size
    head = TreeHead(origin, size, "0x" + log.root(size).hex())
    return SignedTreeHead(head, sign_typed(head.typed(), signer))


def make_receipt(log: MerkleLog, index: int, head: SignedTreeHead) -> LogReceipt:
    """The receipt of leaf ``index`` under a signed head of the same log.

    Raises:
        LogError: the head's log has no such leaf.
    """
    proof = log.inclusion_proof(index, head.head.size)
    return LogReceipt(index, tuple("0x" + node.hex() for node in proof), head)
