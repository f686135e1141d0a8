"""Cosignatures under attestations, as they came in. Whoever adds one has checked it; it is checked again when read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select

from telefine_assets.ledger.audit import append_to
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.records import AuditEntry
from telefine_assets.ledger.schema import cosignatures


class Cosignatures:
    """An append-only set: one signature for each attestation and signer."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def add(self, uid: str, signer: str, vrs: tuple[int, int, int], audited: tuple[AuditEntry, datetime]) -> bool:
        """Add a cosignature, with its row of the audit log.

        Returns:
            Whether it is new. The first signature of a signer stays: another one says the same.
        """
        v, r, s = vrs
        with self._ledger.writing() as connection:
            own = (cosignatures.c.uid == uid, cosignatures.c.signer == signer)
            if connection.execute(select(cosignatures).where(*own)).first() is not None:
                return False
            row = {"uid": uid, "signer": signer, "v": v, "r": f"0x{r:064x}", "s": f"0x{s:064x}"}
            connection.execute(insert(cosignatures).values(**row))
            append_to(connection, *audited)
            return True

    def of(self, uid: str) -> list[tuple[str, int, int, int]]:
        """Signer, v, r and s of every cosignature under an attestation."""
        query = select(cosignatures).where(cosignatures.c.uid == uid).order_by(cosignatures.c.signer)
        with self._ledger.reading() as connection:
            rows = connection.execute(query).all()
        return [(row.signer, int(row.v), int(row.r, 16), int(row.s, 16)) for row in rows]
