"""Payouts: one for each attestation, for ever."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.gains import require_gain, require_not_revoked
from telefine_assets.ledger.records import RecordedPayout, Token
from telefine_assets.ledger.schema import payout_lines, payouts


class Payouts:
    """What was granted to whom, in the token's smallest unit."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def record(
        self,
        *,
        attestation: str,
        program: str,
        day: str,
        pool: int,
        plan: str,
        token: Token,
        lines: Mapping[str, int],
        replaces: Sequence[str] = (),
    ) -> int:
        """Record the payout of an attestation; returns its sequence number.

        ``lines`` maps a wallet, or ``escrow:<reason>``, to its amount. The same
        payout again returns the same number. What was promoted is asked of
        the ledger itself, in the same transaction; ``replaces`` are the revoked
        attestations that this one was issued again for, whose promotion counts.

        Raises:
            LedgerError: when the lines do not sum to the pool, a line is not
                above zero, another payout of this attestation or this day
                stands in the ledger, or the attestation was revoked, or has no
                gain to pay for (``ledger.gains``).
        """
        if sum(lines.values()) != pool:
            raise LedgerError(f"payout of {attestation}: lines sum to {sum(lines.values())}, the pool is {pool}")
        if not lines or min(lines.values()) <= 0:
            raise LedgerError(f"payout of {attestation}: every line must be above zero, and there must be one")
        wanted = {
            "attestation": attestation,
            "program": program,
            "day": day,
            "pool": str(pool),
            "plan": plan,
            "token": token.name,
            "decimals": token.decimals,
        }
        with self._ledger.writing() as connection:
            row = _of(connection, attestation)
            if row is None:
                _require_payable(connection, attestation, replaces, program, day)
                row = _added(connection, wanted, lines)
            if row != {"seq": row["seq"], **wanted} or _lines(connection, attestation) != dict(lines):
                raise LedgerError(f"attestation {attestation} was already paid by another plan ({row['plan']})")
            return int(row["seq"])

    def of(self, attestation: str) -> RecordedPayout | None:
        """The payout of an attestation, or None."""
        with self._ledger.reading() as connection:
            row = _of(connection, attestation)
        if row is None:
            return None
        token, pool = Token(row.pop("token"), row.pop("decimals")), int(row.pop("pool"))
        return RecordedPayout(**row, token=token, pool=pool)

    def totals_before(self, program: str, token: Token, seq: int | None) -> dict[str, int]:
        """What each payee of ``program`` had been granted of ``token`` before payout ``seq``; by now, with None."""
        query = (
            select(payout_lines.c.payee, payout_lines.c.amount)
            .join(payouts, payouts.c.attestation == payout_lines.c.attestation)
            .where(payouts.c.program == program, payouts.c.token == token.name, payouts.c.decimals == token.decimals)
        )
        if seq is not None:
            query = query.where(payouts.c.seq < seq)
        totals: dict[str, int] = defaultdict(int)
        with self._ledger.reading() as connection:
            for payee, amount in connection.execute(query):
                totals[payee] += int(amount)
        return dict(totals)


def _require_payable(connection: Connection, attestation: str, replaces: Sequence[str], program: str, day: str) -> None:
    of_day = select(payouts.c.attestation).where(payouts.c.program == program, payouts.c.day == day)
    paid = connection.scalar(of_day)
    if paid is not None:
        raise LedgerError(f"{program} {day} was already paid, by attestation {paid}; the gain of a day is paid once")
    require_not_revoked(connection, attestation)
    champion = require_gain(connection, attestation, replaces)
    if (champion.program, champion.day) != (program, day):
        raise LedgerError(f"attestation {attestation} promoted {champion.program} on {champion.day}, not {program}")


def _added(connection: Connection, row: Mapping[str, Any], lines: Mapping[str, int]) -> dict[str, Any]:
    seq = connection.execute(insert(payouts).values(**row).returning(payouts.c.seq)).scalar_one()
    connection.execute(
        insert(payout_lines),
        [
            {"attestation": row["attestation"], "payee": payee, "amount": str(amount)}
            for payee, amount in sorted(lines.items())
        ],
    )
    return {"seq": seq, **row}


def _of(connection: Connection, attestation: str) -> dict[str, Any] | None:
    query = select(payouts).where(payouts.c.attestation == attestation)
    row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def _lines(connection: Connection, attestation: str) -> dict[str, int]:
    query = select(payout_lines.c.payee, payout_lines.c.amount).where(payout_lines.c.attestation == attestation)
    return {payee: int(amount) for payee, amount in connection.execute(query)}
