"""Which attestations the log has of a program and a day: its leaves name neither.

So each leaf goes into the log together with a row of the audit log that does: both
stand, or neither, whenever the process ends.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.gains import ATTESTED, REVOKED
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.ledger.records import AuditEntry, LoggedAttestation


def turn_of(program: str) -> str:
    """The turn in which a program's days are attested, and what is to be attested again is prepared."""
    return f"attesting {program}"


def revoked_at(ledger: Ledger) -> dict[str, str]:
    """When attestations were revoked, by uid: UTC, ``YYYY-MM-DDTHH:MM:SSZ``."""
    return {row.subject: row.at for row in Audit(ledger).rows(action=REVOKED)}


class AttestedDays:
    """The attestations of programs' days, as the ledger has them."""

    def __init__(self, ledger: Ledger, now: Callable[[], datetime]) -> None:
        """Use ``ledger``; ``now`` has a time zone."""
        self._ledger, self._now = ledger, now

    def of(self, program: str, day: str) -> list[str]:
        """Uids of the attestations that were ever logged of a day, oldest first."""
        wanted = {"program": program, "day": day}
        rows = Audit(self._ledger).rows(action=ATTESTED)
        return [row.subject for row in rows if wanted.items() <= row.details.items()]

    def append_at(self, position: int, leaf: tuple[str, bytes], what: LoggedAttestation) -> bool:
        """Append an attestation's entry and leaf if the log has exactly ``position`` leaves; returns whether it had."""
        details: dict[str, object] = {"program": what.program, "day": what.day, "position": position}
        entry = AuditEntry(what.signer, ATTESTED, what.uid, details)
        return LogLeaves(self._ledger).append_at(position, [leaf], (entry, self._now()))
