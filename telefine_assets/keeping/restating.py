"""Erasures that must be said again in the log, since the key that said them leaked: none but those done here.

A leaf proves nothing of what happened: who stole the key may have written it. So a file's erasure is said
again only where the ledger and its audit log say that this deployment erased it, the file is gone, and an
attestation in force rests on it that was covered before. What is still there is never said to be gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from telefine_assets.attestation.checks import excuses
from telefine_assets.attestation.log_receipt import LEAF_KIND
from telefine_assets.attestation.log_records import ERASURE_KIND
from telefine_assets.attestation.replay import Line
from telefine_assets.attestation.snapshot import CheckedLog
from telefine_assets.keeping.erasure_plan import versions
from telefine_assets.keeping.places import EVIDENCE as EVIDENCE_FOLDER
from telefine_assets.keeping.proofs import claim_in
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.erasures import EVIDENCE, Asked, Erasures
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files

NOT_OURS = "no erasure of this deployment names it"
SERVES = "that version serves, and no erasure takes such a one"
TOO_LATE = "an attestation came after it was said to be erased"


@dataclass(frozen=True)
class Restating:
    """What no word in the log counts for any more, by SHA-256 of the file.

    Attributes:
        again: the reason for which this deployment erased it: to be said again.
        there: why what is there still is no erasure; nothing is hidden.
        missing: why nothing excuses that it is gone.
    """

    again: Mapping[str, str]
    there: Mapping[str, str]
    missing: Mapping[str, str]


def plan_restating(ledger: Ledger, files: Files, log: CheckedLog) -> Restating:
    """Find what must be said again, for the verifiers that the log's policy stands for.

    Raises:
        LedgerError: erasures were written into the ledger past the audit log.
    """
    erasures, evidence = Erasures(ledger), EvidenceStore(files)
    erasures.require_audited()
    asked, last = erasures.asked(EVIDENCE), _last_resting(files, log)
    serving, _ = versions(ledger)
    again, there, missing = {}, {}, {}
    for file, words in sorted(log.state.erased.items()):
        if file not in last or any(excuses(word, log.policy, last[file]) for word in words):
            continue
        why = _why_not(asked.get(file), file in serving, any(last[file] < word.position for word in words))
        if evidence.is_there(file):
            there[file] = why or "its erasure was cut off: run telefine erase contributor again"
        elif why:
            missing[file] = why
        else:
            again[file] = asked[file].reason
    return Restating(again, there, missing)


def erased_here(lines: Iterable[Line], ledger: Ledger, files: Files) -> list[str]:
    """Of the files that lines of the log say were erased, those that this deployment erased and that are gone."""
    said = {line.what.removeprefix("erase 0x") for line in lines if line.kind == ERASURE_KIND}
    evidence = EvidenceStore(files)
    return sorted(each for each in said & Erasures(ledger).names(EVIDENCE) if not evidence.is_there(each))


def _why_not(asked: Asked | None, serves: bool, covered: bool) -> str | None:
    if asked is None:
        return NOT_OURS
    if serves:
        return SERVES
    return None if covered else TOO_LATE


def _last_resting(files: Files, log: CheckedLog) -> dict[str, int]:
    """Of each file of evidence that an attestation in force rests on, the last such one's place in the log."""
    places, last = _in_force(log), dict[str, int]()
    for name in files.walk(EVIDENCE_FOLDER) if places else ():
        uid, claim = claim_in(files.read(name) or b"") or ("", None)
        for each in claim.evidence if claim is not None and uid in places else ():
            last[each.sha256] = max(places[uid], last.get(each.sha256, -1))
    return last


def _in_force(log: CheckedLog) -> dict[str, int]:
    """Where each attestation stands whose signer's key is trusted there, and that was not revoked."""
    return {
        line.what: line.position
        for line in log.state.lines
        if line.kind == LEAF_KIND
        and line.what not in log.policy.revoked_uids
        and any(stretch.covers(line.position) for stretch in log.policy.stretches(line.signer))
    }
