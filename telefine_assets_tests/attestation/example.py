"""One attestation with everything that belongs to it, for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from telefine_assets.attestation.bundle import AttestationBundle, attest
from telefine_assets.attestation.claim import (
    Claim,
    Decision,
    EvidenceFile,
    HoldoutCommitment,
    Named,
    StatedWeights,
    partition_time,
)
from telefine_assets.attestation.eas import EasDomain, Envelope
from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.log_receipt import attestation_leaf, make_receipt, sign_head
from telefine_assets.attestation.policy import SignerPolicy, TrustedSigner
from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.attestation.statement import decision_record
from telefine_assets.attestation.verify import VerifiedAttestation, verify
from telefine_assets.attribution.addresses import checksum_address
from telefine_assets.attribution.facts import FACTS_FILE, recompute_weights, write_facts
from telefine_assets.attribution.submissions import Scope
from telefine_assets.attribution.usage import Arrival, UsedDemo
from telefine_assets.canonical import canonical_json, digest_of, sha256_hex
from telefine_assets.payouts.merkle import shares_root

DAY = "2026-11-20"
NOW = partition_time(DAY) + 3600
ORIGIN = "log.telefine.test"
DOMAIN = EasDomain("1.3.0", 11155111, "0xC2679fBD37d54388Ce493F1DB75320D236e1815e")
ATTESTER = LocalKeySigner("11" * 32)
STRANGER = LocalKeySigner("22" * 32)
LOG_KEY = LocalKeySigner("33" * 32)
ALICE, BOB = (checksum_address(bytes([n]) * 20) for n in (0xAB, 0xCD))

DECISION = Decision(
    delta_ppm=50_000,
    lower_ppm=12_000,
    p="0.0021",
    alpha="0.025",
    look=1,
    n=398,
    wins=28,
    losses=8,
    unresolved=2,
    grade="improved by at least 1 pp",
    method="exact_mcnemar",
)
POLICY = SignerPolicy(DOMAIN, (TrustedSigner(ATTESTER.address),), ORIGIN, (TrustedSigner(LOG_KEY.address),))


def evidence_files() -> dict[str, bytes]:
    """The files of the evidence, by name."""
    demos = [UsedDemo("c1", "t1", 900_000), UsedDemo("c2", "t2", 600_000), UsedDemo("c3", "t3", 500_000)]
    arrivals = [
        Arrival("c1", "t1", ALICE, None, 1_763_600_000_000),
        Arrival("c2", "t2", BOB.lower(), None, 1_763_600_000_001),
        Arrival("c3", "t3", "carol.eth", None, 1_763_600_000_002),
    ]
    return {
        FACTS_FILE: write_facts(demos, arrivals, Scope(ORIGIN, "sentiment")),
        "decision.json": canonical_json(decision_record(DECISION)),
        "program.json": b'{"demos":[]}',
    }


def claim_of(files: dict[str, bytes]) -> Claim:
    """The claim that rests on the files."""
    table = recompute_weights(files[FACTS_FILE])
    return Claim(
        program="sentiment",
        candidate_version=digest_of("candidate"),
        baseline_version=digest_of("baseline"),
        partition=DAY,
        metric=Named("exact_match", digest_of("metric")),
        lm=Named("gemma3-270m-q4", digest_of("lm")),
        holdout=HoldoutCommitment(digest_of("holdout"), 400),
        decision=DECISION,
        weights=StatedWeights.of(table),
        traceset_root=digest_of("traces"),
        looks_digest=digest_of("looks"),
        payout_root=shares_root((line.address, line.weight_ppm) for line in table.lines),
        evidence=tuple(
            EvidenceFile(name, sha256_hex(data), len(data), "application/json") for name, data in sorted(files.items())
        ),
    )


def recheck(files: Any) -> dict[str, Any]:
    """A stand-in for the DeltaOne package: the decision is in a file."""
    import json

    return {"decision": json.loads(files["decision.json"]), "candidateVersion": digest_of("candidate")}


@dataclass(frozen=True)
class Example:
    """A bundle, its evidence by digest, and how to verify it."""

    bundle: AttestationBundle
    evidence: dict[str, bytes]

    def verify(self, policy: SignerPolicy = POLICY, at: int = NOW, **changes: Any) -> VerifiedAttestation:
        parts = {"envelope": self.bundle.envelope, "statement": self.bundle.statement} | {
            name: changes.pop(name) for name in ("envelope", "statement") if name in changes
        }
        arguments = {"evidence": self.evidence, "receipt": self.bundle.receipt, "recheck_decision": recheck} | changes
        return verify(policy=policy, at=at, **parts, **arguments)


def logged(bundle: AttestationBundle, *, before: int = 4, after: int = 2, key: Any = LOG_KEY) -> AttestationBundle:
    """The bundle with a receipt, from a log that holds other leaves too."""
    log = MerkleLog(leaf_hash(b"before %d" % i) for i in range(before))
    index = log.append(leaf_hash(attestation_leaf(Envelope.from_json(bundle.envelope))))
    for i in range(after):
        log.append(leaf_hash(b"after %d" % i))
    return bundle.with_receipt(make_receipt(log, index, sign_head(log, ORIGIN, key)))


def make_example(files: dict[str, bytes] | None = None, **arguments: Any) -> Example:
    """The example, over the given files or its own."""
    files = files or evidence_files()
    bundle = logged(attest(**{"claim": claim_of(files), "domain": DOMAIN, "signer": ATTESTER} | arguments))
    return Example(bundle, {sha256_hex(data): data for data in files.values()})


def changed_decision(**changes: Any) -> Decision:
    """The example's decision with other values."""
    return replace(DECISION, **changes)
