"""What the ledger has that people are told of: champions, payouts, and looks that reached DeltaOne."""

from __future__ import annotations

from sqlalchemy import and_, select

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.records import Champion, PlannedPayout, ReachedLook
from telefine_assets.ledger.schema import champions, look_numbers, look_outcomes, looks, payouts


class News:
    """Everything of these kinds that ever happened, oldest first: some rows for each program and gain."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def champions(self) -> list[Champion]:
        """Every promotion and rollback."""
        with self._ledger.reading() as connection:
            rows = connection.execute(select(champions).order_by(champions.c.seq)).mappings()
            return [Champion(**row) for row in rows]

    def reached(self) -> list[ReachedLook]:
        """Every look that reached DeltaOne."""
        same = and_(look_numbers.c.look_key == looks.c.look_key, look_numbers.c.epoch == looks.c.epoch)
        ended = looks.join(look_numbers, same).join(look_outcomes, look_outcomes.c.look_key == looks.c.look_key)
        columns = (looks.c.program, looks.c.day, looks.c.epoch, looks.c.candidate)
        query = select(*columns).select_from(ended).where(look_outcomes.c.reached == 1).order_by(looks.c.seq)
        with self._ledger.reading() as connection:
            return [ReachedLook(*row) for row in connection.execute(query)]

    def payouts(self) -> list[PlannedPayout]:
        """Every payout."""
        columns = (payouts.c[name] for name in ("program", "day", "attestation", "pool", "token", "decimals"))
        with self._ledger.reading() as connection:
            rows = connection.execute(select(*columns).order_by(payouts.c.seq))
            return [
                PlannedPayout(row.program, row.day, row.attestation, int(row.pool), f"{row.token}/{row.decimals}")
                for row in rows
            ]
