"""Logs with keys, revocations and attestations in them, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from telefine_assets.attestation.bundle import AttestationBundle, attest
from telefine_assets.attestation.claim import Claim
from telefine_assets.attestation.cosigning import Cosignature, cosign, cosignature_leaf
from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.log_receipt import attestation_leaf, make_receipt, sign_head
from telefine_assets.attestation.log_records import ADMIT, RETIRE, KeyRecord, Place, Revocation, Said, sign_record
from telefine_assets.attestation.policy import SignerPolicy
from telefine_assets.attestation.replay import LogState, replay
from telefine_assets.attestation.signatures import Signer
from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.attestation.snapshot import CheckedLog, Snapshot, check_snapshot, take_snapshot
from telefine_assets.attestation.verify import VerifiedAttestation, verify_bundle
from telefine_assets.canonical import digest_of
from telefine_assets.ledger.records import LoggedAttestation
from telefine_assets_tests.attestation.example import (
    ATTESTER,
    DOMAIN,
    NOW,
    ORIGIN,
    STRANGER,
    claim_of,
    evidence_files,
    make_example,
    recheck,
)

SECOND, THIRD, OTHER = (LocalKeySigner(f"{n}{n}" * 32) for n in (4, 5, 6))
SIGNERS = {each.address: each for each in (ATTESTER, SECOND, THIRD, OTHER, STRANGER)}
POLICY = SignerPolicy(DOMAIN, (), ORIGIN, genesis=ATTESTER.address)
EVIDENCE = make_example().evidence
CLAIM = claim_of(evidence_files())


def another_claim(number: int) -> Claim:
    """A claim with another uid, on the same evidence."""
    return replace(CLAIM, looks_digest=digest_of(f"other looks {number}"))


def admit(key: Signer) -> KeyRecord:
    return KeyRecord(ADMIT, key.address, "needed")


def retire(key: Signer, untrusted_from: int | None = None) -> KeyRecord:
    return KeyRecord(RETIRE, key.address, "done with", untrusted_from)


class MemoryLeaves:
    """A log's leaves in memory, with the ledger's manners."""

    def __init__(self, leaves: Sequence[bytes] = ()) -> None:
        self._leaves = [(str(number), leaf) for number, leaf in enumerate(leaves)]

    def append(self, entry: str, leaf: bytes) -> int:
        entries = [each for each, _ in self._leaves]
        if entry in entries:
            return entries.index(entry)
        self._leaves.append((entry, leaf))
        return len(entries)

    def append_at(self, position: int, leaves: Sequence[tuple[str, bytes]]) -> bool:
        if position != len(self._leaves):
            return False
        self._leaves += leaves
        return True

    def leaves(self, size: int | None = None) -> list[bytes]:
        return [leaf for _, leaf in self._leaves][:size]


class MemoryDays:
    """Which attestations some leaves have of a day, with the ledger's manners."""

    def __init__(self, leaves: Any) -> None:
        self._leaves, self._logged = leaves, list[LoggedAttestation]()

    def of(self, program: str, day: str) -> list[str]:
        return [each.uid for each in self._logged if (each.program, each.day) == (program, day)]

    def append_at(self, position: int, leaf: tuple[str, bytes], what: LoggedAttestation) -> bool:
        done = self._leaves.append_at(position, [leaf])
        self._logged += [what] if done else []
        return bool(done)


@dataclass
class World:
    """A log that tests write to as anybody could, and what a verifier makes of it."""

    leaves: list[bytes] = field(default_factory=list)

    @classmethod
    def begun(cls) -> World:
        world = cls()
        world.say(admit(ATTESTER), ATTESTER)
        return world

    def place(self, **changes: Any) -> Place:
        root = MerkleLog(leaf_hash(leaf) for leaf in self.leaves).root()
        return replace(Place(ORIGIN, len(self.leaves), "0x" + root.hex()), **changes)

    def say(self, said: Said, signer: Signer, **changes: Any) -> None:
        """Append a record, void or not."""
        self.leaves.append(sign_record(said, self.place(**changes), signer).leaf())

    def attest(
        self, signer: Signer = ATTESTER, head_by: Signer | None = None, claim: Claim = CLAIM
    ) -> AttestationBundle:
        """An attestation that stands at the log's end."""
        bundle = attest(claim, DOMAIN, signer)
        self.leaves.append(attestation_leaf(Envelope.from_json(bundle.envelope)))
        log = MerkleLog(leaf_hash(leaf) for leaf in self.leaves)
        return bundle.with_receipt(make_receipt(log, len(log) - 1, sign_head(log, ORIGIN, head_by or signer)))

    def revoke(self, bundle: AttestationBundle, signer: Signer = ATTESTER) -> None:
        self.say(Revocation(bundle.envelope["sig"]["uid"], "wrong feedback"), signer)

    def cosign(self, bundle: AttestationBundle, *signers: Signer) -> AttestationBundle:
        """The bundle with these signers' cosignatures, each a leaf of the log."""
        signed = cosigned(bundle, *signers)
        envelope = Envelope.from_json(bundle.envelope)
        for signer in signers:
            self.log_cosignature(envelope.uid, cosign(envelope, signer))
        return signed

    def log_cosignature(self, uid: str, cosignature: Cosignature) -> None:
        self.leaves.append(cosignature_leaf(uid, cosignature))

    def state(self) -> LogState:
        return replay(self.leaves, ORIGIN)

    def snapshot(self, signer: Signer | None = None) -> Snapshot:
        return take_snapshot(self.leaves, ORIGIN, signer or SIGNERS[self.state().good[0]])

    def check(self, policy: SignerPolicy = POLICY, signer: Signer | None = None) -> CheckedLog:
        return check_snapshot(self.snapshot(signer), policy)

    def verify(self, bundle: AttestationBundle, policy: SignerPolicy = POLICY, at: int = NOW) -> VerifiedAttestation:
        """What a stranger does who has the bundle and the log."""
        checked = self.check(policy)
        return verify_bundle(bundle, EVIDENCE, checked.policy, at=at, log=checked, recheck_decision=recheck)


def cosigned(bundle: AttestationBundle, *signers: Signer) -> AttestationBundle:
    """The bundle with these signers' cosignatures, of which the log says nothing."""
    envelope = Envelope.from_json(bundle.envelope)
    return bundle.with_cosignatures([cosign(envelope, signer) for signer in signers])
