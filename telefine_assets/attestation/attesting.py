"""One day's attestation: re-verify the stored evidence, state it, have it signed, log it, verify it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from telefine_assets.attestation.alone import require_alone
from telefine_assets.attestation.bundle import AttestationBundle, attest, message_of
from telefine_assets.attestation.checks import check_erased, check_revoked
from telefine_assets.attestation.claim import Claim, EvidenceFile, HoldoutCommitment, Named, StatedWeights
from telefine_assets.attestation.cosigning import check_threshold, read_cosignatures
from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.failures import FailureCode, VerificationFailed, expect
from telefine_assets.attestation.files import LOOKS, NAMES, EvidenceContradiction, read_comparison, stated
from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.log_receipt import attestation_leaf, make_receipt, sign_head
from telefine_assets.attestation.log_writing import begin, place, require_good
from telefine_assets.attestation.policy import SignerPolicy
from telefine_assets.attestation.reissued import REPLACED, recheck
from telefine_assets.attestation.replay import LogState
from telefine_assets.attestation.signatures import Signer
from telefine_assets.attestation.snapshot import CheckedLog
from telefine_assets.attestation.trust import Trust
from telefine_assets.attestation.verify import VerifiedAttestation, verify_bundle
from telefine_assets.attribution.facts import FACTS_FILE, Facts, read_facts, recompute_weights
from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.deltaone.decision import decide
from telefine_assets.ledger.records import LoggedAttestation
from telefine_assets.payouts.merkle import shares_root

ATTESTED = "attested"
NOT_REACHED = "not_reached"
AWAITING = "awaiting_signatures"
REVOKED = "revoked"
ERASED = "evidence_erased"

_OUTCOMES = {
    FailureCode.THRESHOLD_NOT_MET: AWAITING,
    FailureCode.REVOKED: REVOKED,
    FailureCode.EVIDENCE_ERASED: ERASED,
}


class Days(Protocol):
    """The part of ``ledger.attested.AttestedDays`` that is used here."""

    def of(self, program: str, day: str) -> Sequence[str]:
        """Uids of the attestations of a day that were ever logged."""
        ...

    def append_at(self, position: int, leaf: tuple[str, bytes], what: LoggedAttestation) -> bool:
        """Append a leaf if the log has so many, and in the same step what it is of; returns whether it had."""
        ...


@dataclass(frozen=True)
class Attester:
    """What attestations are made with."""

    trust: Trust
    days: Days
    signer: Callable[[], Signer]
    """Opens the signer; asked only when there is something to sign."""
    looks: Callable[[str, str], list[dict[str, object]]]
    """The ledger's extract for a program and a look (``Looks.extract``)."""
    check: Callable[[Facts], None]
    """Refuses facts that are not what log and settings say (``attribution.weighing.check_facts``)."""
    put: Callable[[bytes], str]
    find: Callable[[str], bytes | None]


@dataclass(frozen=True)
class Standing:
    """What an attestation is good for now.

    Attributes:
        verified: the attestation, all of it verified; None where there is none.
        failure: why nothing new may rest on it: it was revoked, signatures are
            missing, or evidence was erased. None if something may.
    """

    verified: VerifiedAttestation | None
    failure: VerificationFailed | None = None

    @property
    def outcome(self) -> str:
        """``attested``, ``awaiting_signatures``, ``revoked``, ``evidence_erased`` or ``not_reached``."""
        if self.verified is None:
            return NOT_REACHED
        return ATTESTED if self.failure is None else _OUTCOMES[self.failure.code]

    @property
    def hindrance(self) -> str | None:
        """Outcome and reason in words; None if something may rest on it."""
        return None if self.failure is None else f"{self.outcome}: {self.failure.detail}"


@dataclass(frozen=True)
class Attested:
    """A signed and logged attestation, with what it is good for."""

    bundle: AttestationBundle
    verified: VerifiedAttestation
    standing: Standing

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


def claim_of(program: str, day: str, files: Mapping[str, bytes]) -> Claim:
    """The claim that the evidence supports, every part of it derived from the files.

    Raises:
        EvidenceContradiction: when the files do not support a claim.
    """
    derived = recheck(files)
    for name, wanted in (("program", program), ("partition", day)):
        if derived[name] != wanted:
            raise EvidenceContradiction(f"{LOOKS}: {name} is {derived[name]!r}, this is {wanted!r}")
    rows, rules, look = read_comparison(files)
    names = (*NAMES, *(name for name in REPLACED if name in files))
    table = recompute_weights(files[FACTS_FILE])
    return Claim(
        program=program,
        candidate_version=derived["candidateVersion"],
        baseline_version=derived["baselineVersion"],
        partition=day,
        metric=Named(**derived["metric"]),
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
            for name in sorted(names)
        ),
        replaces=tuple(derived.get("replaces", ())),
    )


def attest_records(
    attester: Attester,
    program: str,
    day: str,
    records: Mapping[str, Mapping[str, Any]],
    before: Mapping[str, Any] | None = None,
    reissue: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Attest a day from what its stages stored; returns the stage's record.

    ``records`` are those of ``compiled_programs``, ``deltaone_reports`` and
    ``contributor_weights``. They say where the evidence is; what it says is
    found out from the evidence alone. ``before`` is the day's record so far: an
    attestation of the same claim is kept, whoever would sign now. ``reissue`` is
    the record of ``reissuing.reissue``, where the day's attestation was revoked
    and is issued again: its evidence is then what is attested.

    Raises:
        EvidenceContradiction: when the evidence does not support what a stage recorded.
        FactsRefused: when the facts of the weights are not what log and settings say.
        NotAlone: the day has another attestation (see ``alone.require_alone``).
        RecordRefused: the signer's key is not good in the log.
        VerificationFailed: when what was just made does not verify.
    """
    report = records["deltaone_reports"]
    if not report["reached"]:
        nothing = dict.fromkeys(("uid", "signer", "log_index", "candidate", "baseline", "bundle"))
        return {"outcome": NOT_REACHED, "reason": report["sentence"], **nothing}
    digests = {name: digest for record in records.values() for name, digest in record["evidence"].items()}
    names, sentence = NAMES, report["sentence"]
    if reissue is not None:
        digests, sentence = reissue["evidence"], reissue["sentence"]
        names = tuple(digests)
    files = {name: _whole(attester.find, name, digests[name]) for name in names}
    last = json.loads(files[LOOKS])[-1]
    if files[LOOKS] != canonical_json(attester.looks(program, last["look_key"])):
        raise EvidenceContradiction(f"{LOOKS}: is not what the ledger says of look {last['k']} of {last['day']}")
    claim = claim_of(program, day, files)
    attested = _kept(attester, claim, before)
    if attested is None:
        attester.check(read_facts(files[FACTS_FILE]))
        attested = attest_claim(attester, claim, before)
    attester.put(attested.bundle.to_bytes())
    standing = attested.standing
    return {
        "outcome": standing.outcome,
        "reason": sentence if standing.failure is None else standing.failure.detail,
        **attested.to_record(),
    }


def attest_claim(attester: Attester, claim: Claim, before: Mapping[str, Any] | None = None) -> Attested:
    """Sign a claim, log it, and verify the result as a stranger would; ``before`` is the day's record so far.

    The log's first leaf is written on the way, if it has none. The receipt is
    under the head of the log as it was when the leaf came, so that a later rerun
    gives the same bytes.

    Raises:
        NotAlone: the day has another attestation (see ``alone.require_alone``).
        RecordRefused: the signer's key is not good in the log.
        VerificationFailed: when what was just made does not verify, or what it replaces is not revoked.
    """
    trust, signer, uid = attester.trust, attester.signer(), message_of(claim).uid

    def alone(state: LogState) -> None:
        require_alone(state, claim, uid, attester.days.of(claim.program, claim.partition), before)

    state = begin(trust.leaves, trust.origin, signer)
    require_good(state, signer.address)
    alone(state)
    bundle = attest(claim, trust.domain, signer)
    leaf = attestation_leaf(Envelope.from_json(bundle.envelope))
    what = LoggedAttestation(uid, claim.program, claim.partition, signer.address)
    index = place(trust.leaves, trust.origin, leaf, alone, partial(attester.days.append_at, what=what))
    log = MerkleLog(leaf_hash(leaf) for leaf in trust.leaves.leaves(index + 1))
    bundle = bundle.with_receipt(make_receipt(log, index, sign_head(log, trust.origin, signer)))
    return _attested(bundle, trust, attester.find)


def reverify(record: Mapping[str, Any], trust: Trust, find: Callable[[str], bytes | None]) -> Standing:
    """Verify the attestation that a day's record names, from stored evidence and the log as it is now.

    Raises:
        VerificationFailed: with the code of what is wrong. What the holder of
            the keys may still say, that it is revoked, that signatures are missing
            or that evidence was erased, is no such failure: it is in the standing.
    """
    if record["uid"] is None:
        return Standing(None)
    bundle = AttestationBundle.from_bytes(_whole(find, "attestation.json", record["bundle"]))
    attested = _attested(bundle, trust, find)
    expect(FailureCode.UID_MISMATCH, "uid of the record", record["uid"], attested.verified.uid)
    return attested.standing


def _kept(attester: Attester, claim: Claim, before: Mapping[str, Any] | None) -> Attested | None:
    """The attestation that stands in the day's record, if it is of this claim and its signer is trusted still."""
    if before is None or before["uid"] != message_of(claim).uid:
        return None
    content = attester.find(before["bundle"])
    if content is None:
        return None
    try:
        return _attested(AttestationBundle.from_bytes(content), attester.trust, attester.find)
    except VerificationFailed as failure:
        # A key that leaked: the same claim, and uid, can be signed again by a good one.
        if failure.code is not FailureCode.UNTRUSTED_SIGNER:
            raise
        return None


def _attested(bundle: AttestationBundle, trust: Trust, find: Callable[[str], bytes | None]) -> Attested:
    """Verify everything that can be wrong, then judge what its keys' holders may still say about it."""
    now = trust.log()
    signed = trust.cosigned(bundle)
    anyway = replace(now.policy, revoked_uids=frozenset(), required=1, attesters=frozenset())
    verified = _verified(signed, find, anyway, now)
    return Attested(bundle, verified, _standing(signed, verified, now))


def _standing(bundle: AttestationBundle, verified: VerifiedAttestation, now: CheckedLog) -> Standing:
    envelope = Envelope.from_json(bundle.envelope)
    try:
        check_revoked(envelope, now.policy)
        cosignatures = read_cosignatures(bundle.cosignatures, envelope)
        signers = check_threshold(envelope, cosignatures, now.policy, verified.log_index, now.state.cosigned)
        check_erased(verified.erased)
    except VerificationFailed as failure:
        if failure.code not in _OUTCOMES:
            raise
        return Standing(verified, failure)
    return Standing(replace(verified, signers=signers))


def _verified(
    bundle: AttestationBundle, find: Callable[[str], bytes | None], policy: SignerPolicy, log: CheckedLog
) -> VerifiedAttestation:
    # Our own attestations never expire; any moment after the signing will do.
    at = int(bundle.envelope["sig"]["message"]["time"])
    return verify_bundle(bundle, find, policy, at=at, log=log, recheck_decision=recheck, accept_erased=True)


def _whole(find: Callable[[str], bytes | None], name: str, digest: str) -> bytes:
    content = find(digest)
    if content is None:
        raise VerificationFailed(FailureCode.EVIDENCE_MISSING, f"{name}: no file with sha256 {digest}")
    expect(FailureCode.EVIDENCE_DIGEST_MISMATCH, f"{name}: sha256", digest, sha256_hex(content))
    return content
