"""What a contributor said, and where it stands: what an erasure is to remove. Nothing is changed here."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from telefine_assets.attribution.addresses import resolve_contributor
from telefine_assets.canonical import sha256_hex
from telefine_assets.keeping.places import EVIDENCE as EVIDENCE_FOLDER
from telefine_assets.keeping.places import RECORDS, Track
from telefine_assets.keeping.proofs import QUOTING, Proofs, demos_of, read_proofs
from telefine_assets.keeping.quoting import Quoting
from telefine_assets.keeping.words import Words, texts_in
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.erasures import EVIDENCE, TRACE, Erasures
from telefine_assets.ledger.schema import answers, champions, spool_bodies
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.garbage import TABLE_MARK, mentioned
from telefine_assets.store.tables import TableStore
from telefine_assets.traces.days import TRACES
from telefine_assets.traces.records import ERASED
from telefine_assets.traces.spooling import trace_id_of

if TYPE_CHECKING:
    import pyarrow as pa

_SAID = ("inputs", "outputs", "error", "spans", "assessments")
_TYPED = ("inputs", "assessments")
"""What people say themselves. Spans repeat the demos and the instructions by which somebody was served."""


@dataclass(frozen=True)
class Program:
    """A program's traces.

    Attributes:
        tag: the tag that names a trace's contributor.
        submission_tag: the tag with the signed submission.
        read: all of its traces as MLflow has them now, in the form of the stored ones.
    """

    tag: str
    submission_tag: str
    read: Callable[[], Iterable[pa.RecordBatch]]


@dataclass(frozen=True)
class Deployment:
    """Where words may stand.

    Attributes:
        ledger: the ledger.
        files: the store.
        programs: the programs that are set up, by name.
        folders: where MLflow keeps files.
    """

    ledger: Ledger
    files: Files
    programs: Mapping[str, Program]
    folders: tuple[Files, ...]


@dataclass
class Theirs:
    """What is one contributor's.

    Attributes:
        words: what was said.
        days: ids of the traces that are stored and not erased yet, by program and day.
        logged: ids of those that MLflow has, by program.
        files: digests of the files that traces hold.
        quoting: digests of versions whose instructions quote a part of what was said.
    """

    words: Words
    days: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    logged: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    files: set[str] = field(default_factory=set)
    quoting: frozenset[str] = frozenset()

    @property
    def traces(self) -> set[str]:
        """Ids of all of them."""
        return {each for some in (*self.days.values(), *self.logged.values()) for each in some}


@dataclass(frozen=True)
class Quoted:
    """A version whose instructions quote a part of what was said: of which program, and whether it serves now."""

    program: str
    serves: bool


@dataclass(frozen=True)
class ErasurePlan:
    """What is to go.

    Attributes:
        contributor: whose words, EIP-55.
        theirs: what was said, and in which traces.
        names: what is recorded in the ledger, by kind.
        artifacts: MLflow's files, each with its folder.
        records: names of stages' records that quote the words.
        serving: digests among the evidence that cannot go, since that version serves, with the program.
        versions: digests among the evidence that are versions which served.
        attested: digests among the evidence that attestations rest on.
        quoting: versions whose instructions quote a part of what was said; they go only if ``names`` has them too.
        kept: digests of what proves, which holds no words by its kind and is never erased.
    """

    contributor: str
    theirs: Theirs
    names: Mapping[str, Set[str]]
    artifacts: tuple[tuple[Files, str], ...]
    records: tuple[str, ...]
    serving: Mapping[str, str]
    versions: Set[str]
    attested: Set[str]
    quoting: Mapping[str, Quoted]
    kept: Set[str]

    def to_record(self) -> dict[str, Any]:
        """As JSON values, for people and programs; none of the words."""
        return {
            "contributor": self.contributor,
            "traces": len(self.names[TRACE]),
            "days": sorted(f"{program} {day}" for program, day in self.theirs.days),
            "spooled": len(self.names[spool_bodies.name]),
            "answers": len(self.names[answers.name]),
            "evidence": sorted(self.names[EVIDENCE]),
            "attested": sorted(self.attested),
            "served": sorted(self.versions),
            "serving": dict(sorted(self.serving.items())),
            "quoting": {version: asdict(each) for version, each in sorted(self.quoting.items())},
            "mlflow_files": len(self.artifacts),
            "records": list(self.records),
        }


def plan(deployment: Deployment, contributor: str, track: Track, with_quoting: bool = False) -> ErasurePlan:
    """Find all that a contributor said; ``contributor`` is EIP-55.

    With ``with_quoting``, versions go too whose instructions quote a part of it. What
    an earlier erasure recorded and did not remove, being cut off or since a version
    served, is planned again, and so is what a restored backup brought back.
    """
    proofs = read_proofs(deployment.ledger, deployment.files)
    theirs, evidence = said_by(deployment, contributor, proofs), EvidenceStore(deployment.files)
    current, served = versions(deployment.ledger)
    before = Erasures(deployment.ledger)
    found = {name.rsplit("/", 1)[-1] for name in _holding(deployment.files, EVIDENCE_FOLDER, theirs.words, track)}
    # Anybody can type a digest: by that alone, nothing goes that others rest on.
    known = before.names(EVIDENCE) | (theirs.files - proofs.attested - served)
    quoting: frozenset[str] = theirs.quoting if with_quoting else frozenset()
    digests = frozenset(found | quoting | {each for each in known if evidence.is_there(each)}) - proofs.kept
    names = {
        TRACE: frozenset(theirs.traces),
        EVIDENCE: digests,
        spool_bodies.name: frozenset(_spooled(deployment.ledger, contributor, theirs.traces)),
        answers.name: frozenset(_answered(deployment.ledger, theirs.words)),
    }
    return ErasurePlan(
        contributor,
        theirs,
        names,
        tuple(
            (files, name) for files in deployment.folders for name in _holding(files, "", theirs.words, track, quoting)
        ),
        tuple(
            name for name in _holding(deployment.files, RECORDS, theirs.words, track) if name.split("/")[-2] in QUOTING
        ),
        {digest: current[digest] for digest in digests & current.keys()},
        digests & served,
        digests & proofs.attested,
        {each: Quoted(proofs.instructions[each].program, each in current) for each in theirs.quoting - found},
        proofs.kept,
    )


def said_by(deployment: Deployment, contributor: str, proofs: Proofs) -> Theirs:
    """What a contributor said in traces that are stored, or that MLflow has, and in demos, which outlive traces.

    What others said as well is nobody's own, and neither is what a program or a proof says itself.
    """
    own = [*_own_texts(deployment, contributor, proofs)]
    theirs = Theirs(Words(text for text, _ in own))
    typed = {text for text, typed in own if typed}
    quoting = Quoting(proofs.instructions, typed)
    theirs.words.forget(proofs.own)
    theirs.words.forget_within(proofs.told)
    others: set[str] = set()
    for program, day, row, is_theirs in _rows(deployment, contributor):
        if not is_theirs:
            # Whoever is served by a person's demo has that person's words in a span, and has not said them.
            theirs.words.forget({*_texts(row, deployment.programs[program])} - typed)
            theirs.words.forget(texts_in([row[name] for name in (*_TYPED, "outputs")]))
            quoting.forget(texts_in([row[name] for name in _TYPED]))
            others |= _files_in(row)
            continue
        theirs.files |= _files_in(row)
        if day is None:
            theirs.logged[program].add(row["trace_id"])
        else:
            theirs.days[program, day].add(row["trace_id"])
    for who, texts in demos_of(deployment.files, proofs):
        if who is not None and who != contributor:
            theirs.words.forget(texts)
            quoting.forget(texts)
    theirs.files -= others
    theirs.quoting = quoting.versions()
    return theirs


def quoted_to_others(deployment: Deployment, contributor: str, words: Words) -> list[str]:
    """Where traces of others have long words in their spans: those people were served by a version with such demos."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for program, day, row, is_theirs in _rows(deployment, contributor):
        if not is_theirs and row["spans"] and any(map(words.are_quoted_in, texts_in(row["spans"]))):
            found[program, day or "MLflow"].append(row["trace_id"])
    return [
        f"{program}, {where}: spans of {len(traces)} traces of others, {traces[0]} for one"
        for (program, where), traces in sorted(found.items())
    ]


def _own_texts(deployment: Deployment, contributor: str, proofs: Proofs) -> Iterator[tuple[str, bool]]:
    """What stands in a contributor's traces and demos, and whether people said it themselves."""
    for program, _, row, is_theirs in _rows(deployment, contributor):
        if is_theirs:
            typed = {*texts_in([row[name] for name in _TYPED])}
            yield from ((text, text in typed) for text in _texts(row, deployment.programs[program]))
    for _, body in _bodies(deployment.ledger):
        if _is_body_of(body, contributor):
            said = {name: each for name, each in body.items() if name not in ("contributor", "submission")}
            own = [said.pop(name, None) for name in ("inputs", "feedback", "expectations")]
            yield from ((text, True) for text in texts_in(own))
            yield from ((text, False) for text in texts_in(said))
    for who, texts in demos_of(deployment.files, proofs):
        if who == contributor:
            yield from ((text, True) for text in texts)


def _rows(deployment: Deployment, contributor: str) -> Iterator[tuple[str, str | None, dict[str, Any], bool]]:
    """All traces that still say something, and whether they are the contributor's: of MLflow, and of each stored day.

    Whose a stored one is, MLflow says, where it has it: the wallet may have been corrected since.
    """
    tables = TableStore(deployment.files)
    for name, program in deployment.programs.items():
        now: dict[str, bool] = {}
        for batch in program.read():
            for row in batch.to_pylist():
                now[row["trace_id"]] = _is_of(row, program, contributor)
                yield name, None, row, now[row["trace_id"]]
        for day in tables.days(name, TRACES):
            for batch in tables.batches(name, TRACES, day):
                for row in batch.to_pylist():
                    if row["fingerprint"] != ERASED:
                        own = now.get(row["trace_id"])
                        yield name, day, row, _is_of(row, program, contributor) if own is None else own


def _is_of(row: Mapping[str, Any], program: Program, contributor: str) -> bool:
    return resolve_contributor(json.loads(row["tags"]).get(program.tag)).address == contributor


def _texts(row: Mapping[str, Any], program: Program) -> Iterator[str]:
    yield from texts_in([row[name] for name in _SAID])
    tags = json.loads(row["tags"])
    yield from texts_in([each for name, each in tags.items() if name not in (program.tag, program.submission_tag)])


def _files_in(row: Mapping[str, Any]) -> set[str]:
    texts = [row[name] for name in ("inputs", "outputs", "spans") if row[name] and TABLE_MARK in row[name]]
    return {each for text in texts for each in mentioned(text.encode())}


def _holding(files: Files, folder: str, words: Words, track: Track, also: Set[str] = frozenset()) -> list[str]:
    """Names of the files below a folder in which words stand, or that are ``also`` meant, by SHA-256."""
    found = []
    for name in track(list(files.walk(folder)) if len(words) else [], "looking for words"):
        content = files.read(name) or b""
        if words.are_in(content) or (also and sha256_hex(content) in also):
            found.append(name)
    return found


def _bodies(ledger: Ledger) -> Iterator[tuple[str, dict[str, Any]]]:
    with ledger.reading() as connection:
        for identity, body in connection.execution_options(yield_per=500).execute(select(spool_bodies)):
            yield identity, json.loads(body)


def _is_body_of(body: Mapping[str, Any], contributor: str) -> bool:
    return resolve_contributor(body.get("contributor")).address == contributor


def _spooled(ledger: Ledger, contributor: str, traces: Set[str]) -> Iterator[str]:
    for identity, body in _bodies(ledger):
        if _is_body_of(body, contributor) or trace_id_of(identity) in traces:
            yield identity


def _answered(ledger: Ledger, words: Words) -> Iterator[str]:
    with ledger.reading() as connection:
        for key, response in connection.execution_options(yield_per=500).execute(select(answers)):
            if words.are_in(response.encode()):
                yield key


def versions(ledger: Ledger) -> tuple[dict[str, str], set[str]]:
    """The versions that serve, with their programs; and those that ever did."""
    query = select(champions.c.version, champions.c.program).order_by(champions.c.day, champions.c.seq)
    with ledger.reading() as connection:
        rows = connection.execute(query).all()
    last = {row.program: row.version for row in rows}
    return {version: program for program, version in last.items()}, {row.version for row in rows}
