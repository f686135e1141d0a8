"""Erasures: whose words were taken out of what is kept, by whom and why, and the names of what went.

What is to go is recorded first, in one transaction with a row of the audit log that holds
the digest of its names; the database removes no row of an erasable table before. No text is in any of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import OperationalError

from telefine_assets.canonical import digest_of
from telefine_assets.ledger.audit import Audit, append_to
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.errors import LedgerError
from telefine_assets.ledger.records import AuditEntry
from telefine_assets.ledger.schema import ERASABLE, erased, erasures, metadata

TRACE, EVIDENCE = "trace", "evidence"
"""Kinds of what is erased elsewhere, beside the rows of the ledger's own erasable tables (the kind is the table)."""
ACTION = "erased a contributor's words"
_MAX_REASON = 500
_WAIT_MS = 60_000
"""How long whoever reads or writes SQLite's file is waited for."""


@dataclass(frozen=True)
class Asked:
    """Who asked for what.

    Attributes:
        contributor: whose words, EIP-55.
        reason: why; it stays for ever, and names no person.
        actor: who does it.
    """

    contributor: str
    reason: str
    actor: str

    def __post_init__(self) -> None:
        is_text = self.reason == self.reason.encode(errors="ignore").decode()
        if not self.reason.strip() or len(self.reason) > _MAX_REASON or not is_text:
            raise LedgerError(f"an erasure needs a reason of 1 to {_MAX_REASON} characters: say it with --reason")


class Erasures:
    """All erasures of a deployment."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def record(self, asked: Asked, names: Mapping[str, Collection[str]], at: datetime, since_ms: int = 0) -> int:
        """Record what is to go, by kind; what was recorded before is not recorded again.

        Args:
            asked: who asked for what.
            names: what is to go.
            at: now.
            since_ms: of when the ledger must know the contributor's last erasure (Unix milliseconds) even where no
                name is new: an older ledger may have been restored.

        Returns:
            How many names are new; where none is, nothing is written but for ``since_ms``.
        """
        with self._ledger.writing() as connection:
            new = {kind: sorted({*some} - erased_in(connection, kind)) for kind, some in sorted(names.items())}
            total = sum(map(len, new.values()))
            if total == 0 and _last_ms(connection).get(asked.contributor, 0) >= since_ms:
                return 0
            seq = int(connection.scalar(select(func.max(erasures.c.seq))) or 0) + 1
            at_ms = max(int(at.timestamp() * 1000), since_ms)
            connection.execute(insert(erasures).values(seq=seq, at_ms=at_ms, **vars(asked)))
            rows = [{"kind": kind, "name": name, "erasure": seq} for kind, some in new.items() for name in some]
            if rows:
                connection.execute(insert(erased), rows)
            new = {kind: some for kind, some in new.items() if some}
            counts: dict[str, object] = {kind: len(some) for kind, some in new.items()}
            details = {"reason": asked.reason, "erasure": seq, "names": _digest(new), **counts}
            append_to(connection, AuditEntry(asked.actor, ACTION, asked.contributor, details), at)
            return total

    def names(self, kind: str) -> set[str]:
        """The names of a kind that were ever recorded."""
        with self._ledger.reading() as connection:
            return erased_in(connection, kind)

    def asked(self, kind: str) -> dict[str, Asked]:
        """The names of a kind that were ever recorded, each with who first asked for it to go."""
        query = select(erased.c.name, erasures).join_from(erased, erasures, erased.c.erasure == erasures.c.seq)
        with self._ledger.reading() as connection:
            rows = connection.execute(query.where(erased.c.kind == kind)).all()
        return {row.name: Asked(row.contributor, row.reason, row.actor) for row in rows}

    def require_audited(self) -> None:
        """Refuse erasures that somebody wrote into the ledger past the audit log.

        Raises:
            LedgerError: the audit log is broken, or an erasure is not what it says was recorded.
        """
        audit = Audit(self._ledger)
        audit.verify()
        with self._ledger.reading() as connection:
            asked = {row.seq: (row.contributor, row.reason) for row in connection.execute(select(erasures))}
            rows = connection.execute(select(erased)).all()
        names: dict[int, dict[str, list[str]]] = {seq: {} for seq in asked}
        for row in rows:
            names.setdefault(row.erasure, {}).setdefault(row.kind, []).append(row.name)
        there: dict[object, tuple[object, ...]] = {
            seq: (*asked.get(seq, ("", "")), _digest(some)) for seq, some in names.items()
        }
        audited = {
            row.details.get("erasure"): (row.subject, row.details.get("reason"), row.details.get("names"))
            for row in audit.rows(action=ACTION)
        }
        if wrong := sorted(str(seq) for seq in there.keys() | audited.keys() if there.get(seq) != audited.get(seq)):
            raise LedgerError(
                f"erasure {wrong[0]} is not what the audit log says was recorded: somebody wrote to the ledger past "
                "it; restore a backup from before (telefine restore)"
            )

    def contributors(self) -> list[str]:
        """Whose words were erased, ascending."""
        with self._ledger.reading() as connection:
            return sorted({*connection.scalars(select(erasures.c.contributor))})

    def last_ms(self) -> dict[str, int]:
        """When each contributor's words were erased last, in Unix milliseconds."""
        with self._ledger.reading() as connection:
            return _last_ms(connection)

    def remove_rows(self) -> int:
        """Remove what is recorded from the erasable tables; returns how many rows went."""
        removed = 0
        with self._ledger.writing() as connection:
            for table in metadata.sorted_tables:
                if table.info.get(ERASABLE):
                    named = select(erased.c.name).where(erased.c.kind == table.name)
                    done = connection.execute(delete(table).where(table.c[table.info[ERASABLE]].in_(named)))
                    removed += done.rowcount
        return removed

    def compact(self) -> None:
        """Write the database anew, so that its files hold nothing of what was removed.

        In PostgreSQL only the tables that held texts are written anew; its write-ahead log and
        old backups go by the server's own rules.

        Raises:
            LedgerError: somebody reads or writes SQLite's file: it holds what was removed until this is done again.
        """
        with self._ledger.apart() as connection:
            if self._ledger.dialect.name == "sqlite":
                self._emptied(connection, "VACUUM")
                return
            for table in ("spool_traces", *(each.name for each in metadata.sorted_tables if each.info.get(ERASABLE))):
                connection.exec_driver_sql(f"VACUUM FULL {table}")

    def require_alone(self) -> None:
        """Refuse while somebody has a transaction open in SQLite's file, so that it cannot be written anew.

        Raises:
            LedgerError: somebody reads or writes it.
        """
        if self._ledger.dialect.name == "sqlite":
            with self._ledger.apart() as connection:
                version = connection.exec_driver_sql("PRAGMA user_version").scalar()
                # Who reads what was checkpointed last is in nobody's way before something is written.
                self._emptied(connection, f"PRAGMA user_version = {version}")

    def _emptied(self, connection: Connection, *before: str) -> None:
        """Empty the write-ahead log into SQLite's file, after statements that write; others are waited for."""
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_WAIT_MS}")
        try:
            for statement in before:
                connection.exec_driver_sql(statement)
            # It does not fail where somebody reads an older state: it says so, and the file stays as it was.
            is_busy = bool(connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0])
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise LedgerError(f"the ledger {self._ledger.file} cannot be written anew: {error.orig}") from error
            is_busy = True
        if is_busy:
            raise LedgerError(
                f"the ledger {self._ledger.file} is in use: another program has a transaction open in it, so that the "
                "words cannot be taken out of its file. Stop telefine serve, the daemon, and dashboards or sqlite3 "
                "shells that read it, and run this again: it goes on"
            )


def erased_in(connection: Connection, kind: str) -> set[str]:
    """The names of a kind that are recorded, within a transaction."""
    return {*connection.scalars(select(erased.c.name).where(erased.c.kind == kind))}


def _last_ms(connection: Connection) -> dict[str, int]:
    query = select(erasures.c.contributor, func.max(erasures.c.at_ms)).group_by(erasures.c.contributor)
    return {str(who): int(at_ms) for who, at_ms in connection.execute(query)}


def _digest(names: Mapping[str, Collection[str]]) -> str:
    return digest_of({kind: sorted(some) for kind, some in names.items()})
