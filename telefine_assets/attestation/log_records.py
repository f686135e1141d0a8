"""What a log says beside its attestations: which keys are good, what is revoked, and what was erased.

Every record is signed as EIP-712 typed data in the domain of the tree heads, and
names the log's origin, its own position and the root of all leaves before it: it
is good at one place of one log, and whoever copies it elsewhere has copied
nothing. No clock is in it: the position is the time. The leaf holds the record
with its signature, so that a stranger can check it from the leaf alone.

::

    KeyRecord(string origin,uint64 position,bytes32 before,string action,address key,string reason,uint64 untrustedFrom)
    Revocation(string origin,uint64 position,bytes32 before,bytes32 uid,string reason)
    Erasure(string origin,uint64 position,bytes32 before,bytes32 file,string reason)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from telefine_assets.attestation.log_receipt import LOG_DOMAIN, LOG_DOMAIN_TYPE, MAX_SIZE
from telefine_assets.attestation.signatures import (
    BYTES32,
    Signature,
    SignatureError,
    Signer,
    recover_typed,
    sign_typed,
    typed_data_digest,
)
from telefine_assets.attribution.addresses import AddressError, require_wallet
from telefine_assets.attribution.records import Fields, RecordError, load_json, whole
from telefine_assets.canonical import canonical_json

KEY_KIND = "telefine.key/v1"
REVOCATION_KIND = "telefine.revocation/v1"
ERASURE_KIND = "telefine.erasure/v1"
ADMIT, RETIRE = "admit", "retire"
_MAX_REASON = 500


@dataclass(frozen=True)
class Place:
    """Where in which log a record stands.

    Attributes:
        origin: the log.
        position: its leaf's index, from 0.
        before: root of the leaves before it, 0x and 64 digits.
    """

    origin: str
    position: int
    before: str

    def __post_init__(self) -> None:
        if not isinstance(self.origin, str) or not self.origin:
            raise RecordError("record.origin", f"expected text, found {self.origin!r}")
        whole(self.position, "record.position", 0, MAX_SIZE)
        if not BYTES32.fullmatch(self.before):
            raise RecordError("record.before", f"expected 0x and 64 lower-case digits, found {self.before!r}")

    def to_json(self) -> dict[str, Any]:
        """The place's fields, the same in JSON and in what is signed."""
        return {"origin": self.origin, "position": self.position, "before": self.before}


@dataclass(frozen=True)
class KeyRecord:
    """A key is admitted to the log, or retired.

    Attributes:
        action: ``admit`` or ``retire``.
        key: whose key, EIP-55.
        reason: why, in words.
        untrusted_from: the first position whose attestation by this key is not to be
            trusted, for a key that leaked before it was retired; None for none.
    """

    action: str
    key: str
    reason: str
    untrusted_from: int | None = None

    def __post_init__(self) -> None:
        if self.action not in (ADMIT, RETIRE):
            raise RecordError("record.action", f"expected admit or retire, found {self.action!r}")
        try:
            require_wallet(self.key, "record.key")
        except AddressError as error:
            raise RecordError("record.key", str(error)) from None
        _check_reason(self.reason)
        if self.untrusted_from is not None:
            whole(self.untrusted_from, "record.untrustedFrom", 0, MAX_SIZE)
            if self.action == ADMIT:
                raise RecordError("record.untrustedFrom", "is for a key that is retired")

    def to_json(self, place: Place) -> dict[str, Any]:
        """The record, the same in JSON and in what is signed."""
        from_index = place.position if self.untrusted_from is None else self.untrusted_from
        own = {"action": self.action, "key": self.key, "reason": self.reason, "untrustedFrom": from_index}
        return place.to_json() | own


@dataclass(frozen=True)
class Revocation:
    """An attestation is not to be relied on any more.

    Attributes:
        uid: the attestation, 0x and 64 digits.
        reason: why, in words.
    """

    uid: str
    reason: str

    def __post_init__(self) -> None:
        if not isinstance(self.uid, str) or not BYTES32.fullmatch(self.uid):
            raise RecordError("record.uid", f"expected 0x and 64 lower-case digits, found {self.uid!r}")
        _check_reason(self.reason)

    def to_json(self, place: Place) -> dict[str, Any]:
        """The record, the same in JSON and in what is signed."""
        return place.to_json() | {"uid": self.uid, "reason": self.reason}


@dataclass(frozen=True)
class Erasure:
    """A file of evidence held a person's words, and was removed at that person's request.

    Attributes:
        file: SHA-256 of the file, 0x and 64 digits.
        reason: why, in words; none of the person's.
    """

    file: str
    reason: str

    def __post_init__(self) -> None:
        if not isinstance(self.file, str) or not BYTES32.fullmatch(self.file):
            raise RecordError("record.file", f"expected 0x and 64 lower-case digits, found {self.file!r}")
        _check_reason(self.reason)

    def to_json(self, place: Place) -> dict[str, Any]:
        """The record, the same in JSON and in what is signed."""
        return place.to_json() | {"file": self.file, "reason": self.reason}


Said = KeyRecord | Revocation | Erasure

_PLACE = (("origin", "string"), ("position", "uint64"), ("before", "bytes32"))
_TYPES = {
    KeyRecord: (
        *_PLACE,
        ("action", "string"),
        ("key", "address"),
        ("reason", "string"),
        ("untrustedFrom", "uint64"),
    ),
    Revocation: (*_PLACE, ("uid", "bytes32"), ("reason", "string")),
    Erasure: (*_PLACE, ("file", "bytes32"), ("reason", "string")),
}
_KINDS = {KeyRecord: KEY_KIND, Revocation: REVOCATION_KIND, Erasure: ERASURE_KIND}


@dataclass(frozen=True)
class SignedRecord:
    """A record at its place, with the signature of whoever says it; not yet checked.

    Attributes:
        said: what is said.
        place: where it stands.
        signer: who is said to have signed, EIP-55.
        signature: over ``said`` at ``place``.
    """

    said: Said
    place: Place
    signer: str
    signature: Signature

    def typed(self) -> dict[str, Any]:
        """The full EIP-712 message that is signed."""
        return _typed(self.said, self.place)

    @property
    def entry(self) -> str:
        """What the ledger knows the leaf by: the digest of what is said, whatever its signature looks like."""
        return "0x" + typed_data_digest(self.typed()).hex()

    def is_signed(self) -> bool:
        """Whether the signature is the canonical one of the signer that is named."""
        try:
            return recover_typed(self.typed(), self.signature) == self.signer
        except SignatureError:
            return False

    def leaf(self) -> bytes:
        """The log's leaf: the record with its signature."""
        return canonical_json(
            {
                "kind": _KINDS[type(self.said)],
                "record": self.said.to_json(self.place),
                "signer": self.signer,
                "signature": self.signature.to_json(),
            }
        )


def sign_record(said: Said, place: Place, signer: Signer) -> SignedRecord:
    """Have ``signer`` say something at a place of the log.

    Raises:
        SigningError: the signer failed.
    """
    return SignedRecord(said, place, signer.address, sign_typed(_typed(said, place), signer))


def read_record(leaf: bytes) -> SignedRecord:
    """Read a leaf of one of this module's kinds strictly; who signed it is not yet checked.

    Raises:
        RecordError: a field is missing, unknown or wrong, or the bytes are not the canonical ones.
    """
    fields = Fields(load_json(leaf, "leaf"), "leaf")
    kind = fields.text("kind")
    record = fields.child("record")
    place = Place(record.text("origin"), record.integer("position", 0, MAX_SIZE), record.text("before"))
    if kind == KEY_KIND:
        said: Said = _key_record(record, place)
    elif kind == REVOCATION_KIND:
        said = Revocation(record.text("uid"), record.text("reason"))
    elif kind == ERASURE_KIND:
        said = Erasure(record.text("file"), record.text("reason"))
    else:
        raise RecordError("leaf.kind", f"expected {', '.join(_KINDS.values())}, found {kind!r}")
    record.done()
    signed = SignedRecord(said, place, fields.text("signer"), Signature.from_json(fields.child("signature")))
    fields.done()
    if signed.leaf() != leaf:
        raise RecordError("leaf", "is not written canonically")
    return signed


def _key_record(record: Fields, place: Place) -> KeyRecord:
    action, key, reason = (record.text(name) for name in ("action", "key", "reason"))
    untrusted_from = record.integer("untrustedFrom", 0, MAX_SIZE)
    return KeyRecord(action, key, reason, None if untrusted_from == place.position else untrusted_from)


def _typed(said: Said, place: Place) -> dict[str, Any]:
    name = type(said).__name__
    return {
        "types": {
            "EIP712Domain": LOG_DOMAIN_TYPE,
            name: [{"name": field, "type": kind} for field, kind in _TYPES[type(said)]],
        },
        "primaryType": name,
        "domain": LOG_DOMAIN,
        "message": said.to_json(place),
    }


def _check_reason(reason: object) -> None:
    if not isinstance(reason, str) or not reason.strip() or len(reason) > _MAX_REASON:
        raise RecordError("record.reason", f"expected 1 to {_MAX_REASON} characters")
    try:
        reason.encode()
    except UnicodeEncodeError:
        raise RecordError("record.reason", "expected text that UTF-8 can write") from None
