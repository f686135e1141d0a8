"""Looks at a holdout: recorded before asking, numbered before scoring, so that luck cannot be bought by looking often.

``k`` counts the looks of an epoch of the holdout. A look that reached DeltaOne
ends the epoch: every item that was looked at in it retires, and ``k`` starts
again at 1 with items that nobody has looked at.

A look has its number from the moment on that its first item is scored. One that
never came so far (the server was down, the traces changed before it was run
again) has used up nothing; one that did has the same number for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, and_, func, insert, select

from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.records import ClosedDay, LookRequest, RecordedLook
from telefine_assets.ledger.schema import look_numbers, look_outcomes, looks

_OF_LOOK = and_(look_numbers.c.look_key == looks.c.look_key, look_numbers.c.epoch == looks.c.epoch)
_NUMBERED = looks.join(look_numbers, _OF_LOOK)
_ENDED = _NUMBERED.join(look_outcomes, look_outcomes.c.look_key == looks.c.look_key)


class Looks:
    """The looks of all programs."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def epoch(self, program: str, look_key: str) -> tuple[int, list[str]]:
        """The holdout epoch in which a look belongs, and the item lists that retired before it.

        A look that has a number keeps its epoch for ever, so that running it
        again sees the same items. Returns ``(epoch, digests of item lists)``.
        """
        with self._ledger.reading() as connection:
            known = connection.scalar(select(look_numbers.c.epoch).where(look_numbers.c.look_key == look_key))
            epoch = known if known is not None else _last_reached(connection, program) + 1
            retired = (
                select(looks.c.item_list)
                .select_from(_NUMBERED)
                .where(looks.c.program == program, looks.c.epoch < epoch)
                .order_by(looks.c.epoch, look_numbers.c.k)
            )
            return epoch, list(connection.scalars(retired))

    def record(self, request: LookRequest, epoch: int, item_list: str) -> RecordedLook:
        """Write what is about to be compared on the items listed in evidence ``item_list``, or return it if it stands.

        Raises:
            LedgerError: when the epoch ended in the meantime, or the same look
                was recorded over other items.
        """
        with self._ledger.writing() as connection:
            row = _row(connection, request.look_key, epoch)
            if row is None:
                _refuse_ended(connection, request.program, epoch, request.day)
                connection.execute(insert(looks).values(**vars(request), epoch=epoch, item_list=item_list))
                row = _row(connection, request.look_key, epoch)
            if row is None or row["item_list"] != item_list:
                raise LedgerError(
                    f"{request.program}: the look of {request.day} was recorded over other holdout items; "
                    "the cleaned traces changed without changing their digest"
                )
            return _recorded(row)

    def number(self, look_key: str) -> int | None:
        """The number of a look, or None while nothing of it was scored."""
        with self._ledger.reading() as connection:
            return connection.scalar(select(look_numbers.c.k).where(look_numbers.c.look_key == look_key))

    def next_k(self, program: str, epoch: int) -> int:
        """The number that the next look of ``epoch`` to be scored would have."""
        with self._ledger.reading() as connection:
            return _next_k(connection, program, epoch)

    def begin(self, look_key: str, epoch: int) -> RecordedLook:
        """Give a look its number, or return it with the one it has: from now on its items may be scored.

        Raises:
            LedgerError: when no such look was recorded, or the epoch ended
                before this look had a number.
        """
        with self._ledger.writing() as connection:
            row = _row(connection, look_key, epoch)
            if row is None:
                raise LedgerError(f"look {look_key} was never recorded; record it before it is scored")
            if row["k"] is None:
                _refuse_ended(connection, row["program"], epoch, row["day"])
                number = {"program": row["program"], "epoch": epoch, "k": _next_k(connection, row["program"], epoch)}
                connection.execute(insert(look_numbers).values(look_key=look_key, **number))
                return _recorded({**row, **number})
            return _recorded(row)

    def concluded(self, look_key: str) -> str | None:
        """Digest of the record that a look ended with, or None while it has not ended."""
        query = select(look_outcomes.c.report).where(look_outcomes.c.look_key == look_key)
        with self._ledger.reading() as connection:
            return connection.scalar(query)

    def closed(self, program: str, day: str) -> ClosedDay | None:
        """The look of that day that reached DeltaOne, or None."""
        query = (
            select(looks.c.baseline, looks.c.candidate, look_outcomes.c.report)
            .select_from(_ENDED)
            .where(looks.c.program == program, looks.c.day == day, look_outcomes.c.reached == 1)
        )
        with self._ledger.reading() as connection:
            row = connection.execute(query.order_by(looks.c.seq)).first()
        return ClosedDay(*row) if row else None

    def conclude(self, look_key: str, reached: bool, report: str) -> None:
        """Write what came of a look, ``report`` being the digest of its record.

        Writing the same again changes nothing.

        Raises:
            LedgerError: when another outcome stands in the ledger, or the look has no number.
        """
        with self._ledger.writing() as connection:
            if connection.scalar(select(look_numbers.c.k).where(look_numbers.c.look_key == look_key)) is None:
                raise LedgerError(f"look {look_key} has no number: nothing of it was scored")
            row = connection.execute(select(look_outcomes).where(look_outcomes.c.look_key == look_key)).first()
            if row is None:
                values = {"look_key": look_key, "reached": int(reached), "report": report}
                connection.execute(insert(look_outcomes).values(**values))
            elif (row.reached, row.report) != (int(reached), report):
                raise LedgerError(f"look {look_key} already ended otherwise (report {row.report})")

    def extract(self, program: str, look_key: str) -> list[dict[str, object]]:
        """The epoch's looks up to this one, as evidence: nothing in it changes later."""
        with self._ledger.reading() as connection:
            query = _up_to(connection, program, look_key, select(looks, look_numbers.c.k).select_from(_NUMBERED))
            rows = connection.execute(query).mappings()
            return [{key: value for key, value in row.items() if key != "seq"} for row in rows]

    def history(self, program: str, look_key: str) -> list[dict[str, object]]:
        """The epoch's looks up to this one, pass or fail: ``k``, ``day``, ``candidate`` and ``reached``.

        ``reached`` is None while a look has not ended.
        """
        columns = select(look_numbers.c.k, looks.c.day, looks.c.candidate, look_outcomes.c.reached)
        source = _NUMBERED.outerjoin(look_outcomes, look_outcomes.c.look_key == looks.c.look_key)
        with self._ledger.reading() as connection:
            rows = connection.execute(_up_to(connection, program, look_key, columns.select_from(source))).mappings()
            return [{**row, "reached": None if row["reached"] is None else bool(row["reached"])} for row in rows]


def _up_to(connection: Connection, program: str, look_key: str, query: Select[Any]) -> Select[Any]:
    """``query`` over the numbered looks of the same epoch, up to this one."""
    this = connection.execute(select(look_numbers).where(look_numbers.c.look_key == look_key)).one()
    same = (looks.c.program == program, looks.c.epoch == this.epoch, look_numbers.c.k <= this.k)
    return query.where(*same).order_by(look_numbers.c.k)


def _row(connection: Connection, look_key: str, epoch: int) -> Mapping[str, Any] | None:
    query = (
        select(looks, look_numbers.c.k)
        .select_from(looks.outerjoin(look_numbers, _OF_LOOK))
        .where(looks.c.look_key == look_key, looks.c.epoch == epoch)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def _recorded(row: Mapping[str, Any]) -> RecordedLook:
    return RecordedLook(row["seq"], row["epoch"], row["item_list"], row["look_key"], row["k"])


def _next_k(connection: Connection, program: str, epoch: int) -> int:
    taken = select(func.max(look_numbers.c.k)).where(look_numbers.c.program == program, look_numbers.c.epoch == epoch)
    return (connection.scalar(taken) or 0) + 1


def _last_reached(connection: Connection, program: str) -> int:
    """The last epoch that ended; 0 while none has."""
    reached = (
        select(func.max(looks.c.epoch))
        .select_from(_ENDED)
        .where(looks.c.program == program, look_outcomes.c.reached == 1)
    )
    return connection.scalar(reached) or 0


def _refuse_ended(connection: Connection, program: str, epoch: int, day: str) -> None:
    if _last_reached(connection, program) >= epoch:
        raise LedgerError(f"{program}: the holdout rotated while {day} was prepared; run it again")
