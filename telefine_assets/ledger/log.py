"""The order of the transparency log's leaves. The tree over them is built by ``attestation.log``."""

from __future__ import annotations

from sqlalchemy import func, insert, select

from telefine_assets.ledger.connection import Ledger, LedgerError
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
            position = connection.scalar(select(func.count()).select_from(log_leaves)) or 0
            connection.execute(insert(log_leaves).values(position=position, entry=entry, leaf=leaf.hex()))
            return int(position)

    def leaves(self, size: int | None = None) -> list[bytes]:
        """The first ``size`` leaves (all by default), in order."""
        query = select(log_leaves.c.leaf).order_by(log_leaves.c.position)
        with self._ledger.reading() as connection:
            return [bytes.fromhex(leaf) for leaf in connection.scalars(query if size is None else query.limit(size))]
