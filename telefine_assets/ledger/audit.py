"""The audit log: who decided what, when and why.

Every row holds the digest of the row before it and a digest over itself, so a
row that was changed, removed or put in between shows. Rows cut off at the end do
not show in the chain alone: keep the last digest elsewhere, and ``verify`` it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DBAPIError

from telefine_assets.canonical import canonical_json, digest_of
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.records import AuditEntry, AuditRow
from telefine_assets.ledger.schema import audit

BEFORE_THE_FIRST = "0" * 64


class Audit:
    """The audit log of all programs."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def append(self, entry: AuditEntry, at: datetime) -> AuditRow:
        """Append a row.

        Raises:
            ValueError: when ``at`` has no time zone.
        """
        with self._ledger.writing() as connection:
            return append_to(connection, entry, at)

    def rows(
        self,
        subject: str | None = None,
        *,
        actor: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
    ) -> list[AuditRow]:
        """The rows about ``subject``, by ``actor``, of ``action`` and from ``since`` on (all by default).

        They come oldest first; ``verify`` says whether they can be believed.

        Raises:
            LedgerError: a row cannot be read.
        """
        query = select(audit).order_by(audit.c.seq)
        for column, wanted in ((audit.c.subject, subject), (audit.c.actor, actor), (audit.c.action, action)):
            query = query if wanted is None else query.where(column == wanted)
        query = query if since is None else query.where(audit.c.at >= _moment(since))
        try:
            with self._ledger.reading() as connection:
                found = connection.execute(query).mappings()
                return [AuditRow(**{**row, "details": json.loads(row["details"])}) for row in found]
        except (DBAPIError, ValueError) as error:
            raise LedgerError(f"audit log: a row cannot be read ({error}); see: telefine audit verify") from error

    def newest(self) -> str:
        """Digest of the last row; 64 zeros when there is none."""
        with self._ledger.reading() as connection:
            found = connection.scalar(select(audit.c.digest).order_by(audit.c.seq.desc()).limit(1))
        return BEFORE_THE_FIRST if found is None else str(found)

    def verify(self, last: str | None = None) -> int:
        """Check the whole chain; returns the number of rows.

        Args:
            last: digest of a row that must still be there.

        Raises:
            LedgerError: naming the first row that is not what was written.
        """
        with self._ledger.reading() as connection:
            numbers = list(connection.scalars(select(audit.c.seq).order_by(audit.c.seq)))
            previous, seen = BEFORE_THE_FIRST, {BEFORE_THE_FIRST}
            for expected, seq in enumerate(numbers, 1):
                if seq != expected:
                    raise LedgerError(f"audit log: row {expected} is missing; what follows is row {seq}")
                previous = _checked(connection, seq, previous)
                seen.add(previous)
        if last is not None and last not in seen:
            raise LedgerError(f"audit log: no row has the digest {last}; rows after row {len(numbers)} were cut off")
        return len(numbers)


def append_to(connection: Connection, entry: AuditEntry, at: datetime) -> AuditRow:
    """Append a row within a transaction that writes what the row is about: both stand, or neither.

    Raises:
        ValueError: when ``at`` has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError("the time of an audit row needs a time zone")
    latest = connection.execute(select(audit.c.seq, audit.c.digest).order_by(audit.c.seq.desc()).limit(1)).first()
    seq, previous = (latest.seq, latest.digest) if latest else (0, BEFORE_THE_FIRST)
    row: dict[str, Any] = {
        "seq": seq + 1,
        "at": _moment(at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": canonical_json(entry.details).decode(),
        "previous": previous,
    }
    row["digest"] = digest_of(row)
    connection.execute(insert(audit).values(**row))
    return AuditRow(**{**row, "details": entry.details})


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _checked(connection: Connection, seq: int, previous: str) -> str:
    """The digest of one row, if the row is whole."""
    try:
        row = connection.execute(select(audit).where(audit.c.seq == seq)).mappings().one()
        whole = digest_of({str(name): row[name] for name in row if name != "digest"}) == row["digest"]
    except (DBAPIError, ValueError) as error:
        raise LedgerError(f"audit log: row {seq} cannot be read: {error}") from error
    if not whole:
        raise LedgerError(f"audit log: row {seq} was changed: its digest is not that of its content")
    if row["previous"] != previous:
        raise LedgerError(f"audit log: row {seq} does not follow row {seq - 1}, which was replaced")
    return str(row["digest"])
