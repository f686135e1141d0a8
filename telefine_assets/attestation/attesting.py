"""One day's attestation: re-verify the stored evidence, state it, have it signed, log it, verify it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from telefine_assets.attestation.bundle import AttestationBundle, attest
from telefine_assets.attestation.claim import Claim, EvidenceFile, HoldoutCommitment, Named, StatedWeights
from telefine_assets.attestation.eas import EasDomain, Envelope
from telefine_assets.attestation.failures import FailureCode, VerificationFailed, expect
from telefine_assets.attestation.files import LOOKS, NAMES, EvidenceContradiction, read_comparison, recheck, stated
from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.log_receipt import attestation_leaf, make_receipt, sign_head
from telefine_assets.attestation.policy import SignerPolicy, TrustedSigner
from telefine_assets.attestation.signatures import Signer
from telefine_assets.attestation.verify import VerifiedAttestation, verify_bundle
from telefine_assets.attribution.facts import FACTS_FILE, recompute_weights
from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.deltaone.decision import decide
from telefine_assets.payouts.merkle import shares_root

ATTESTED = "attested"
NOT_REACHED = "not_reached"


class Leaves(Protocol):
    """The log's leaves (``ledger.log.LogLeaves``)."""

    def append(self, entry: str, leaf: bytes) -> int:
        """Append a leaf, or find it; returns its position."""
        ...

    def leaves(self, size: int | None = None) -> list[bytes]:
        """The first ``size`` leaves."""
        ...


@dataclass(frozen=True)
class Attester:
    """What attestations are made with."""

    domain: EasDomain
    signer: Callable[[], Signer]
    """Opens the signer; asked only when there is something to sign."""
    origin: str
    """Name of the log."""
    leaves: Leaves
    looks: Callable[[str, str], list[dict[str, object]]]
    """The ledger's extract for a program and a look (``Looks.extract``)."""
    put: Callable[[bytes], str]
    find: Callable[[str], bytes | None]


@dataclass(frozen=True)
class Attested:
    """A signed, logged and verified attestation."""

    bundle: AttestationBundle
    verified: VerifiedAttestation

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form, without the bundle itself."""
        return {
            "uid": self.verified.uid,
            "signer": self.verified.signer,
            "log_index": self.verified.log_index,
            "candidate": self.verified.claim.candidate_version,
            "baseline": self.verified.claim.baseline_version,
            "bundle": sha256_hex(self.bundle.to_bytes()),
        }


def claim_of(program: str, day: str, metric: str, files: Mapping[str, bytes]) -> Claim:
    """The claim that the evidence supports, every part of it derived from the files.

    Raises:
        EvidenceContradiction: when the files do not support a claim.
    """
    derived = recheck(files)
    for name, wanted in (("program", program), ("partition", day)):
        if derived[name] != wanted:
            raise EvidenceContradiction(f"{LOOKS}: {name} is {derived[name]!r}, this is {wanted!r}")
    rows, rules, look = read_comparison(files)
    table = recompute_weights(files[FACTS_FILE])
    return Claim(
        program=program,
        candidate_version=derived["candidateVersion"],
        baseline_version=derived["baselineVersion"],
        partition=day,
        metric=Named(metric, look.metric_digest),
        lm=Named(**derived["lm"]),
        holdout=HoldoutCommitment(**derived["holdout"]),
        decision=stated(decide(rows, rules, look)),
        weights=StatedWeights.of(table),
        traceset_root=derived["tracesetRoot"],
        looks_digest=derived["looksDigest"],
        payout_root=shares_root((line.address, line.weight_ppm) for line in table.lines),
        evidence=tuple(
            EvidenceFile(
                name,
                sha256_hex(files[name]),
                len(files[name]),
                "application/jsonl" if name.endswith("l") else "application/json",
            )
            for name in sorted(NAMES)
        ),
    )


def attest_records(
    attester: Attester, program: str, day: str, metric: str, records: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Attest a day from what its stages stored; returns the stage's record.

    ``records`` are those of ``compiled_programs``, ``deltaone_reports`` and
    ``contributor_weights``. They say where the evidence is; what it says is
    found out from the evidence alone.

    Raises:
        EvidenceContradiction: when the evidence does not support what a stage recorded.
        VerificationFailed: when what was just made does not verify.
    """
    report = records["deltaone_reports"]
    if not report["reached"]:
        nothing = dict.fromkeys(("uid", "signer", "log_index", "candidate", "baseline", "bundle"))
        return {"outcome": NOT_REACHED, "reason": report["sentence"], **nothing}
    digests = {name: digest for record in records.values() for name, digest in record["evidence"].items()}
    files = {name: _whole(attester.find, name, digests[name]) for name in NAMES}
    last = json.loads(files[LOOKS])[-1]
    if files[LOOKS] != canonical_json(attester.looks(program, last["look_key"])):
        raise EvidenceContradiction(f"{LOOKS}: is not what the ledger says of look {last['k']} of {last['day']}")
    attested = attest_claim(attester, claim_of(program, day, metric, files))
    attester.put(attested.bundle.to_bytes())
    return {"outcome": ATTESTED, "reason": report["sentence"], **attested.to_record()}


def attest_claim(attester: Attester, claim: Claim) -> Attested:
    """Sign a claim, log it, and verify the result as a stranger would.

    The receipt is under the head of the log as it was when the leaf came, so
    that a later rerun gives the same bytes.

    Raises:
        VerificationFailed: when what was just made does not verify.
    """
    signer = attester.signer()
    bundle = attest(claim, attester.domain, signer)
    envelope = Envelope.from_json(bundle.envelope)
    leaf = attestation_leaf(envelope)
    index = attester.leaves.append("0x" + leaf_hash(leaf).hex(), leaf)
    log = MerkleLog(leaf_hash(leaf) for leaf in attester.leaves.leaves(index + 1))
    bundle = bundle.with_receipt(make_receipt(log, index, sign_head(log, attester.origin, signer)))
    policy = own_policy(attester.domain, signer.address, attester.origin)
    return Attested(bundle, _verified(bundle, attester.find, policy))


def reverify(
    record: Mapping[str, Any],
    domain: EasDomain,
    signer: Callable[[], Signer],
    origin: str,
    find: Callable[[str], bytes | None],
) -> VerifiedAttestation | None:
    """Verify the attestation that a day's record names, from stored evidence; None when it names none.

    Raises:
        VerificationFailed: with the code of what is wrong; nothing may be promoted or paid on it.
    """
    if record["outcome"] != ATTESTED:
        return None
    bundle = AttestationBundle.from_bytes(_whole(find, "attestation.json", record["bundle"]))
    verified = _verified(bundle, find, own_policy(domain, signer().address, origin))
    expect(FailureCode.UID_MISMATCH, "uid of the record", record["uid"], verified.uid)
    return verified


def own_policy(domain: EasDomain, address: str, origin: str) -> SignerPolicy:
    """Trust one attester, who also signs the log's heads."""
    return SignerPolicy(
        domain=domain, signers=(TrustedSigner(address),), log_origin=origin, log_keys=frozenset({address})
    )


def _verified(
    bundle: AttestationBundle, find: Callable[[str], bytes | None], policy: SignerPolicy
) -> VerifiedAttestation:
    # Our own attestations never expire; any moment after the signing will do.
    return verify_bundle(
        bundle, find, policy, at=int(bundle.envelope["sig"]["message"]["time"]), recheck_decision=recheck
    )


def _whole(find: Callable[[str], bytes | None], name: str, digest: str) -> bytes:
    content = find(digest)
    if content is None:
        raise VerificationFailed(FailureCode.EVIDENCE_MISSING, f"{name}: no file with sha256 {digest}")
    expect(FailureCode.EVIDENCE_DIGEST_MISMATCH, f"{name}: sha256", digest, sha256_hex(content))
    return content
