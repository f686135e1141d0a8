"""Whom a verifier trusts: pinned by the verifier, never taken from the bundle."""

from __future__ import annotations

from dataclasses import dataclass

from telefine_assets.attestation.eas import EasDomain
from telefine_assets.attestation.eas_schema import telefine_schema_uid
from telefine_assets.attestation.signatures import BYTES32
from telefine_assets.attribution.addresses import require_wallet
from telefine_assets.attribution.records import RecordError, whole

_MAX_SIZE = 2**53 - 1
_MAX_SIGNERS = 100


@dataclass(frozen=True)
class TrustedSigner:
    """A key and the stretch of the log in which it is good.

    Validity goes by log position, since a stolen key can write any time into
    what it signs, but cannot put a leaf before the log's end.

    Attributes:
        address: the key's address, EIP-55.
        first_index: the first log position at which it is good.
        last_index: the last one; None while it is in use.
    """

    address: str
    first_index: int = 0
    last_index: int | None = None

    def __post_init__(self) -> None:
        require_wallet(self.address, "signer.address")
        whole(self.first_index, "signer.first_index", 0, _MAX_SIZE)
        if self.last_index is not None:
            whole(self.last_index, "signer.last_index", self.first_index, _MAX_SIZE)

    @property
    def bounded(self) -> bool:
        """Whether the key was not always, or is no longer, good."""
        return self.first_index > 0 or self.last_index is not None

    def covers(self, index: int) -> bool:
        """Whether the key is good at a log position."""
        return index >= self.first_index and (self.last_index is None or index <= self.last_index)


@dataclass(frozen=True)
class Pin:
    """The head of the log that a verifier saw last: the log may grow beyond it, and not otherwise.

    Attributes:
        size: leaves.
        root: their root, 0x and 64 digits.
    """

    size: int
    root: str

    def __post_init__(self) -> None:
        whole(self.size, "policy.head.size", 1, _MAX_SIZE)
        if not isinstance(self.root, str) or not BYTES32.fullmatch(self.root):
            raise RecordError("policy.head.root", f"expected 0x and 64 lower-case digits, found {self.root!r}")


@dataclass(frozen=True)
class SignerPolicy:
    """What a verifier accepts.

    With a log at hand (``snapshot.Snapshot``), ``signers``, ``log_keys`` and further
    ``revoked_uids`` follow from its leaves, and ``genesis`` says which log it is.

    Attributes:
        domain: the EAS contract that attestations must be meant for.
        signers: the attesters' keys; a key may be good in several stretches.
        log_origin: the log that receipts must come from; None without a log.
        log_keys: the keys that may sign its heads, by the position of a head's last leaf.
        require_log: whether an attestation without a receipt is refused.
        revoked_uids: attestations revoked in the log, 0x and 64 digits each.
        schema_uid: the schema that attestations must have.
        genesis: the first key of the log, EIP-55; None trusts no log beyond its receipts.
        required: how many attesters must have signed.
        attesters: the only ones who count, EIP-55; empty for every key that is good in
            the log. Named where more than one must sign: any good key can admit another.
        head: the newest head that the verifier knows; None for none.
    """

    domain: EasDomain
    signers: tuple[TrustedSigner, ...]
    log_origin: str | None = None
    log_keys: tuple[TrustedSigner, ...] = ()
    require_log: bool = True
    revoked_uids: frozenset[str] = frozenset()
    schema_uid: str = ""
    genesis: str | None = None
    required: int = 1
    attesters: frozenset[str] = frozenset()
    head: Pin | None = None

    def __post_init__(self) -> None:
        for uid in self.revoked_uids:
            if not BYTES32.fullmatch(uid):
                raise RecordError("policy.revoked_uids", f"expected 0x and 64 lower-case digits, found {uid!r}")
        if self.require_log and (self.log_origin is None or not (self.log_keys or self.genesis)):
            raise RecordError("policy.log_origin", "a required log needs its origin and at least one key")
        for address in (*self.attesters, *([self.genesis] if self.genesis else [])):
            require_wallet(address, "policy.attesters")
        whole(self.required, "policy.required", 1, _MAX_SIGNERS)
        if self.required > 1 and len(self.attesters) < self.required:
            raise RecordError("policy.attesters", f"must name at least the {self.required} who are required")
        if not self.schema_uid:
            object.__setattr__(self, "schema_uid", telefine_schema_uid())

    def stretches(self, address: str) -> tuple[TrustedSigner, ...]:
        """The entries of one key; empty for a stranger."""
        return tuple(signer for signer in self.signers if signer.address == address)

    def counts(self, address: str, index: int | None) -> bool:
        """Whether a signature by ``address`` counts that stands at a log position.

        Without a position only a key counts that always was and still is good.
        """
        if self.attesters and address not in self.attesters:
            return False
        return any(
            not stretch.bounded if index is None else stretch.covers(index) for stretch in self.stretches(address)
        )
