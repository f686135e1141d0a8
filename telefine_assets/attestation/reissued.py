"""An attestation that was issued again, since feedback that the one before rested on was wrong: what must hold of it.

These files are among its evidence too, and everything in them is compared:

============================= ====================================================
``replaced/statement.json``   statement of the attestation that was revoked, and why
                              this one was issued; the revoked uid follows from it
``replaced/rows.jsonl``       the per-item results of that one
``replaced/report.json``      its decision, rules and look
``replaced/attribution.json`` the facts of its weights
``replaced/demos.json``       its demos; only where they differ
``replaced/trainset.jsonl``   what it was made from; only where it differs
============================= ====================================================

It is about the same program, day, versions, metric and look, under the same
rules; both programs' answers to every item are the same; and no item counts more
for the candidate than it did (``deltaone.correcting``). Neither gain, lower
bound nor the points that a contract would pay by are more than they were. The
weights are about the same demos, trials, traces and submissions, and it was made
from the same items; only whom a trace names may be another. What was held since
nobody signed for it stays held. That the revocation came first is seen in the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from telefine_assets.attestation.bundle import message_of
from telefine_assets.attestation.claim import Claim
from telefine_assets.attestation.files import (
    BASELINE,
    CANDIDATE,
    DEMOS,
    LOOKS,
    REPORT,
    ROWS,
    TRAINSET,
    EvidenceContradiction,
    json_of,
    lines_of,
    malformed_refused,
    read_comparison,
    recheck_look,
    require_same,
    stated,
)
from telefine_assets.attestation.statement import decision_record, parse_statement
from telefine_assets.attribution.arrivals import LOGGED
from telefine_assets.attribution.facts import FACTS_FILE, Facts, read_facts
from telefine_assets.attribution.records import Fields
from telefine_assets.attribution.reweighing import unsigned_of
from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.pairs import gain_of
from telefine_assets.deltaone.records import HIGHER, Decision, PairedItem
from telefine_assets.payouts.minting import scores_in_bps

REPLACED_STATEMENT, REPLACED_ROWS, REPLACED_REPORT, REPLACED_FACTS, REPLACED_DEMOS, REPLACED_TRAINSET = (
    f"replaced/{name}" for name in ("statement.json", ROWS, REPORT, FACTS_FILE, DEMOS, TRAINSET)
)
_ALWAYS = (REPLACED_FACTS, REPLACED_REPORT, REPLACED_ROWS, REPLACED_STATEMENT)
REPLACED_IF_OTHER = {DEMOS: REPLACED_DEMOS, TRAINSET: REPLACED_TRAINSET}
"""What is among the evidence only where the file is another than it was: most corrections are of labels alone."""
REPLACED = (*_ALWAYS, *REPLACED_IF_OTHER.values())

_MAY_CHANGE = frozenset(
    {"label", "label_source", "baseline_ppm", "candidate_ppm", "baseline_measures", "candidate_measures"}
)


def recheck(evidence: Mapping[str, bytes]) -> dict[str, Any]:
    """Derive all that the statement says from the evidence, and what it replaces.

    This is the ``DecisionRecheck`` of ``attestation.checks``.

    Raises:
        EvidenceContradiction: when files contradict each other or the decision is not reached.
        VerificationFailed: ``evidence_malformed``, for a file that is none of its kind.
    """
    derived = recheck_look(evidence)
    with malformed_refused():
        replaces = _replaced(evidence, derived)
    return derived | ({"replaces": replaces} if replaces else {})


def reissue_statement(statement: Mapping[str, Any], reason: str) -> bytes:
    """The file that says what is replaced, and why."""
    return canonical_json({"reason": reason, "statement": statement})


def _replaced(files: Mapping[str, bytes], derived: Mapping[str, Any]) -> list[str]:
    """The uids that it replaces, oldest first; none for a day's first attestation."""
    if not any(name in files for name in REPLACED):
        if read_facts(files[FACTS_FILE]).withdrawn:
            raise EvidenceContradiction(f"{FACTS_FILE}: withdraws feedback, and nothing is replaced")
        return []
    for name in _ALWAYS:
        if name not in files:
            raise EvidenceContradiction(f"{name}: not among the evidence")
    before = _claim_before(files)
    _check_same_look(files, before, derived)
    _check_made_from(files, before)
    _check_rows(files)
    _check_arrivals(files)
    return [*before.replaces, message_of(before).uid]


def _claim_before(files: Mapping[str, bytes]) -> Claim:
    fields = Fields(json_of(files, REPLACED_STATEMENT), REPLACED_STATEMENT)
    reason, statement = fields.text("reason"), fields.take("statement")
    fields.done()
    require_same(
        REPLACED_STATEMENT, "form", reissue_statement(statement, reason).decode(), files[REPLACED_STATEMENT].decode()
    )
    return parse_statement(statement)


def _check_same_look(files: Mapping[str, bytes], before: Claim, derived: Mapping[str, Any]) -> None:
    """The evidence of the one before is what it stated, and this one is about the same comparison."""
    known = {file.name: file.sha256 for file in before.evidence}
    kept = {ROWS: REPLACED_ROWS, REPORT: REPLACED_REPORT, FACTS_FILE: REPLACED_FACTS} | {
        name: name for name in (BASELINE, CANDIDATE, LOOKS)
    }
    for name, here in kept.items():
        require_same(here, "sha256", known.get(name), sha256_hex(files[here]))
    require_same(REPLACED_STATEMENT, "program", derived["program"], before.program)
    require_same(REPLACED_STATEMENT, "partition", derived["partition"], before.partition)
    rows, rules, look = read_comparison({ROWS: files[REPLACED_ROWS], REPORT: files[REPLACED_REPORT]})
    again = read_comparison(files)
    require_same(REPORT, "rules and look", (rules, look), again[1:])
    old = decide(rows, rules, look)
    require_same(REPLACED_ROWS, "decision", decision_record(before.decision), decision_record(stated(old)))
    # The report's decision is that of the rows; so much was seen before.
    if more := exceeds(Decision.from_record(json_of(files, REPORT)["decision"]), old):
        raise EvidenceContradiction(f"{ROWS}: {more}")


def _check_made_from(files: Mapping[str, bytes], before: Claim) -> None:
    """The same demos, and the same items to learn from, line by line; only whom they name may be another."""
    known = {file.name: file.sha256 for file in before.evidence}
    for name, here in REPLACED_IF_OTHER.items():
        same = sha256_hex(files[name]) == known.get(name)
        if same and here in files:
            raise EvidenceContradiction(f"{here}: is among the evidence, and {name} is what it was")
        if same:
            continue
        if here not in files:
            raise EvidenceContradiction(f"{here}: not among the evidence, and {name} is another than it was")
        require_same(here, "sha256", known.get(name), sha256_hex(files[here]))
        old, new = _lines(files, name, here), _lines(files, name, name)
        require_same(name, "number of lines", len(old), len(new))
        for number, (was, line) in enumerate(zip(old, new, strict=True), 1):
            require_same(name, f"line {number} but for its contributor", _unnamed(was), _unnamed(line))
            if not isinstance(line["contributor"], str | None):
                raise EvidenceContradiction(f"{name}: line {number}: contributor is neither a text nor null")


def _lines(files: Mapping[str, bytes], name: str, here: str) -> list[Any]:
    """The lines of ``here``, which is of the kind of ``name``."""
    return list(json_of(files, here)) if name == DEMOS else lines_of(files, here)


def _unnamed(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if name == "contributor" else value for name, value in line.items()}


def exceeds(now: Decision, before: Decision) -> str | None:
    """What is more than what was revoked, in words; None if nothing is.

    Without an outlier, an interval is narrower: its lower bound, and with it the grade, may rise while the gain
    falls. A relabelled tie moves both means, which a mint request rounds to basis points.
    """
    told = {
        "gain": (now.delta_ppm, before.delta_ppm, "ppm"),
        "lower bound": (now.lower_ppm, before.lower_ppm, "ppm"),
    }
    if now.direction == HIGHER:
        points = [candidate - baseline for baseline, candidate in map(scores_in_bps, (now, before))]
        told["gain in a mint request"] = (points[0], points[1], "basis points")
    for what, (found, most, unit) in told.items():
        if (found or 0) > (most or 0):
            return f"the {what} of {found} {unit} exceeds the one that was revoked, {most}"
    return None


def _check_arrivals(files: Mapping[str, bytes]) -> None:
    """Nobody has a part who had none, but by what a trace names now."""
    before, now = (read_facts(files[name]) for name in (REPLACED_FACTS, FACTS_FILE))
    require_same(FACTS_FILE, "scope", before.scope, now.scope)
    require_same(FACTS_FILE, "demos", before.demos, now.demos)
    require_same(FACTS_FILE, "trials", before.trials, now.trials)
    require_same(FACTS_FILE, "traces", *(_traces(facts) for facts in (before, now)))
    require_same(FACTS_FILE, "submissions", *(_submissions(facts) for facts in (before, now)))
    if unsigned_of(before) == "escrow" and unsigned_of(now) == "paid":
        raise EvidenceContradiction(
            f"{FACTS_FILE}: pays what was held since nobody signed for it: attribution.unsigned was 'escrow', and is "
            "'paid' by now"
        )


def _traces(facts: Facts) -> list[tuple[object, ...]]:
    return sorted(
        (each.trace_id, each.cluster, each.content or "", each.arrival_ms)
        for each in facts.arrivals
        if not each.trace_id.startswith(LOGGED)
    )


def _submissions(facts: Facts) -> set[tuple[object, ...]]:
    return {(each.cluster, each.content, each.submission) for each in facts.arrivals if each.submission is not None}


def _check_rows(files: Mapping[str, bytes]) -> None:
    """The same answers to the same items, none of which counts more for the candidate."""
    _, rules, _ = read_comparison(files)
    now, before = lines_of(files, ROWS), lines_of(files, REPLACED_ROWS)
    require_same(ROWS, "answers", _fixed(before), _fixed(now))
    for old, new in zip(map(PairedItem.from_record, before), map(PairedItem.from_record, now), strict=True):
        require_same(ROWS, f"whether {new.item} is resolved", old.resolved, new.resolved)
        if old.resolved and gain_of(new, rules.direction) > gain_of(old, rules.direction):
            raise EvidenceContradiction(f"{ROWS}: item {new.item} counts more for the candidate than it did")


def _fixed(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in _MAY_CHANGE} for row in rows]
