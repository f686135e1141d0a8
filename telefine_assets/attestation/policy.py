"""Whom a verifier trusts: pinned by the verifier, never taken from the bundle."""

from __future__ import annotations

from dataclasses import dataclass

from telefine_assets.attestation.eas import EasDomain
from telefine_assets.attestation.eas_schema import telefine_schema_uid
from telefine_assets.attestation.signatures import BYTES32
from telefine_assets.attribution.addresses import require_wallet
from telefine_assets.attribution.records import RecordError, whole


@dataclass(frozen=True)
class TrustedSigner:
    """An attester's key and the stretch of the log in which it is good.

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
        whole(self.first_index, "signer.first_index", 0, 2**53)
        if self.last_index is not None:
            whole(self.last_index, "signer.last_index", self.first_index, 2**53)

    @property
    def bounded(self) -> bool:
        """Whether the key was not always, or is no longer, good."""
        return self.first_index > 0 or self.last_index is not None

    def covers(self, index: int) -> bool:
        """Whether the key is good at a log position."""
        return index >= self.first_index and (self.last_index is None or index <= self.last_index)


@dataclass(frozen=True)
class SignerPolicy:
    """What a verifier accepts.

    Attributes:
        domain: the EAS contract that attestations must be meant for.
        signers: the attesters' keys; a key may be good in several stretches.
        log_origin: the log that receipts must come from; None without a log.
        log_keys: the keys that may sign its heads, EIP-55.
        require_log: whether an attestation without a receipt is refused.
        revoked_uids: attestations revoked in the log, 0x and 64 digits each.
        schema_uid: the schema that attestations must have.
    """

    domain: EasDomain
    signers: tuple[TrustedSigner, ...]
    log_origin: str | None = None
    log_keys: frozenset[str] = frozenset()
    require_log: bool = True
    revoked_uids: frozenset[str] = frozenset()
    schema_uid: str = ""

    def __post_init__(self) -> None:
        for key in self.log_keys:
            require_wallet(key, "policy.log_keys")
        for uid in self.revoked_uids:
            if not BYTES32.fullmatch(uid):
                raise RecordError("policy.revoked_uids", f"expected 0x and 64 lower-case digits, found {uid!r}")
        if self.require_log and (self.log_origin is None or not self.log_keys):
            raise RecordError("policy.log_origin", "a required log needs its origin and at least one key")
        if not self.schema_uid:
            object.__setattr__(self, "schema_uid", telefine_schema_uid())

    def stretches(self, address: str) -> tuple[TrustedSigner, ...]:
        """The entries of one key; empty for a stranger."""
        return tuple(signer for signer in self.signers if signer.address == address)
