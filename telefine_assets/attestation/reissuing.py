"""Issuing an attestation again after feedback that it rested on was corrected: the evidence of the new one.

Nothing is asked of any language model and no look is spent: the stored answers
are scored by the corrected labels (``deltaone.correcting``), the weights follow
from the corrected contributors (``attribution.reweighing``), and the same rule
decides. What is found is kept in a record, from which the stage ``attestations``
signs; everything in it is checked again there, and by whoever verifies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.attestation.attesting import claim_of
from telefine_assets.attestation.bundle import AttestationBundle, message_of
from telefine_assets.attestation.claim import Claim
from telefine_assets.attestation.demos_again import ShownDemos
from telefine_assets.attestation.files import (
    BASELINE,
    CANDIDATE,
    DEMOS,
    LOOKS,
    REPORT,
    ROWS,
    TRAINSET,
    read_comparison,
)
from telefine_assets.attestation.reissued import (
    REPLACED_FACTS,
    REPLACED_IF_OTHER,
    REPLACED_REPORT,
    REPLACED_ROWS,
    REPLACED_STATEMENT,
    exceeds,
    reissue_statement,
)
from telefine_assets.attribution.arrivals import Register
from telefine_assets.attribution.facts import FACTS_FILE, read_facts, recompute_weights
from telefine_assets.attribution.reweighing import Reweighed, reweigh
from telefine_assets.canonical import canonical_json, canonical_lines, sha256_hex
from telefine_assets.deltaone.comparing import rows_document
from telefine_assets.deltaone.correcting import Corrected, correct
from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.records import Decision
from telefine_assets.errors import TelefineError
from telefine_assets.programs.spec import ProgramSpec
from telefine_assets.traces.records import CleanedTrace

STAGE = "reissues"
"""Under which name the store keeps what is to be attested instead of a day's first evidence."""
NOTHING_CORRECTED = "nothing_corrected"
EXCEEDS_REVOKED = "exceeds_revoked"


class NotReissued(TelefineError):
    """Nothing is issued again.

    Attributes:
        code: why, for programs: ``nothing_corrected``, ``exceeds_revoked``, or the code of the decision.
    """

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True)
class Now:
    """What is known of the day's traces now.

    Attributes:
        spec: the program, with the metric of the look.
        cleaned: the cleaned traces that the attestation names (``named_traces``), as they are stored now.
        register: where submissions are looked up.
    """

    spec: ProgramSpec
    cleaned: Sequence[CleanedTrace]
    register: Register


@dataclass(frozen=True)
class Named:
    """The traces that an attestation names, by id.

    Attributes:
        all: every one of them.
        needed: those that count as withdrawn if they are not found.
    """

    all: frozenset[str]
    needed: frozenset[str]


def named_traces(files: Mapping[str, bytes]) -> Named:
    """The traces that the evidence of an attestation names: of its items, its demos, and all that had a part."""
    lines = [json.loads(line) for line in files[TRAINSET].splitlines()]
    inherited = {line["trace_id"] for line in lines if line["side"] == "inherited"}
    items = {json.loads(line)["trace_id"] for line in files[ROWS].splitlines()}
    demos = {demo["trace_id"] for demo in json.loads(files[DEMOS])} - inherited
    arrived = {each.trace_id for each in read_facts(files[FACTS_FILE]).arrivals}
    return Named(frozenset(items | arrived | {line["trace_id"] for line in lines}), frozenset(items | demos))


def reissue(
    bundle: AttestationBundle,
    files: Mapping[str, bytes],
    reason: str,
    now: Now,
    put: Callable[[bytes], str],
    prepared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Find what can be attested again of a revoked attestation, and keep it as evidence.

    Args:
        bundle: the attestation, verified and revoked; the caller has seen to both.
        files: its evidence by name.
        reason: why, in words; it stands in the evidence.
        now: the program and its traces as they are now.
        put: keeps evidence; returns its SHA-256.
        prepared: the day's record of ``STAGE`` so far.

    Returns:
        The record of ``STAGE``: uids, reason, what changed, decision, and the evidence.

    Raises:
        NotReissued: nothing that counts was corrected, DeltaOne is not reached any more, or something that the
            attestation says of the gain would be more than it was.
        CannotCorrect: the stored answers cannot be scored again.
        EvidenceContradiction: what was found does not hold together.
    """
    rows, rules, look = read_comparison(files)
    corrected = correct(rows, now.cleaned, now.spec, rules, look)
    credited = _reweighed(files, now)
    changed = _changed(corrected, credited)
    same_weights = recompute_weights(files[FACTS_FILE]) == credited.table
    if same_weights and all(files[name] == changed[name] for name in (ROWS, DEMOS)):
        raise NotReissued(
            NOTHING_CORRECTED,
            "nothing that this attestation rests on was corrected. Correct the feedback in MLflow, load the days that "
            "it belongs to again (telefine run traces cleaned_traces --day DAY), then run this again",
        )
    decision = decide(corrected.rows, rules, look)
    if not decision.reached:
        raise NotReissued(decision.code, f"not DeltaOne by the corrected feedback: {decision.sentence}")
    if more := exceeds(decision, decide(rows, rules, look)):
        raise NotReissued(EXCEEDS_REVOKED, f"what is issued again may only say less, and {more}")
    evidence = {
        **{name: files[name] for name in (BASELINE, CANDIDATE, LOOKS)},
        **changed,
        REPORT: canonical_json(json.loads(files[REPORT]) | {"decision": decision.to_record()}),
        REPLACED_STATEMENT: reissue_statement(bundle.statement, reason),
        REPLACED_ROWS: files[ROWS],
        REPLACED_REPORT: files[REPORT],
        REPLACED_FACTS: files[FACTS_FILE],
        **{here: files[name] for name, here in REPLACED_IF_OTHER.items() if changed[name] != files[name]},
    }
    predicate = bundle.statement["predicate"]
    claim = claim_of(json.loads(files[CANDIDATE])["program"], predicate["partition"], evidence)
    return _record(bundle, reason, corrected, credited, decision) | {
        "uid": message_of(claim).uid,
        "replaced": bundles_replaced(bundle, claim, prepared),
        "evidence": {name: put(content) for name, content in evidence.items()},
    }


def bundles_replaced(
    bundle: AttestationBundle, claim: Claim, prepared: Mapping[str, Any] | None
) -> list[dict[str, str]]:
    """Every attestation that is replaced, the oldest first, and where the evidence has it: no other record says so."""
    found = {each["uid"]: each["bundle"] for each in (prepared or {"replaced": ()})["replaced"]}
    found[bundle.envelope["sig"]["uid"]] = sha256_hex(bundle.to_bytes())
    return [{"uid": uid, "bundle": found[uid]} for uid in claim.replaces]


def _reweighed(files: Mapping[str, bytes], now: Now) -> Reweighed:
    demos, trainset = json.loads(files[DEMOS]), [json.loads(line) for line in files[TRAINSET].splitlines()]
    shown = ShownDemos(json.loads(files[CANDIDATE]), demos, now.spec)
    return reweigh(demos, trainset, read_facts(files[FACTS_FILE]), now.cleaned, now.register, shown.stand)


def _changed(corrected: Corrected, credited: Reweighed) -> dict[str, bytes]:
    """The documents that corrections may change."""
    return {
        ROWS: rows_document(corrected.rows),
        DEMOS: canonical_json(credited.demos),
        TRAINSET: canonical_lines(credited.trainset),
        FACTS_FILE: credited.facts,
    }


def _record(
    bundle: AttestationBundle, reason: str, corrected: Corrected, credited: Reweighed, decision: Decision
) -> dict[str, Any]:
    before = bundle.statement["predicate"]["decision"]
    uid = bundle.envelope["sig"]["uid"]
    return {
        "replaces": uid,
        "reason": reason,
        "items": corrected.counts,
        "withdrawn_demos": list(credited.withdrawn),
        "gain_before_ppm": before["deltaPpm"],
        "gain_ppm": decision.delta_ppm,
        "weights": credited.table.to_record(),
        "sentence": f"Issued again for {uid}, which was revoked; no item counts more than it did. {decision.sentence}",
    }
