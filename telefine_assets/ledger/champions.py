"""Which version of a program serves, and since which day.

Rows are only added: a rollback is one more row. Days never go back from row to
row, so the last row serves, and what served during an old day can be read for
ever. Whatever makes a version serve is in the audit log by the same transaction.

**Nothing is paid twice.** A payout is for a gain over what served, and what
serves can be put back: after a rollback the same gain could be reached again, on
other held-out items, attested again, and paid again. So every attested gain has
a height: one more than that of the version it is over, and 0 is the height of a
version of which nothing is attested, such as the first. The first promotion to
reach a height has it as its ``gain`` (the database refuses a second one), and is
paid for; a later one only if all that was there before was revoked and never paid
(``ledger.gains``). Rolling back three attested gains means that the next three over
what serves then are promoted, and win back what stands or was paid for; the fourth
is new. A version that is
chosen by hand stands as high as its own attestations say, so that choosing a
worse one lifts nobody over ground that was paid for. This is the high-water mark
of performance fees, counted in DeltaOnes.

The looks need nothing of this kind: a day whose look reached DeltaOne is closed
and its items have retired, so winning a gain back costs a look at fresh items.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select

from telefine_assets.ledger.audit import append_to
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.gains import why_unpaid
from telefine_assets.ledger.records import ATTESTED, BY_HAND, AuditEntry, Champion, Choice, Promotion
from telefine_assets.ledger.schema import champions

AUTOMATIC = "telefine"
"""The actor of promotions that an attestation brought about."""


class Champions:
    """Promotions of all programs."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def before(self, program: str, day: str) -> Champion | None:
        """The champion that served during ``day``: promoted on an earlier one. None: the first version.

        Days decide, not the order of runs, so that running an old day again
        compares against what served then.
        """
        with self._ledger.reading() as connection:
            return _last(connection, _of(program).where(champions.c.day < day))

    def current(self, program: str) -> Champion | None:
        """The champion that serves now. None: the first version."""
        with self._ledger.reading() as connection:
            return _last(connection, _of(program))

    def of(self, attestation: str) -> Champion | None:
        """The promotion that an attestation brought about, or None."""
        with self._ledger.reading() as connection:
            return _last(connection, select(champions).where(champions.c.attestation == attestation))

    def why_unpaid(self, promoted: Champion) -> str | None:
        """Why nothing is paid for a promotion by an attestation, in words; None if it is one to pay for now.

        Raises:
            LedgerError: the audit log cannot be read.
        """
        with self._ledger.reading() as connection:
            return why_unpaid(connection, promoted)

    def history(self, program: str) -> list[Champion]:
        """Every promotion and rollback of a program, oldest first."""
        with self._ledger.reading() as connection:
            return [Champion(**row) for row in connection.execute(_of(program).order_by(champions.c.seq)).mappings()]

    def promote(self, promotion: Promotion, at: datetime) -> Champion:
        """Record what an attestation promotes; the same promotion again changes nothing.

        Raises:
            LedgerError: when the attestation already promoted something else, or
                something that was decided about this or a later day serves already.
        """
        program, day = promotion.program, promotion.day
        with self._ledger.writing() as connection:
            known = _last(connection, select(champions).where(champions.c.attestation == promotion.attestation))
            if known is not None:
                if (known.program, known.day, known.version) != (program, day, promotion.version):
                    raise LedgerError(f"attestation {promotion.attestation} already promoted {known.version}")
                return known
            last = _last(connection, _of(program))
            if last is not None and last.day >= day:
                raise LedgerError(f"{program}: the candidate of {last.day} serves already; {day} comes too late")
            height = max(
                _height(connection, program, promotion.version), _height(connection, program, promotion.baseline) + 1
            )
            highest = connection.scalar(select(func.max(champions.c.height)).where(champions.c.program == program))
            row = {
                "program": program,
                "day": day,
                "version": promotion.version,
                "reason": f"attestation {promotion.attestation}",
                "how": ATTESTED,
                "attestation": promotion.attestation,
                "height": height,
                "gain": height if height > (highest or 0) else None,
            }
            return _added(connection, row, AUTOMATIC, at)

    def choose(self, choice: Choice, at: datetime) -> Champion:
        """Record what a person chose.

        Raises:
            LedgerError: when something else serves by now than when the choice was made.
        """
        with self._ledger.writing() as connection:
            last = _last(connection, _of(choice.program))
            if (last.seq if last else 0) != choice.after:
                raise LedgerError(f"{choice.program}: something else serves by now; look again, then choose again")
            row = {
                "program": choice.program,
                "day": max(choice.day, last.day) if last else choice.day,
                "version": choice.version,
                "reason": choice.reason,
                "how": choice.how,
                "attestation": None,
                "height": _height(connection, choice.program, choice.version),
                "gain": None,
            }
            return _added(connection, row, choice.by, at)


_ACTIONS = {ATTESTED: "promoted", BY_HAND: "promoted by hand"}


def _added(connection: Connection, row: dict[str, Any], actor: str, at: datetime) -> Champion:
    replaced = _last(connection, _of(row["program"]))
    seq = connection.execute(insert(champions).values(**row).returning(champions.c.seq)).scalar_one()
    details = {name: value for name, value in row.items() if name not in ("program", "how")}
    details["replaces"] = replaced.version if replaced else None
    action = _ACTIONS.get(row["how"], "rolled back")
    append_to(connection, AuditEntry(actor, action, row["program"], details), at)
    return Champion(seq=seq, **row)


def _of(program: str) -> Select[Any]:
    return select(champions).where(champions.c.program == program)


def _last(connection: Connection, query: Select[Any]) -> Champion | None:
    row = connection.execute(query.order_by(champions.c.day.desc(), champions.c.seq.desc()).limit(1)).mappings().first()
    return Champion(**row) if row else None


def _height(connection: Connection, program: str, version: str) -> int:
    query = select(func.max(champions.c.height)).where(champions.c.program == program, champions.c.version == version)
    return connection.scalar(query) or 0
