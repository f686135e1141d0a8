"""Ethereum Attestation Service: off-chain attestations, version 2.

The message, its uid and its JSON envelope are those of npm's
``@ethereum-attestation-service/eas-sdk`` (offchain.ts, checked with 2.10.0), so
that the SDK, ethers and viem verify what is signed here. The model is stricter
than any of them: one spelling per value, nothing unknown, everything in range.

The SDK checks no more than uid and signature. Schema, domain, expiry, revocation
and whether the signer is to be trusted are checked in ``verify``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from telefine_assets.attestation.signatures import (
    BYTES32,
    Signature,
    Signer,
    recover_typed,
    sign_typed,
)
from telefine_assets.attribution.addresses import ZERO_ADDRESS, is_checksummed
from telefine_assets.attribution.keccak import keccak256
from telefine_assets.attribution.records import Fields, RecordError, whole

OFFCHAIN_VERSION = 2
DOMAIN_NAME = "EAS Attestation"
PRIMARY_TYPE = "Attest"
ZERO_BYTES32 = "0x" + "0" * 64
MAX_UINT64 = 2**64 - 1
# EIP-2294's bound, rounded up; no chain has or can have a larger id.
MAX_CHAIN_ID = 2**63 - 1

_ATTEST = (
    ("version", "uint16"),
    ("schema", "bytes32"),
    ("recipient", "address"),
    ("time", "uint64"),
    ("expirationTime", "uint64"),
    ("revocable", "bool"),
    ("refUID", "bytes32"),
    ("data", "bytes"),
    ("salt", "bytes32"),
)
_DOMAIN = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
_HEX = re.compile(r"0x([0-9a-f]{2})*")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*")


def _types(fields: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]


@dataclass(frozen=True)
class EasDomain:
    """Which EAS contract the attestation is meant for.

    Attributes:
        version: what the contract's ``version()`` returns, such as ``1.3.0``.
        chain_id: 1 or more.
        verifying_contract: the contract's address, EIP-55.

    Raises:
        RecordError: on construction, for anything else.
    """

    version: str
    chain_id: int
    verifying_contract: str

    def __post_init__(self) -> None:
        if not isinstance(self.version, str) or not _VERSION.fullmatch(self.version):
            raise RecordError("domain.version", f"expected a version such as 1.3.0, found {self.version!r}")
        whole(self.chain_id, "domain.chainId", 1, MAX_CHAIN_ID)
        _address("domain.verifyingContract", self.verifying_contract)

    def to_json(self) -> dict[str, Any]:
        """The domain as the envelope holds it; the chain id is a string."""
        return {**self.typed(), "chainId": str(self.chain_id)}

    def typed(self) -> dict[str, Any]:
        """The domain as EIP-712 hashes it."""
        return {
            "name": DOMAIN_NAME,
            "version": self.version,
            "chainId": self.chain_id,
            "verifyingContract": self.verifying_contract,
        }

    @classmethod
    def from_json(cls, fields: Fields) -> EasDomain:
        """Read ``to_json``'s form; the chain id may also be a JSON integer."""
        fields.constant("name", DOMAIN_NAME)
        domain = cls(
            version=fields.text("version"),
            chain_id=fields.decimal_integer("chainId", 1, MAX_CHAIN_ID),
            verifying_contract=fields.text("verifyingContract"),
        )
        fields.done()
        return domain


@dataclass(frozen=True)
class AttestMessage:
    """What is signed.

    Attributes:
        schema: schema uid, 0x and 64 lower-case digits.
        recipient: EIP-55; zero for nobody in particular.
        time: seconds since 1970 UTC.
        expiration_time: seconds since 1970 UTC; 0 for never.
        revocable: whether it can be revoked.
        ref_uid: the attestation that this one refers to; zero for none.
        data: the schema's fields, ABI-encoded.
        salt: 0x and 64 lower-case digits.

    Raises:
        RecordError: on construction, for anything else.
    """

    schema: str
    recipient: str
    time: int
    expiration_time: int
    revocable: bool
    ref_uid: str
    data: bytes
    salt: str

    def __post_init__(self) -> None:
        for name, value in (("schema", self.schema), ("refUID", self.ref_uid), ("salt", self.salt)):
            if not isinstance(value, str) or not BYTES32.fullmatch(value):
                raise RecordError(f"message.{name}", f"expected 0x and 64 lower-case digits, found {value!r}")
        _address("message.recipient", self.recipient)
        whole(self.time, "message.time", 0, MAX_UINT64)
        whole(self.expiration_time, "message.expirationTime", 0, MAX_UINT64)
        if not isinstance(self.revocable, bool):
            raise RecordError("message.revocable", f"expected true or false, found {self.revocable!r}")
        if not isinstance(self.data, bytes):
            raise RecordError("message.data", f"expected bytes, found {type(self.data).__name__}")

    def typed(self) -> dict[str, Any]:
        """The message as EIP-712 hashes it, integers as integers."""
        return {
            "version": OFFCHAIN_VERSION,
            "schema": self.schema,
            "recipient": self.recipient,
            "time": self.time,
            "expirationTime": self.expiration_time,
            "revocable": self.revocable,
            "refUID": self.ref_uid,
            "data": "0x" + self.data.hex(),
            "salt": self.salt,
        }

    def to_json(self) -> dict[str, Any]:
        """The message as the envelope holds it; times are decimal strings."""
        return {**self.typed(), "time": str(self.time), "expirationTime": str(self.expiration_time)}

    @classmethod
    def from_json(cls, fields: Fields) -> AttestMessage:
        """Read ``to_json``'s form; times may also be JSON integers."""
        fields.constant("version", OFFCHAIN_VERSION)
        message = cls(
            schema=fields.text("schema"),
            recipient=fields.text("recipient"),
            time=fields.decimal_integer("time", 0, MAX_UINT64),
            expiration_time=fields.decimal_integer("expirationTime", 0, MAX_UINT64),
            revocable=fields.boolean("revocable"),
            ref_uid=fields.text("refUID"),
            data=bytes.fromhex(fields.text("data", _HEX, "0x and lower-case bytes")[2:]),
            salt=fields.text("salt"),
        )
        fields.done()
        return message

    @property
    def uid(self) -> str:
        """The attestation's uid: what it is known by, 0x and 64 digits."""
        return "0x" + keccak256(self._packed()).hex()

    def _packed(self) -> bytes:
        # The SDK passes the schema as the UTF-8 bytes of its hexadecimal text;
        # the zero address stands for the attester, and a bump counter ends it.
        return b"".join(
            (
                OFFCHAIN_VERSION.to_bytes(2, "big"),
                self.schema.encode("ascii"),
                bytes.fromhex(self.recipient[2:]),
                bytes.fromhex(ZERO_ADDRESS[2:]),
                self.time.to_bytes(8, "big"),
                self.expiration_time.to_bytes(8, "big"),
                b"\x01" if self.revocable else b"\x00",
                bytes.fromhex(self.ref_uid[2:]),
                self.data,
                bytes.fromhex(self.salt[2:]),
                bytes(4),
            )
        )


@dataclass(frozen=True)
class Envelope:
    """A signed attestation, as stated: neither uid nor signature is checked yet.

    Attributes:
        signer: who is said to have signed, EIP-55.
        uid: the uid it states.
        domain: the contract it is meant for.
        message: what was signed.
        signature: over domain and message.
    """

    signer: str
    uid: str
    domain: EasDomain
    message: AttestMessage
    signature: Signature

    def to_json(self) -> dict[str, Any]:
        """The envelope as EAS tools read it."""
        sig = {
            "version": OFFCHAIN_VERSION,
            "uid": self.uid,
            "domain": self.domain.to_json(),
            "primaryType": PRIMARY_TYPE,
            "types": {PRIMARY_TYPE: _types(_ATTEST)},
            "message": self.message.to_json(),
            "signature": self.signature.to_json(),
        }
        return {"signer": self.signer, "sig": sig}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Envelope:
        """Read an envelope strictly.

        Raises:
            RecordError: a field is missing, unknown, out of range or not in
                its one spelling.
        """
        fields = Fields(value, "envelope")
        signer = fields.text("signer")
        _address("envelope.signer", signer)
        sig = fields.child("sig")
        fields.done()
        sig.constant("version", OFFCHAIN_VERSION)
        sig.constant("primaryType", PRIMARY_TYPE)
        if sig.take("types") != {PRIMARY_TYPE: _types(_ATTEST)}:
            raise RecordError("envelope.sig.types", "expected Attest alone, with the fields of version 2 in order")
        envelope = cls(
            signer=signer,
            uid=sig.text("uid", BYTES32, "0x and 64 lower-case digits"),
            domain=EasDomain.from_json(sig.child("domain")),
            message=AttestMessage.from_json(sig.child("message")),
            signature=Signature.from_json(sig.child("signature")),
        )
        sig.done()
        return envelope


def typed_data(domain: EasDomain, message: AttestMessage) -> dict[str, Any]:
    """The full EIP-712 message that is signed."""
    return {
        "types": {"EIP712Domain": _types(_DOMAIN), PRIMARY_TYPE: _types(_ATTEST)},
        "primaryType": PRIMARY_TYPE,
        "domain": domain.typed(),
        "message": message.typed(),
    }


def sign(domain: EasDomain, message: AttestMessage, signer: Signer) -> Envelope:
    """Have ``signer`` sign ``message`` for ``domain``.

    Raises:
        SigningError: the signer failed or returned another signature than the
            canonical one of its address.
    """
    signature = sign_typed(typed_data(domain, message), signer)
    return Envelope(signer.address, message.uid, domain, message, signature)


def recover(envelope: Envelope) -> str:
    """The address that signed the envelope, whoever it names as its signer.

    Raises:
        SignatureError: the signature is not canonical, or is none.
    """
    return recover_typed(typed_data(envelope.domain, envelope.message), envelope.signature)


def schema_uid(schema: str, resolver: str = ZERO_ADDRESS, revocable: bool = True) -> str:
    """The uid under which EAS's registry knows a schema."""
    _address("resolver", resolver)
    packed = schema.encode() + bytes.fromhex(resolver[2:]) + (b"\x01" if revocable else b"\x00")
    return "0x" + keccak256(packed).hex()


def _address(field: str, value: object) -> None:
    if not is_checksummed(value):
        raise RecordError(field, f"expected an EIP-55 address, found {value!r}")
