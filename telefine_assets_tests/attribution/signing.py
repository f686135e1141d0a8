"""Contributors who sign, and traces to sign for."""

from __future__ import annotations

from typing import Any

from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.attribution.submissions import Scope, SignedSubmission, sign_submission
from telefine_assets.traces.clusters import cluster_of
from telefine_assets.traces.records import CleanedTrace

ADA, BOB = LocalKeySigner("a1" * 32), LocalKeySigner("b0" * 32)
SCOPE = Scope("shop", "tickets")
NOW_S = 1_795_000_000
NOW_MS = NOW_S * 1000
SALT = "0x" + "5a" * 32


def signed(text: str, signer: LocalKeySigner = ADA, scope: Scope = SCOPE, time: int = NOW_S) -> SignedSubmission:
    """What a contributor signs for an input."""
    return sign_submission(signer, scope.trace_digest(cluster_of({"text": text})), time, SALT)


def trace(
    number: int, text: str, contributor: str | None, submission: str | None = None, **changes: Any
) -> CleanedTrace:
    """A cleaned trace; its cluster is its text's first word."""
    values: dict[str, Any] = {
        "trace_id": f"tr-{number}",
        "trace_digest": f"{number:064x}",
        "day": "2026-11-02",
        "arrival_ms": number,
        "inputs": "{}",
        "label": "{}",
        "label_source": "output:thumbs",
        "score_ppm": None,
        "quality_ppm": 1_000_000,
        "contributor": contributor,
        "contributor_reason": None if contributor else "missing",
        "content": cluster_of({"text": text}),
        "cluster": text.split()[0],
        "group": "g",
        "split": "train",
        "session": None,
        "version": None,
        "disagreement_ppm": None,
        "flags": "[]",
        "submission": submission,
    }
    return CleanedTrace(**values | changes)
