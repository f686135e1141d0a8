"""Looks at a holdout: recorded before scoring, so that luck cannot be bought by looking often.

``k`` counts the looks of an epoch of the holdout. A look that reached DeltaOne
ends the epoch: every item that was looked at in it retires, and ``k`` starts
again at 1 with items that nobody has looked at.
"""

from __future__ import annotations

from sqlalchemy import func, insert, select

from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.records import ClosedDay, LookRequest, RecordedLook
from telefine_assets.ledger.schema import look_outcomes, looks


class Looks:
    """The looks of all programs."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def epoch(self, program: str, look_key: str) -> tuple[int, list[str]]:
        """The holdout epoch in which a look belongs, and the item lists that retired before it.

        A look that was recorded keeps its epoch for ever, so that running it
        again sees the same items. Returns ``(epoch, digests of item lists)``.
        """
        with self._ledger.reading() as connection:
            known = connection.scalar(select(looks.c.epoch).where(looks.c.look_key == look_key))
            reached = select(func.max(looks.c.epoch)).join(look_outcomes, look_outcomes.c.look_key == looks.c.look_key)
            last = connection.scalar(reached.where(looks.c.program == program, look_outcomes.c.reached == 1))
            epoch = known if known is not None else (last or 0) + 1
            retired = select(looks.c.item_list).where(looks.c.program == program, looks.c.epoch < epoch)
            return epoch, list(connection.scalars(retired.order_by(looks.c.seq)))

    def record(self, request: LookRequest, epoch: int, item_list: str) -> RecordedLook:
        """Take the next look of ``epoch`` at the items listed in evidence ``item_list``, or return it if it was taken.

        Raises:
            LedgerError: when the epoch ended in the meantime, or the same look
                was recorded over other items.
        """
        with self._ledger.writing() as connection:
            same = select(looks).where(looks.c.look_key == request.look_key)
            row = connection.execute(same).mappings().first()
            if row is None:
                reached = (
                    select(func.count())
                    .select_from(looks.join(look_outcomes, look_outcomes.c.look_key == looks.c.look_key))
                    .where(looks.c.program == request.program, looks.c.epoch >= epoch)
                    .where(look_outcomes.c.reached == 1)
                )
                if connection.scalar(reached):
                    raise LedgerError(
                        f"{request.program}: the holdout rotated while {request.day} was prepared; run it again"
                    )
                taken = select(func.max(looks.c.k)).where(looks.c.program == request.program, looks.c.epoch == epoch)
                values = {**vars(request), "epoch": epoch, "item_list": item_list}
                connection.execute(insert(looks).values(k=(connection.scalar(taken) or 0) + 1, **values))
                row = connection.execute(same).mappings().one()
            if row["item_list"] != item_list:
                raise LedgerError(
                    f"{request.program}: look {row['k']} of {row['day']} was recorded over other holdout items; "
                    "the cleaned traces changed without changing their digest"
                )
            return RecordedLook(row["seq"], row["epoch"], row["k"], row["item_list"], row["look_key"])

    def concluded(self, look_key: str) -> str | None:
        """Digest of the record that a look ended with, or None while it has not ended."""
        query = select(look_outcomes.c.report).where(look_outcomes.c.look_key == look_key)
        with self._ledger.reading() as connection:
            return connection.scalar(query)

    def closed(self, program: str, day: str) -> ClosedDay | None:
        """The look of that day that reached DeltaOne, or None."""
        query = (
            select(looks.c.baseline, looks.c.candidate, look_outcomes.c.report)
            .join(look_outcomes, look_outcomes.c.look_key == looks.c.look_key)
            .where(looks.c.program == program, looks.c.day == day, look_outcomes.c.reached == 1)
        )
        with self._ledger.reading() as connection:
            row = connection.execute(query.order_by(looks.c.seq)).first()
        return ClosedDay(*row) if row else None

    def conclude(self, look_key: str, reached: bool, report: str) -> None:
        """Write what came of a look, ``report`` being the digest of its record.

        Writing the same again changes nothing.

        Raises:
            LedgerError: when another outcome stands in the ledger, or no such look was taken.
        """
        with self._ledger.writing() as connection:
            if connection.scalar(select(looks.c.seq).where(looks.c.look_key == look_key)) is None:
                raise LedgerError(f"look {look_key} was never taken; record it before it is scored")
            row = connection.execute(select(look_outcomes).where(look_outcomes.c.look_key == look_key)).first()
            if row is None:
                values = {"look_key": look_key, "reached": int(reached), "report": report}
                connection.execute(insert(look_outcomes).values(**values))
            elif (row.reached, row.report) != (int(reached), report):
                raise LedgerError(f"look {look_key} already ended otherwise (report {row.report})")

    def extract(self, program: str, look_key: str) -> list[dict[str, object]]:
        """The epoch's looks up to this one, as evidence: nothing in it changes later."""
        with self._ledger.reading() as connection:
            this = connection.execute(select(looks).where(looks.c.look_key == look_key)).one()
            rows = connection.execute(
                select(looks)
                .where(looks.c.program == program, looks.c.epoch == this.epoch, looks.c.k <= this.k)
                .order_by(looks.c.k)
            ).mappings()
            return [{key: value for key, value in row.items() if key != "seq"} for row in rows]
