"""Evidence that nothing reaches any more, and its removal.

Roots are everything that names evidence and is kept for itself: all records, of
programs that are no longer set up too; all texts of the ledger; the files that
stored tables refer to; and every attestation, whether something names it or
not. From there, a file is reached if its SHA-256 stands anywhere in a reached
one, in whatever form: what is kept needlessly costs a little space, what is
removed wrongly costs a proof.

A stage writes its evidence before the record that names it. Only files that
nobody has written for some days are therefore removed; ``EvidenceStore.put``
makes a file new again that is there already.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING

from telefine_assets.canonical import sha256_hex
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.strangers_json import parse

if TYPE_CHECKING:
    import pyarrow as pa

DIGITS = 64
"""Hexadecimal digits of a SHA-256."""
TABLE_MARK = "sha256:"
"""What stands before the digest where a table refers to evidence; its other digests are of other things."""
_RUN = re.compile(rb"[0-9a-f]{64,}")
_CHUNK = 2**20
_PARTS = (b'"envelope"', b'"statement"')


@dataclass(frozen=True)
class Garbage:
    """Evidence that nothing reaches and that is old enough to go.

    Attributes:
        digests: the files' SHA-256, ascending.
        size: bytes of all of them together.
        young: how many more nothing reaches, which are not old enough.
        kept: how many are reached.
    """

    digests: tuple[str, ...]
    size: int
    young: int
    kept: int

    def digest(self) -> str:
        """SHA-256 of the list of digests, one a line."""
        return sha256_hex("".join(f"{each}\n" for each in self.digests).encode())


def find_garbage(
    files: Files, named: Iterable[str], before: datetime, leaving: Container[str] = frozenset()
) -> Garbage:
    """Find evidence that nothing reaches; nothing is changed.

    Holds the names of all evidence in memory, about 150 bytes each, and one
    file's content at a time.

    Args:
        files: the store.
        named: texts from elsewhere that may name evidence: the ledger's.
        before: only files that were written last before this moment are garbage.
        leaving: names of records and tables that need nothing any more.
    """
    known = {name.rsplit("/", 1)[-1] for name in files.walk("evidence") if _is_evidence(name)}
    lost = set(known)

    def reach(found: Iterable[str]) -> None:
        """Take what is found from the lost, and what those name in turn."""
        waiting = [digest for digest in found if digest in lost]
        while waiting:
            digest = waiting.pop()
            if digest in lost:
                lost.remove(digest)
                waiting.extend(each for each in _in_file(files, EvidenceStore.name(digest)) if each in lost)

    for text in named:
        reach(mentioned(text.encode()))
    for name in files.walk("records"):
        reach(() if name in leaving else _in_file(files, name))
    for name in files.walk("tables"):
        reach(() if name in leaving else _in_table(files, name))
    for digest in sorted(lost):
        if digest in lost and _is_attestation(files, EvidenceStore.name(digest)):
            reach([digest])
    old = [digest for digest in sorted(lost) if _is_older(files, digest, before)]
    size = sum(files.size(EvidenceStore.name(digest)) for digest in old)
    return Garbage(tuple(old), size, len(lost) - len(old), len(known) - len(lost))


def remove_garbage(files: Files, garbage: Garbage, before: datetime) -> int:
    """Remove what was found, unless it was written again since; returns how many files are gone."""
    removed = 0
    for digest in garbage.digests:
        if _is_older(files, digest, before):
            files.remove(EvidenceStore.name(digest))
            removed += 1
    return removed


def mentioned(data: bytes) -> Iterator[str]:
    """Every 64 hexadecimal digits in a row, in either case, overlapping ones too; in lower case."""
    for found in _RUN.finditer(data.lower()):
        run = found[0].decode("ascii")
        yield from (run[start : start + DIGITS] for start in range(len(run) - DIGITS + 1))


def _in_file(files: Files, name: str) -> Iterator[str]:
    """What a file mentions; none that was removed meanwhile mentions anything."""
    with files.reading(name) as stream:
        if stream is not None:
            yield from _in_stream(stream)


def _in_stream(stream: IO[bytes]) -> Iterator[str]:
    tail = b""
    while chunk := stream.read(_CHUNK):
        data = tail + chunk
        yield from mentioned(data)
        # One digit too few for a digest: none is found twice, none is cut in two.
        tail = data[-(DIGITS - 1) :]


def _in_table(files: Files, name: str) -> Iterator[str]:
    """What the texts of a Parquet table refer to."""
    import pyarrow.parquet as pq

    with files.reading(name) as stream:
        if stream is None:
            return
        file = pq.ParquetFile(stream)
        for group in range(file.num_row_groups):
            for column in file.read_row_group(group, use_threads=False).itercolumns():
                yield from _in_column(column)


def _in_column(column: pa.ChunkedArray) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(column.type):
        for text in column.filter(pc.match_substring(column, TABLE_MARK)).to_pylist():
            yield from mentioned(text.encode())


def _is_attestation(files: Files, name: str) -> bool:
    """Whether a file is a JSON object with an envelope and a statement."""
    content = files.read(name)
    if content is None or not all(part in content for part in _PARTS):
        return False
    try:
        value = parse(content)
    except ValueError:
        return False
    return isinstance(value, dict) and {"envelope", "statement"} <= value.keys()


def _is_evidence(name: str) -> bool:
    digest = name.rsplit("/", 1)[-1]
    return name == EvidenceStore.name(digest) and re.fullmatch("[0-9a-f]{64}", digest) is not None


def _is_older(files: Files, digest: str, before: datetime) -> bool:
    modified = files.modified(EvidenceStore.name(digest))
    return modified is not None and modified < before
