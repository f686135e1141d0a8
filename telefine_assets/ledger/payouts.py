"""Payouts: one for each attestation, for ever."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, insert, select

from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.schema import payout_lines, payouts


class Payouts:
    """What was granted to whom, in the token's smallest unit."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def record(
        self, *, attestation: str, program: str, day: str, pool: int, plan: str, lines: Mapping[str, int]
    ) -> int:
        """Record the payout of an attestation; returns its sequence number.

        ``lines`` maps a wallet, or ``escrow:<reason>``, to its amount. The same
        payout again returns the same number.

        Raises:
            LedgerError: when the lines do not sum to the pool, a line is not
                above zero, or another payout of this attestation stands in the ledger.
        """
        if sum(lines.values()) != pool:
            raise LedgerError(f"payout of {attestation}: lines sum to {sum(lines.values())}, the pool is {pool}")
        if not lines or min(lines.values()) <= 0:
            raise LedgerError(f"payout of {attestation}: every line must be above zero, and there must be one")
        with self._ledger.writing() as connection:
            same = select(payouts).where(payouts.c.attestation == attestation)
            row = connection.execute(same).first()
            if row is None:
                of_day = select(payouts.c.attestation).where(payouts.c.program == program, payouts.c.day == day)
                paid = connection.scalar(of_day)
                if paid is not None:
                    raise LedgerError(
                        f"{program} {day} was already paid, by attestation {paid}; the gain of a day is paid once"
                    )
                connection.execute(
                    insert(payouts).values(attestation=attestation, program=program, day=day, pool=str(pool), plan=plan)
                )
                connection.execute(
                    insert(payout_lines),
                    [
                        {"attestation": attestation, "payee": payee, "amount": str(amount)}
                        for payee, amount in sorted(lines.items())
                    ],
                )
                row = connection.execute(same).one()
            elif (row.program, row.day, row.pool, row.plan) != (program, day, str(pool), plan) or (
                self._lines(connection, attestation) != dict(lines)
            ):
                raise LedgerError(f"attestation {attestation} was already paid by another plan ({row.plan})")
            return int(row.seq)

    @staticmethod
    def _lines(connection: Connection, attestation: str) -> dict[str, int]:
        query = select(payout_lines.c.payee, payout_lines.c.amount).where(payout_lines.c.attestation == attestation)
        return {payee: int(amount) for payee, amount in connection.execute(query)}

    def plan_of(self, attestation: str) -> str | None:
        """Digest of the plan by which an attestation was paid, or None."""
        query = select(payouts.c.plan).where(payouts.c.attestation == attestation)
        with self._ledger.reading() as connection:
            return connection.scalar(query)

    def totals_before(self, program: str, seq: int | None) -> dict[str, int]:
        """What each payee of ``program`` had been granted by the payouts before ``seq``; by all of them with None."""
        query = (
            select(payout_lines.c.payee, payout_lines.c.amount)
            .join(payouts, payouts.c.attestation == payout_lines.c.attestation)
            .where(payouts.c.program == program)
        )
        if seq is not None:
            query = query.where(payouts.c.seq < seq)
        totals: dict[str, int] = defaultdict(int)
        with self._ledger.reading() as connection:
            for payee, amount in connection.execute(query):
                totals[payee] += int(amount)
        return dict(totals)
