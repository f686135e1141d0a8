"""What a deployment trusts: its own log, as it stands now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from telefine_assets.attestation.bundle import AttestationBundle
from telefine_assets.attestation.cosigning import Cosignature
from telefine_assets.attestation.eas import EasDomain
from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.log_writing import Leaves
from telefine_assets.attestation.policy import SignerPolicy
from telefine_assets.attestation.replay import LogState, replay
from telefine_assets.attestation.signatures import Signature
from telefine_assets.attestation.snapshot import CheckedLog, derive


class KeptCosignatures(Protocol):
    """The part of ``ledger.cosignatures.Cosignatures`` that is used here."""

    def of(self, uid: str) -> Iterable[tuple[str, int, int, int]]:
        """Signer, v, r and s of every cosignature under an attestation."""
        ...


@dataclass(frozen=True)
class Trust:
    """A deployment's log and who must sign.

    Attributes:
        domain: the EAS contract that attestations are meant for.
        origin: name of the log.
        leaves: the log's leaves.
        kept: the cosignatures that came in.
        required: how many attesters must sign.
        attesters: the only ones who count; empty for every key that is good in the log.
    """

    domain: EasDomain
    origin: str
    leaves: Leaves
    kept: KeptCosignatures
    required: int = 1
    attesters: frozenset[str] = frozenset()

    def state(self) -> LogState:
        """What the log says now."""
        return replay(self.leaves.leaves(), self.origin)

    def log(self) -> CheckedLog:
        """The log now, with the policy that follows from it; the first key is believed, since the log is ours."""
        leaves = self.leaves.leaves()
        pinned = replay(leaves[:1], self.origin).genesis
        policy = SignerPolicy(
            self.domain,
            (),
            self.origin,
            require_log=pinned is not None,
            genesis=pinned,
            required=self.required,
            attesters=self.attesters,
        )
        return derive(leaves, MerkleLog(leaf_hash(leaf) for leaf in leaves), policy)

    def cosignatures(self, uid: str, attester: str) -> tuple[Cosignature, ...]:
        """The cosignatures that came in under an attestation, but for those of ``attester``, who signed it.

        Who cosigned it while another key had signed it, and signed it again once that key had leaked, is one
        attester, and counts once: what was a cosignature before stays in the ledger for ever.
        """
        found = (Cosignature(signer, Signature(v, r, s)) for signer, v, r, s in self.kept.of(uid))
        return tuple(each for each in found if each.signer != attester)

    def cosigned(self, bundle: AttestationBundle) -> AttestationBundle:
        """A stored attestation with the cosignatures that came in since, by other keys than its own."""
        envelope = bundle.envelope
        return bundle.with_cosignatures(self.cosignatures(envelope["sig"]["uid"], envelope["signer"]))
