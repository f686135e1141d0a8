"""The order of the transparency log's leaves. The tree over them is built by ``attestation.log``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from telefine_assets.ledger.audit import append_to
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.records import AuditEntry
from telefine_assets.ledger.schema import log_leaves


class LogLeaves:
    """An append-only list of leaves, each named by a unique entry (the leaf's hash)."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def append(self, entry: str, leaf: bytes) -> int:
        """Append a leaf and return its position; an entry that is there keeps its position.

        Raises:
            LedgerError: when the entry stands in the log with another leaf.
        """
        with self._ledger.writing() as connection:
            row = connection.execute(select(log_leaves).where(log_leaves.c.entry == entry)).first()
            if row is not None:
                if row.leaf != leaf.hex():
                    raise LedgerError(f"log entry {entry} exists with another leaf; a log is never rewritten")
                return int(row.position)
            position = _size(connection)
            connection.execute(insert(log_leaves).values(position=position, entry=entry, leaf=leaf.hex()))
            return position

    def append_at(
        self,
        position: int,
        leaves: Sequence[tuple[str, bytes]],
        audited: tuple[AuditEntry, datetime] | None = None,
    ) -> bool:
        """Append new entries with their leaves, all or none, if the log has exactly ``position`` leaves.

        ``audited`` goes into the audit log in the same step.

        Returns:
            Whether they were appended; False when the log had another size.
        """
        with self._ledger.writing() as connection:
            if _size(connection) != position:
                return False
            rows = [
                {"position": position + offset, "entry": entry, "leaf": leaf.hex()}
                for offset, (entry, leaf) in enumerate(leaves)
            ]
            connection.execute(insert(log_leaves), rows)
            if audited is not None:
                append_to(connection, *audited)
            return True

    def leaves(self, size: int | None = None) -> list[bytes]:
        """The first ``size`` leaves (all by default), in order."""
        query = select(log_leaves.c.leaf).order_by(log_leaves.c.position)
        with self._ledger.reading() as connection:
            return [bytes.fromhex(leaf) for leaf in connection.scalars(query if size is None else query.limit(size))]

    def size(self) -> int:
        """The number of leaves."""
        with self._ledger.reading() as connection:
            return _size(connection)


def _size(connection: Connection) -> int:
    return int(connection.scalar(select(func.count()).select_from(log_leaves)) or 0)
