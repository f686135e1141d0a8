"""What proves, and is never erased; and what it says itself, which is nobody's words.

Attestations, the facts, looks and decisions that they rest on, payout plans and claims hold
wallets, digests and amounts, by their kinds. What a person types can equal a part of them all
the same ("planned", a URL, a grade): so these files are left out whatever is typed, and
what they say is nobody's: neither the whole of it nor a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from telefine_assets.attestation.bundle import AttestationBundle, message_of
from telefine_assets.attestation.claim import Claim
from telefine_assets.attestation.failures import VerificationFailed
from telefine_assets.attestation.files import CANDIDATE, DEMOS, LOOKS, REPORT, TRAINSET
from telefine_assets.attestation.log_receipt import LEAF_KIND
from telefine_assets.attestation.reissued import REPLACED_STATEMENT
from telefine_assets.attestation.replay import replay
from telefine_assets.attestation.statement import parse_statement
from telefine_assets.attribution.facts import FACTS_FILE
from telefine_assets.attribution.records import RecordError
from telefine_assets.keeping.holds import ATTESTATIONS, COMPILED, PAYOUTS, read_records
from telefine_assets.keeping.places import EVIDENCE, RECORDS
from telefine_assets.keeping.quoting import Instructions, instructions_in
from telefine_assets.keeping.words import names_in, parsed, texts_in
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.ledger.schema import payouts
from telefine_assets.programs.values import demo_digest
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files

WEIGHTS = "contributor_weights"
PROVING = (ATTESTATIONS, PAYOUTS, WEIGHTS, "champions", "reissues")
"""The stages whose records hold no words: what they say is proved, promoted or paid."""
REPORTS = "deltaone_reports"
QUOTING = (REPORTS, COMPILED)
"""The stages whose records may quote items."""
_WITHOUT_WORDS = frozenset({FACTS_FILE, LOOKS, REPORT, DEMOS, TRAINSET, REPLACED_STATEMENT.rsplit("/")[-1]})
"""What an attestation rests on and no erasure takes, of the one that it replaces too: versions and rows are left."""
_ITEM = frozenset({"demos", "label", "baseline_output", "candidate_output"})
"""Where versions, reports and rows hold what people said; so does an object that is called ``inputs``."""
_MAY_QUOTE = frozenset({"instructions", "signature", "error"})
"""Where an optimiser or a failure may quote people: of this, only words without a space are nobody's."""


@dataclass(frozen=True)
class Proofs:
    """What proves.

    Attributes:
        kept: digests among the evidence that are never erased.
        attested: digests of all files that attestations rest on, of those too that no record names any more.
        taught: of each compile, the digests of its demos' list and of its version.
        instructions: what versions' instructions say, by digest of the version.
        own: texts without a space that records, proofs and what they rest on say, beside what items say.
        told: texts of any length that they say themselves, beside what may quote people.
    """

    kept: Set[str]
    attested: Set[str]
    taught: Set[tuple[str, str]]
    instructions: Mapping[str, Instructions]
    own: Set[str]
    told: Set[str]


@dataclass
class _Found:
    kept: set[str] = field(default_factory=set)
    attested: set[str] = field(default_factory=set)
    taught: set[tuple[str, str]] = field(default_factory=set)


def read_proofs(ledger: Ledger, files: Files) -> Proofs:
    """Read all evidence, and what of it proves."""
    found, instructions, logged = _Found(), dict[str, Instructions](), _logged(ledger)
    for name in files.walk(EVIDENCE):
        content, digest = files.read(name) or b"", name.rsplit("/", 1)[-1]
        if said := instructions_in(content):
            instructions[digest] = said
        uid, claim = claim_in(content) or ("", None)
        if claim is not None and uid in logged:
            _attested(found, digest, {each.name: each.sha256 for each in claim.evidence})
    with ledger.reading() as connection:
        found.kept |= {*connection.scalars(select(payouts.c.plan))}
    found.kept |= {each["claims"] for _, each in read_records(files, PAYOUTS) if each["claims"]}
    found.kept |= {each["evidence"][FACTS_FILE] for _, each in read_records(files, WEIGHTS) if each.get("evidence")}
    for _, each in read_records(files, COMPILED):
        if each.get("candidate") and each.get("evidence"):
            found.taught.add((each["evidence"][DEMOS], each["candidate"]))
    found.kept |= {each["evidence"][REPORT] for _, each in read_records(files, REPORTS) if REPORT in _evidence(each)}
    return Proofs(found.kept, found.attested, found.taught, instructions, *_own(files, found.kept | found.attested))


def lost_to_erasure(before: Mapping[str, Set[str]], after: Mapping[str, Set[str]]) -> list[str]:
    """The attestations of which a file that no erasure takes is gone, by the names of each one's erased files."""
    return [
        f"attestation {uid}: {name} was erased, in which no words can be"
        for uid, names in after.items()
        for name in sorted(filter(_is_wordless, names - before.get(uid, frozenset())))
    ]


def claim_in(content: bytes) -> tuple[str, Claim] | None:
    """What a file of evidence claims, if it is an attestation, with the uid that follows from the claim.

    Anybody can have such a file kept here, in a picture's place: it is an attestation of ours if the log has its uid.
    """
    if b'"envelope"' not in content or b'"statement"' not in content:
        return None
    try:
        claim = parse_statement(AttestationBundle.from_bytes(content).statement)
        return message_of(claim).uid, claim
    except (VerificationFailed, RecordError):
        return None


def _logged(ledger: Ledger) -> set[str]:
    """The uids of all attestations in the log."""
    # Of no named log, no record has an effect: no signature is looked at.
    return {line.what for line in replay(LogLeaves(ledger).leaves(), "").lines if line.kind == LEAF_KIND}


def demos_of(files: Files, proofs: Proofs) -> Iterator[tuple[str | None, list[str]]]:
    """Each demo's contributor, and the texts in it: evidence outlives the traces from which it was made."""
    find = EvidenceStore(files).find
    for listed, version in sorted(proofs.taught):
        stood = {demo_digest(each): each for each in _demos_in(parsed(find(version) or b"null"))}
        for line in parsed(find(listed) or b"[]") or []:
            if line.get("digest") in stood:
                yield line.get("contributor"), [*texts_in(stood[line["digest"]])]


def _attested(found: _Found, bundle: str, named: Mapping[str, str]) -> None:
    found.attested |= {*named.values()}
    found.kept |= {bundle, *(digest for name, digest in named.items() if _is_wordless(name))}
    if DEMOS in named and CANDIDATE in named:
        found.taught.add((named[DEMOS], named[CANDIDATE]))


def _is_wordless(name: str) -> bool:
    return name.rsplit("/")[-1] in _WITHOUT_WORDS


def _evidence(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return record.get("evidence") or {}


def _own(files: Files, digests: Set[str]) -> tuple[Set[str], Set[str]]:
    """The texts without a space, and all texts beside what may quote people."""
    own, told = set[str](), set[str]()
    for name in [*files.walk(RECORDS), *(EvidenceStore.name(each) for each in sorted(digests))]:
        value = _beside(_ITEM, parsed(files.read(name) or b"null"))
        own.update(each for each in (*names_in(value), *texts_in(value)) if len(each.split()) == 1)
        told.update(texts_in(_beside(_MAY_QUOTE, value)))
    return own, told


def _beside(names: Set[str], value: Any) -> Any:
    """A JSON value without what stands under such names, and without any item's inputs."""
    if isinstance(value, list):
        return [_beside(names, each) for each in value]
    if not isinstance(value, dict):
        return value
    left = {name: each for name, each in value.items() if name not in names}
    return {name: _beside(names, each) for name, each in left.items() if name != "inputs" or isinstance(each, list)}


def _demos_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from _demos_in(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name == "demos" and isinstance(each, list):
                yield from (demo for demo in each if isinstance(demo, dict))
            else:
                yield from _demos_in(each)
