"""What a log's leaves add up to: which keys are good from where to where, what is revoked, and what was erased.

A pure function of the leaves: everybody who has them comes to the same state. A
record has an effect only if it stands where it says it stands, its signature is
the canonical one of a key that is good at that position, and what it asks for is
possible there. A cosignature has one if its key is good there; whether it is that
key's signature is seen only beside the attestation, and seen there. Whatever else
stands in the log is listed with the reason, and changes nothing.

A leaf costs about a tenth of a millisecond; checking a signature costs some
milliseconds, and is done last, for records that would have an effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from telefine_assets.attestation.cosigning import COSIGNATURE_KIND, Cosignature, read_cosignature_leaf
from telefine_assets.attestation.eas import EasDomain
from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.log_receipt import LEAF_KIND
from telefine_assets.attestation.log_records import (
    ADMIT,
    Erasure,
    KeyRecord,
    Revocation,
    Said,
    SignedRecord,
    read_record,
)
from telefine_assets.attestation.policy import TrustedSigner
from telefine_assets.attestation.signatures import BYTES32
from telefine_assets.attribution.records import Fields, RecordError, load_json


class Void(StrEnum):
    """Why a leaf has no effect."""

    MALFORMED = "malformed"
    WRONG_PLACE = "wrong_place"
    BAD_SIGNATURE = "bad_signature"
    NO_GENESIS = "no_genesis"
    SIGNER_NOT_GOOD = "signer_not_good"
    KEY_KNOWN = "key_known"
    KEY_NOT_GOOD = "key_not_good"
    LAST_KEY = "last_key"
    UNTRUSTED_FROM_LATER = "untrusted_from_later"
    UNKNOWN_UID = "unknown_uid"
    REVOKED_BEFORE = "revoked_before"


@dataclass(frozen=True)
class Key:
    """A key's life in the log, as positions.

    Attributes:
        address: EIP-55.
        admitted_at: where it was admitted.
        retired_at: where it was retired; None while it is good.
        untrusted_from: from where on its attestations are not trusted; None while it is good.
    """

    address: str
    admitted_at: int
    retired_at: int | None = None
    untrusted_from: int | None = None

    def trusted(self) -> TrustedSigner | None:
        """The stretch in which its attestations and heads are trusted; None for nowhere."""
        if self.untrusted_from is None:
            return TrustedSigner(self.address, self.admitted_at)
        last = self.untrusted_from - 1
        return TrustedSigner(self.address, self.admitted_at, last) if last >= self.admitted_at else None


@dataclass(frozen=True)
class Line:
    """One leaf as it is listed.

    Attributes:
        position: its index.
        kind: ``telefine.attestation/v1`` and so on; empty for a leaf of no known kind.
        signer: who says it.
        what: ``admit 0x...``, ``revoke 0x...``, the attestation's uid.
        reason: the reason that it states; empty for an attestation.
        void: why it has no effect; None if it has.
    """

    position: int
    kind: str
    signer: str
    what: str
    reason: str
    void: Void | None


@dataclass(frozen=True)
class LogState:
    """What a log says at its end.

    Attributes:
        origin: which log.
        lines: every leaf.
        keys: every key that was ever good, by address, in order of admission.
        revoked: position of the revocation, by uid.
        cosigned: the first position at which its key was good, by uid and cosignature.
        erased: the leaves that say so, by the SHA-256 of a file of evidence that was removed, whatever became of
            their signers' keys since: whose word counts, says ``SignerPolicy.counts``.
    """

    origin: str
    lines: tuple[Line, ...]
    keys: Mapping[str, Key]
    revoked: Mapping[str, int]
    cosigned: Mapping[tuple[str, Cosignature], int]
    erased: Mapping[str, Sequence[Line]]

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self.lines)

    @property
    def genesis(self) -> str | None:
        """The key that the log began with; None for a log that has none."""
        return next(iter(self.keys), None)

    @property
    def good(self) -> tuple[str, ...]:
        """The keys that are good now, in order of admission."""
        return tuple(key.address for key in self.keys.values() if key.retired_at is None)

    @property
    def void(self) -> tuple[Line, ...]:
        """The leaves that have no effect."""
        return tuple(line for line in self.lines if line.void is not None)

    def leaf_of(self, uid: str) -> Line | None:
        """The newest leaf of an attestation whose signer is trusted at its place; None where there is none."""
        stretches = self.trusted()
        for line in reversed(self.lines):
            if (line.kind, line.what, line.void) == (LEAF_KIND, uid, None) and any(
                each.address == line.signer and each.covers(line.position) for each in stretches
            ):
                return line
        return None

    def trusted(self) -> tuple[TrustedSigner, ...]:
        """The stretches in which keys are trusted to sign attestations and heads."""
        return tuple(stretch for key in self.keys.values() if (stretch := key.trusted()) is not None)


def replay(leaves: Sequence[bytes], origin: str, patience: int | None = None) -> LogState:
    """Walk through all leaves of the log ``origin``, in order.

    With ``patience``, no more than so many bad signatures are looked at: for a log
    that a stranger may have made, since nobody without a good key can make a leaf
    that costs as much otherwise.

    Raises:
        RecordError: patience is at its end.
    """
    walk = _Walk(origin)
    for leaf in leaves:
        if walk.step(leaf).void is Void.BAD_SIGNATURE and patience is not None:
            if not patience:
                raise RecordError("log.leaves", "too many of them are signed in somebody else's name")
            patience -= 1
    return LogState(origin, tuple(walk.lines), walk.keys, walk.revoked, walk.cosigned, walk.erased)


class _Walk:
    """The state while the leaves go by."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.lines: list[Line] = []
        self.keys: dict[str, Key] = {}
        self.revoked: dict[str, int] = {}
        self.cosigned: dict[tuple[str, Cosignature], int] = {}
        self.erased: dict[str, list[Line]] = {}
        self._attested: set[str] = set()
        self._log = MerkleLog()

    def step(self, leaf: bytes) -> Line:
        """Take one more leaf; returns how it is listed."""
        kind = ""
        try:
            kind = _kind_of(leaf)
            line = self._line(kind, leaf)
        except RecordError:
            line = Line(len(self.lines), kind, "", "", "", Void.MALFORMED)
        self.lines.append(line)
        self._log.append(leaf_hash(leaf))
        return line

    def _line(self, kind: str, leaf: bytes) -> Line:
        if kind == LEAF_KIND:
            return self._attestation(leaf)
        return self._cosignature(leaf) if kind == COSIGNATURE_KIND else self._record(kind, read_record(leaf))

    def _attestation(self, leaf: bytes) -> Line:
        uid, signer = _read_attestation(leaf)
        self._attested.add(uid)
        void = None if self._is_good(signer) else Void.SIGNER_NOT_GOOD
        return Line(len(self.lines), LEAF_KIND, signer, uid, "", void)

    def _cosignature(self, leaf: bytes) -> Line:
        uid, cosignature = read_cosignature_leaf(leaf)
        void = None if self._is_good(cosignature.signer) else Void.SIGNER_NOT_GOOD
        if uid not in self._attested:
            void = Void.UNKNOWN_UID
        if void is None:
            self.cosigned.setdefault((uid, cosignature), len(self.lines))
        return Line(len(self.lines), COSIGNATURE_KIND, cosignature.signer, f"cosign {uid}", "", void)

    def _record(self, kind: str, record: SignedRecord) -> Line:
        said = record.said
        void = self._why_void(record)
        line = Line(len(self.lines), kind, record.signer, _what(said), said.reason, void)
        if void is None:
            self._apply(said, line)
        return line

    def _why_void(self, record: SignedRecord) -> Void | None:
        place = record.place
        before = "0x" + self._log.root().hex()
        if (place.origin, place.position, place.before) != (self.origin, len(self.lines), before):
            return Void.WRONG_PLACE
        void = self._why_not_said(record)
        # Last, because it costs a hundred times as much as everything before it.
        return Void.BAD_SIGNATURE if void is None and not record.is_signed() else void

    def _why_not_said(self, record: SignedRecord) -> Void | None:
        """Why it has no effect here, whoever signed it."""
        said = record.said
        if not self.lines:
            is_genesis = isinstance(said, KeyRecord) and said.action == ADMIT and said.key == record.signer
            return None if is_genesis else Void.NO_GENESIS
        if not self._is_good(record.signer):
            return Void.SIGNER_NOT_GOOD
        if isinstance(said, Erasure):
            # Said again, it has an effect again: the key may have leaked that said it, or count for fewer verifiers.
            return None
        return self._why_no_key(said) if isinstance(said, KeyRecord) else self._why_no_revocation(said)

    def _why_no_key(self, said: KeyRecord) -> Void | None:
        if said.action == ADMIT:
            # A key that was retired stays so: else an old admission, said again, would bring a stolen key back.
            return Void.KEY_KNOWN if said.key in self.keys else None
        if said.untrusted_from is not None and said.untrusted_from > len(self.lines):
            return Void.UNTRUSTED_FROM_LATER
        if not self._is_good(said.key):
            return None if self._is_leak_found_late(said) else Void.KEY_NOT_GOOD
        if sum(key.retired_at is None for key in self.keys.values()) == 1:
            return Void.LAST_KEY
        return None

    def _is_leak_found_late(self, said: KeyRecord) -> bool:
        """Whether it is said of a retired key that it leaked earlier than was known."""
        key = self.keys.get(said.key)
        known = None if key is None else key.untrusted_from
        return known is not None and said.untrusted_from is not None and said.untrusted_from < known

    def _why_no_revocation(self, said: Revocation) -> Void | None:
        if said.uid not in self._attested:
            return Void.UNKNOWN_UID
        return Void.REVOKED_BEFORE if said.uid in self.revoked else None

    def _apply(self, said: Said, line: Line) -> None:
        position = line.position
        if isinstance(said, Erasure):
            self.erased.setdefault(said.file.removeprefix("0x"), []).append(line)
        elif isinstance(said, Revocation):
            self.revoked[said.uid] = position
        elif said.action == ADMIT:
            self.keys[said.key] = Key(said.key, position)
        else:
            key = self.keys[said.key]
            retired_at = position if key.retired_at is None else key.retired_at
            untrusted_from = position if said.untrusted_from is None else said.untrusted_from
            self.keys[said.key] = replace(key, retired_at=retired_at, untrusted_from=untrusted_from)

    def _is_good(self, address: str) -> bool:
        key = self.keys.get(address)
        return key is not None and key.retired_at is None


def _what(said: Said) -> str:
    if isinstance(said, KeyRecord):
        return f"{said.action} {said.key}"
    return f"erase {said.file}" if isinstance(said, Erasure) else f"revoke {said.uid}"


def _kind_of(leaf: bytes) -> str:
    value: Any = load_json(leaf, "leaf")
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise RecordError("leaf.kind", "expected text")
    return kind


def _read_attestation(leaf: bytes) -> tuple[str, str]:
    """Uid and signer of an attestation's leaf."""
    fields = Fields(load_json(leaf, "leaf"), "leaf")
    fields.constant("kind", LEAF_KIND)
    uid, signer = fields.text("uid", BYTES32, "a uid"), fields.text("signer")
    EasDomain.from_json(fields.child("domain"))
    fields.done()
    return uid, signer
