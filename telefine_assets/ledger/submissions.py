"""The log of arrivals: signed submissions in the order of receipt. ``attribution.submission_log`` makes its tree."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.records import SubmissionEntry, SubmissionRow
from telefine_assets.ledger.schema import submissions

# SQLite takes some thousand values in a statement, PostgreSQL some more.
_CHUNK = 500


class Submissions:
    """Who signed for which content, and who did so first. A row's place never changes."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def receive(self, entries: Sequence[SubmissionEntry], received_ms: int) -> list[SubmissionRow]:
        """Log submissions in the order given; all of them, or none.

        One that is in the log, or whose contributor has another there for the
        same trace digest, adds nothing. Nothing is checked here: see
        ``attribution.receiving``.

        Returns:
            For each entry the row that stands.
        """
        with self._ledger.writing() as connection:
            return receive_in(connection, entries, received_ms)

    def of_traces(self, trace_digests: Collection[str]) -> list[SubmissionRow]:
        """The submissions for some trace digests, by position."""
        with self._ledger.reading() as connection:
            return _of(connection, trace_digests)

    def rows(self, program: str | None = None, size: int | None = None) -> list[SubmissionRow]:
        """The first ``size`` submissions (all by default), or those of them for ``program``, by position."""
        query = select(submissions).order_by(submissions.c.position)
        if program is not None:
            query = query.where(submissions.c.program == program)
        if size is not None:
            query = query.where(submissions.c.position < size)
        with self._ledger.reading() as connection:
            return _read(connection, query)


def receive_in(connection: Connection, entries: Sequence[SubmissionEntry], received_ms: int) -> list[SubmissionRow]:
    """``Submissions.receive`` within a transaction that writes."""
    standing = {_owner(row.entry): row for row in _of(connection, {entry.trace_digest for entry in entries})}
    last = connection.scalar(select(func.max(submissions.c.position)))
    free = 0 if last is None else int(last) + 1
    new: list[SubmissionRow] = []
    for entry in entries:
        if _owner(entry) not in standing:
            new.append(SubmissionRow(free + len(new), received_ms, entry))
            standing[_owner(entry)] = new[-1]
    if new:
        connection.execute(insert(submissions), [_values(row) for row in new])
    return [standing[_owner(entry)] for entry in entries]


def _owner(entry: SubmissionEntry) -> tuple[str, str]:
    return entry.trace_digest, entry.contributor


def _of(connection: Connection, trace_digests: Collection[str]) -> list[SubmissionRow]:
    wanted, found = sorted(set(trace_digests)), []
    for start in range(0, len(wanted), _CHUNK):
        chunk = submissions.c.trace_digest.in_(wanted[start : start + _CHUNK])
        found += _read(connection, select(submissions).where(chunk))
    return sorted(found, key=lambda row: row.position)


def _values(row: SubmissionRow) -> dict[str, Any]:
    return {"position": row.position, "received_ms": row.received_ms, **asdict(row.entry)}


def _read(connection: Connection, query: Select[Any]) -> list[SubmissionRow]:
    rows = []
    for found in connection.execute(query).mappings():
        values = dict(found)
        rows.append(SubmissionRow(values.pop("position"), values.pop("received_ms"), SubmissionEntry(**values)))
    return rows
