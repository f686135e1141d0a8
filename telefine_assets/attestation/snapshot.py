"""The whole log as a file: every leaf under a newly signed head.

With it a stranger sees for himself every key that came and went and every
revocation up to the head, and does not have to believe a policy about them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from telefine_assets.attestation.failures import FailureCode, VerificationFailed, expect
from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.log_receipt import SignedTreeHead, sign_head
from telefine_assets.attestation.policy import Pin, SignerPolicy
from telefine_assets.attestation.replay import LogState, replay
from telefine_assets.attestation.signatures import SignatureError, Signer
from telefine_assets.attribution.records import Fields, RecordError, load_json
from telefine_assets.canonical import canonical_json

LOG_FILE = "log.json"
MAX_LOG_BYTES = 2**27
MAX_LEAVES = 2**18
"""Limits of a log from a file: its bytes, and its leaves, so that they have 512 bytes each."""
# A stranger's log costs its bytes, a tenth of a millisecond a leaf, and so many signatures in vain (about a second).
_PATIENCE = 100


@dataclass(frozen=True)
class Snapshot:
    """A log's leaves and a head over all of them, not yet checked.

    Attributes:
        head: the signed head.
        leaves: all leaves, in order.
    """

    head: SignedTreeHead
    leaves: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        """The snapshot as JSON; leaves in hexadecimal, since a leaf may be any bytes."""
        return {"head": self.head.to_json(), "leaves": [leaf.hex() for leaf in self.leaves]}

    def to_bytes(self) -> bytes:
        """The file's canonical bytes."""
        return canonical_json(self.to_json())

    @classmethod
    def from_json(cls, value: object) -> Snapshot:
        """Read ``to_json``'s form.

        Raises:
            VerificationFailed: ``log_malformed``.
        """
        try:
            fields = Fields(value, "log")
            head = SignedTreeHead.from_json(fields.child("head"))
            texts = fields.items("leaves")
            fields.done()
            if len(texts) > MAX_LEAVES:
                raise RecordError("log.leaves", f"there are more than {MAX_LEAVES}")
            leaves = tuple(_leaf(text) for text in texts)
        except RecordError as error:
            raise VerificationFailed(FailureCode.LOG_MALFORMED, str(error)) from None
        return cls(head, leaves)

    @classmethod
    def from_bytes(cls, data: bytes) -> Snapshot:
        """Read ``log.json``.

        Raises:
            VerificationFailed: ``log_malformed``.
        """
        if len(data) > MAX_LOG_BYTES:
            raise VerificationFailed(FailureCode.LOG_MALFORMED, f"{LOG_FILE}: more than {MAX_LOG_BYTES} bytes")
        try:
            return cls.from_json(load_json(data, LOG_FILE))
        except RecordError as error:
            raise VerificationFailed(FailureCode.LOG_MALFORMED, str(error)) from None


@dataclass(frozen=True)
class CheckedLog:
    """A log that was checked against a policy.

    Attributes:
        log: the tree over its leaves.
        state: what its leaves add up to.
        policy: the policy, with the keys and revocations that follow from the leaves.
    """

    log: MerkleLog
    state: LogState
    policy: SignerPolicy

    def pin(self) -> Pin:
        """The head to keep: what a later log must contain."""
        return Pin(len(self.log), "0x" + self.log.root().hex())


def take_snapshot(leaves: Sequence[bytes], origin: str, signer: Signer) -> Snapshot:
    """Sign the head over all leaves.

    Raises:
        SigningError: the signer failed.
    """
    return Snapshot(sign_head(_tree(leaves), origin, signer), tuple(leaves))


def check_snapshot(snapshot: Snapshot, policy: SignerPolicy) -> CheckedLog:
    """Check a log: its root, who signed its head, whether it is the pinned one and contains the pinned head.

    Raises:
        VerificationFailed: ``log_head_untrusted``, ``log_root_mismatch``, ``log_malformed``
            (more bad signatures in it than anybody needs to look at),
            ``log_genesis_untrusted``, ``log_stale``, ``log_inconsistent``.
    """
    head, log = snapshot.head.head, _tree(snapshot.leaves)
    expect(FailureCode.LOG_HEAD_UNTRUSTED, "log.head.origin", policy.log_origin, head.origin)
    expect(FailureCode.LOG_ROOT_MISMATCH, "log.head.size against the leaves", len(log), head.size)
    expect(FailureCode.LOG_ROOT_MISMATCH, "log.head.root against the leaves", "0x" + log.root().hex(), head.root)
    _check_pin(log, policy.head)
    try:
        checked = derive(snapshot.leaves, log, policy, _PATIENCE)
    except RecordError as error:
        raise VerificationFailed(FailureCode.LOG_MALFORMED, str(error)) from None
    expect(FailureCode.LOG_GENESIS_UNTRUSTED, "log: its first key", policy.genesis, checked.state.genesis)
    if checked.state.genesis is None:
        raise VerificationFailed(FailureCode.LOG_GENESIS_UNTRUSTED, "log: its first leaf admits no key")
    _check_signer(snapshot.head, checked.policy)
    return checked


def derive(leaves: Sequence[bytes], log: MerkleLog, policy: SignerPolicy, patience: int | None = None) -> CheckedLog:
    """The policy with the keys and revocations that follow from the leaves.

    Raises:
        RecordError: more than ``patience`` records have a bad signature.
    """
    state = replay(leaves, policy.log_origin or "", patience)
    trusted = state.trusted()
    revoked = policy.revoked_uids | set(state.revoked)
    return CheckedLog(log, state, replace(policy, signers=trusted, log_keys=trusted, revoked_uids=revoked))


def check_in_log(log: MerkleLog, size: int, root: str, what: str) -> None:
    """An earlier head is the beginning of the log.

    Raises:
        VerificationFailed: ``log_stale``, ``log_inconsistent``.
    """
    if size > len(log):
        raise VerificationFailed(FailureCode.LOG_STALE, f"{what} has {size} leaves, the log only {len(log)}")
    expect(FailureCode.LOG_INCONSISTENT, f"{what}: root of the first {size} leaves", "0x" + log.root(size).hex(), root)


def _check_signer(head: SignedTreeHead, policy: SignerPolicy) -> None:
    try:
        key = head.signer()
    except SignatureError as error:
        raise VerificationFailed(FailureCode.LOG_HEAD_UNTRUSTED, f"log.head: {error}") from None
    if not any(each.address == key and each.covers(head.head.size - 1) for each in policy.log_keys):
        raise VerificationFailed(
            FailureCode.LOG_HEAD_UNTRUSTED, f"log.head: signed by {key}, which is not good at the log's end"
        )


def _check_pin(log: MerkleLog, pin: Pin | None) -> None:
    if pin is not None:
        check_in_log(log, pin.size, pin.root, "the pinned head")


def _tree(leaves: Sequence[bytes]) -> MerkleLog:
    return MerkleLog(leaf_hash(leaf) for leaf in leaves)


def _leaf(text: object) -> bytes:
    try:
        leaf = bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        leaf = None
    if leaf is None:
        raise RecordError("log.leaves", "expected leaves in hexadecimal")
    if leaf.hex() != text:
        raise RecordError("log.leaves", "expected lower-case hexadecimal")
    return leaf
