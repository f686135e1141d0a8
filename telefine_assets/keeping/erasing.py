"""Erasing a contributor's words: what was planned is recorded, said in the log where proofs rest on it, and removed.

Whatever cuts it off, doing it again goes on: the ledger knows what was to go, and
the traces, from which the words are known, go last.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

from telefine_assets.canonical import canonical_json
from telefine_assets.keeping.erasure_plan import Deployment, ErasurePlan, quoted_to_others
from telefine_assets.keeping.places import RECORDS
from telefine_assets.keeping.proofs import PROVING
from telefine_assets.keeping.words import Words
from telefine_assets.ledger.erasures import EVIDENCE, Erasures
from telefine_assets.ledger.texts import texts
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.kept import erase_from
from telefine_assets.store.records import RecordStore
from telefine_assets.store.tables import TableStore
from telefine_assets.traces.days import CLEANED, TRACES
from telefine_assets.traces.records import ERASED, cleaned_schema, json_text, trace_schema

if TYPE_CHECKING:
    import pyarrow as pa

COMPILED = "compiled_programs"
_LONG = 24


def erase(
    deployment: Deployment,
    planned: ErasurePlan,
    say: Callable[[Sequence[str]], None],
    forget: Callable[[str, Collection[str]], None],
) -> None:
    """Remove what was planned, and is recorded in the ledger; whoever calls holds the turn.

    Args:
        deployment: where it is.
        planned: what is to go.
        say: says in the log of these files of evidence that they were erased, signed; told of none twice.
        forget: removes traces from MLflow, by program and id.

    Raises:
        LedgerError: somebody has the ledger's file open, which holds the words until this is done again.
        RecordRefused, SigningError: the log cannot be written to.
            Nothing of the evidence, and no trace, was removed in either case.
    """
    # First, while evidence and traces are there, by which another run knows of the words.
    erasures = Erasures(deployment.ledger)
    erasures.remove_rows()
    erasures.compact()
    going = planned.names[EVIDENCE] - planned.serving.keys()
    if proved := sorted(going & planned.attested):
        say(proved)
    for files, name in planned.artifacts:
        files.remove(name)
    for digest in sorted(going):
        deployment.files.remove(EvidenceStore.name(digest))
    for name in planned.records:
        record = json.loads(deployment.files.read(name) or b"{}")
        deployment.files.write(name, canonical_json(planned.theirs.words.taken_out_of(record)))
    for program in sorted({program for program, _ in planned.theirs.days}):
        days = {day: ids for (of, day), ids in planned.theirs.days.items() if of == program}
        _strip(deployment, program, days)
    for program, ids in sorted(planned.theirs.logged.items()):
        forget(program, sorted(ids))


def standing_still(
    deployment: Deployment, planned: ErasurePlan, databases: Iterable[Path], dagster: Iterable[Path]
) -> list[str]:
    """Where long words stand still: in others' traces, the store, the ledger's texts, databases' files, and Dagster's.

    Not looked into is what proves, which holds no words by its kind. Dagster's
    events show the beginnings of texts.
    """
    words = planned.theirs.words
    if not len(words):
        return []
    contents = _contents(deployment.files, planned.kept)
    found = quoted_to_others(deployment, planned.contributor, words)
    found += [name for name, content in contents if words.are_in(content)]
    found += [f"the ledger: a text of {len(text)} characters" for text in texts(deployment.ledger, _LONG)
              if words.are_quoted_in(text)]  # fmt: skip
    return found + [str(path) for path in (*quoting(words, databases), *quoting(words, dagster, cut=True))]


def quoting(words: Words, files: Iterable[Path], cut: bool = False) -> list[Path]:
    """Those files in which long words stand, or begin, if ``cut``: databases and logs."""
    there = (path for path in files if path.is_file())
    return [path for path in there if words.are_quoted_in(path.read_bytes().decode("utf-8", "replace"), cut)]


def _contents(files: Files, kept: Set[str]) -> Iterator[tuple[str, bytes]]:
    for folder in (RECORDS, EVIDENCE):
        for name in files.walk(folder):
            *_, stage, last = name.split("/")
            if last not in kept and stage not in PROVING:
                yield name, files.read(name) or b""


def _strip(deployment: Deployment, program: str, days: Mapping[str, Collection[str]]) -> None:
    """Write a program's days anew without the words; ids, digests, cluster and split stay."""
    records, tables = RecordStore(deployment.files), TableStore(deployment.files)
    made = records.days(program, COMPILED)
    if made:
        erase_from(records, program, sorted(days), made[-1])
    tag = deployment.programs[program].tag
    for day, ids in sorted(days.items()):
        # What names a trace as the contributor's goes last: a run that is cut off finds it again.
        if tables.exists(program, CLEANED, day):
            rows = (_without(batch, ids, _clean_row) for batch in tables.batches(program, CLEANED, day))
            tables.write_batches(program, CLEANED, day, _in(rows, cleaned_schema()), cleaned_schema())
        rows = (_without(batch, ids, lambda row: _row(row, tag)) for batch in tables.batches(program, TRACES, day))
        tables.write_batches(program, TRACES, day, _in(rows, trace_schema()), trace_schema())


Row = dict[str, object]


def _without(batch: pa.RecordBatch, ids: Collection[str], empty: Callable[[Row], Row]) -> list[Row]:
    return [empty(row) if row["trace_id"] in ids else row for row in batch.to_pylist()]


def _in(rows: Iterable[list[Row]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for each in rows:
        yield pa.RecordBatch.from_pylist(each, schema)


def _row(row: Row, tag: str) -> Row:
    # What was stored named nobody, perhaps: that it is this contributor's, MLflow has said since.
    who = {name: each for name, each in json.loads(str(row["tags"])).items() if name == tag}
    empty = dict.fromkeys(("inputs", "outputs", "error", "session", "spans"))
    return row | empty | {"tags": json_text(who), "assessments": "[]", "fingerprint": ERASED}


def _clean_row(row: Row) -> Row:
    empty = dict.fromkeys(("session", "submission"))
    return row | empty | {"inputs": "{}", "label": "{}", "flags": "[]", "label_source": ERASED}
