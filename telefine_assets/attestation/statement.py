"""The statement: a claim as an in-toto Statement v1, and back.

Its canonical bytes (RFC 8785) are what the attestation's ``evidenceDigest`` is
the sha256 of. Reading is strict: a statement that this module would not have
written, character by character, is refused.

Source: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from telefine_assets.attestation.claim import (
    DIGEST,
    Claim,
    Decision,
    EvidenceFile,
    HoldoutCommitment,
    Named,
    StatedWeights,
)
from telefine_assets.attribution.records import Fields, RecordError
from telefine_assets.canonical import canonical_json, sha256_hex

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://telefine.dev/deltaone/v1"

_SALT_DOMAIN = b"https://telefine.dev/attestation-salt/v1\x00"
_INT32 = 2**31 - 1
_SAFE = 2**53 - 1


def build_statement(claim: Claim) -> dict[str, Any]:
    """The claim as an in-toto Statement, ready for ``canonical_json``."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": claim.program, "digest": {"sha256": claim.candidate_version}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "program": claim.program,
            "partition": claim.partition,
            "baselineVersion": claim.baseline_version,
            "metric": {"name": claim.metric.name, "digest": claim.metric.digest},
            "lm": {"name": claim.lm.name, "digest": claim.lm.digest},
            "holdout": {"digest": claim.holdout.digest, "n": claim.holdout.n},
            "decision": decision_record(claim.decision),
            "weights": _weights_record(claim.weights),
            "tracesetRoot": claim.traceset_root,
            "looksDigest": claim.looks_digest,
            "payoutRoot": claim.payout_root,
            "evidence": [_evidence_record(file) for file in claim.evidence],
            # Only where it replaces any: what was never revoked has one form.
            **({"replaces": list(claim.replaces)} if claim.replaces else {}),
        },
    }


def statement_bytes(statement: Mapping[str, Any]) -> bytes:
    """The canonical bytes of a statement."""
    return canonical_json(statement)


def evidence_digest(statement: Mapping[str, Any]) -> str:
    """The sha256 of the canonical statement, 64 digits."""
    return sha256_hex(statement_bytes(statement))


def derive_salt(digest: str) -> str:
    """The attestation's salt: a hash of the evidence digest, in a domain of its own.

    A random salt would give every rerun another uid.
    """
    return "0x" + hashlib.sha256(_SALT_DOMAIN + bytes.fromhex(digest)).hexdigest()


def decision_record(decision: Decision) -> dict[str, Any]:
    """A decision as the statement holds it: what a recheck has to reproduce."""
    return {
        "deltaPpm": decision.delta_ppm,
        "lowerPpm": decision.lower_ppm,
        "p": decision.p,
        "alpha": decision.alpha,
        "look": decision.look,
        "n": decision.n,
        "wins": decision.wins,
        "losses": decision.losses,
        "unresolved": decision.unresolved,
        "grade": decision.grade,
        "method": decision.method,
    }


def parse_statement(value: Mapping[str, Any]) -> Claim:
    """Read a statement strictly.

    Raises:
        RecordError: a field is missing, unknown, of the wrong type or value, or
            subject and predicate contradict each other.
    """
    fields = Fields(value, "statement")
    fields.constant("_type", STATEMENT_TYPE)
    fields.constant("predicateType", PREDICATE_TYPE)
    name, version = _subject(fields.objects("subject"))
    predicate = fields.child("predicate")
    fields.done()
    if predicate.take("program") != name:
        raise RecordError("statement.predicate.program", f"expected the subject's name, {name!r}")
    claim = Claim(
        program=name,
        candidate_version=version,
        baseline_version=predicate.text("baselineVersion", DIGEST, "a sha256"),
        partition=predicate.text("partition"),
        metric=_named(predicate.child("metric")),
        lm=_named(predicate.child("lm")),
        holdout=_holdout(predicate.child("holdout")),
        decision=_decision(predicate.child("decision")),
        weights=_weights(predicate.child("weights")),
        traceset_root=predicate.text("tracesetRoot", DIGEST, "a sha256"),
        looks_digest=predicate.text("looksDigest", DIGEST, "a sha256"),
        payout_root=predicate.text("payoutRoot"),
        evidence=tuple(_evidence(row) for row in predicate.objects("evidence")),
        replaces=predicate.some_texts("replaces"),
    )
    predicate.done()
    return claim


def _weights_record(weights: StatedWeights) -> dict[str, Any]:
    return {
        "method": weights.method,
        "contributors": [{"address": a, "weightPpm": ppm} for a, ppm in weights.contributors],
        "escrow": [{"reason": r, "weightPpm": ppm} for r, ppm in weights.escrow],
        "reason": weights.reason,
    }


def _evidence_record(file: EvidenceFile) -> dict[str, Any]:
    return {"name": file.name, "sha256": file.sha256, "size": file.size, "mediaType": file.media_type}


def _subject(subjects: list[Fields]) -> tuple[str, str]:
    """Name and version of the one subject."""
    if len(subjects) != 1:
        raise RecordError("statement.subject", f"expected one subject, found {len(subjects)}")
    subject = subjects[0]
    name, digest = subject.text("name"), subject.child("digest")
    subject.done()
    version = digest.text("sha256", DIGEST, "a sha256")
    digest.done()
    return name, version


def _named(fields: Fields) -> Named:
    named = Named(fields.text("name"), fields.text("digest"))
    fields.done()
    return named


def _holdout(fields: Fields) -> HoldoutCommitment:
    holdout = HoldoutCommitment(fields.text("digest"), fields.integer("n", 1, _INT32))
    fields.done()
    return holdout


def _decision(fields: Fields) -> Decision:
    decision = Decision(
        delta_ppm=fields.integer("deltaPpm", -_INT32, _INT32),
        lower_ppm=fields.integer("lowerPpm", -_INT32, _INT32),
        p=fields.text("p"),
        alpha=fields.text("alpha"),
        look=fields.integer("look", 1, _INT32),
        n=fields.integer("n", 0, _INT32),
        wins=fields.integer("wins", 0, _INT32),
        losses=fields.integer("losses", 0, _INT32),
        unresolved=fields.integer("unresolved", 0, _INT32),
        grade=fields.text("grade"),
        method=fields.text("method"),
    )
    fields.done()
    return decision


def _weights(fields: Fields) -> StatedWeights:
    weights = StatedWeights(
        method=fields.text("method"),
        contributors=tuple(_share(row, "address") for row in fields.objects("contributors")),
        escrow=tuple(_share(row, "reason") for row in fields.objects("escrow")),
        reason=fields.text_or_none("reason"),
    )
    fields.done()
    return weights


def _share(row: Fields, key: str) -> tuple[str, int]:
    share = row.text(key), row.integer("weightPpm", 1, _SAFE)
    row.done()
    return share


def _evidence(row: Fields) -> EvidenceFile:
    file = EvidenceFile(
        name=row.text("name"),
        sha256=row.text("sha256"),
        size=row.integer("size", 0, _SAFE),
        media_type=row.text("mediaType"),
    )
    row.done()
    return file
