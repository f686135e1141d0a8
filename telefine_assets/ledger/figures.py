"""How much of each kind the ledger holds, for metrics: sums that the database makes, whatever its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Float, case, cast, func, literal, select, text

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.schema import (
    alert_attempts,
    champions,
    lm_spending,
    look_numbers,
    look_outcomes,
    mint_requests,
    payout_lines,
    payouts,
)

ESCROW = "escrow:"
_MICROS = 1_000_000


@dataclass(frozen=True)
class Spent:
    """What the language models of a program's stage came to; what a model does not report is in no sum."""

    program: str
    stage: str
    works: int
    calls: int
    remembered: int
    tokens: int
    dollars: float
    seconds: float


@dataclass(frozen=True)
class Paid:
    """What was granted of one token for a program; sums are rounded as floats are, for looking at."""

    program: str
    token: str
    granted: float
    in_escrow: float
    payees: int


class Figures:
    """Counts and sums of the whole ledger."""

    def __init__(self, ledger: Ledger) -> None:
        """Ask ``ledger``."""
        self._ledger = ledger

    def looks(self) -> list[tuple[str, str, int]]:
        """Program, outcome (``reached``, ``not_reached``, ``open``) and number of looks."""
        known = case((look_outcomes.c.reached == 1, "reached"), (look_outcomes.c.reached == 0, "not_reached"))
        outcome = func.coalesce(known, "open")
        query = select(look_numbers.c.program, outcome, func.count()).select_from(
            look_numbers.outerjoin(look_outcomes, look_outcomes.c.look_key == look_numbers.c.look_key)
        )
        return self._rows(query.group_by(look_numbers.c.program, outcome))

    def looks_this_epoch(self) -> list[tuple[str, int]]:
        """Program, and how many looks at its holdout the epoch that goes on has had."""
        newest = (
            select(look_numbers.c.program, func.max(look_numbers.c.epoch).label("epoch"))
            .group_by(look_numbers.c.program)
            .subquery()
        )
        same = (newest.c.program == look_numbers.c.program) & (newest.c.epoch == look_numbers.c.epoch)
        query = select(newest.c.program, func.count()).select_from(newest.join(look_numbers, same))
        return self._rows(query.group_by(newest.c.program))

    def promotions(self) -> list[tuple[str, str, int]]:
        """Program, how (``attested``, ``by hand``, ``rollback``), and number of promotions."""
        columns = (champions.c.program, champions.c.how)
        return self._rows(select(*columns, func.count()).group_by(*columns))

    def payouts(self) -> list[tuple[str, str, int]]:
        """Program, state (``planned``, or ``requested`` once a mint request was signed) and number of payouts."""
        asked = mint_requests.c.attestation.is_not(None)
        state = case((asked, literal("requested")), else_=literal("planned"))
        joined = payouts.outerjoin(mint_requests, mint_requests.c.attestation == payouts.c.attestation)
        return self._rows(
            select(payouts.c.program, state, func.count()).select_from(joined).group_by(payouts.c.program, state)
        )

    def paid(self) -> list[Paid]:
        """What was granted, by program and token."""
        joined = payout_lines.join(payouts, payouts.c.attestation == payout_lines.c.attestation)
        amount, escrow = cast(payout_lines.c.amount, Float), payout_lines.c.payee.startswith(ESCROW)
        columns = (payouts.c.program, payouts.c.token, payouts.c.decimals)
        query = select(
            *columns,
            func.sum(amount),
            func.sum(case((escrow, amount), else_=0.0)),
            func.count(case((escrow, None), else_=payout_lines.c.payee).distinct()),
        )
        rows = self._rows(query.select_from(joined).group_by(*columns))
        return [Paid(name, token, of / 10**d, held / 10**d, n) for name, token, d, of, held, n in rows]

    def spent(self) -> list[Spent]:
        """What language models came to, by program and stage."""
        table = lm_spending
        sums = (_sum(table.c[name]) for name in ("calls", "remembered", "tokens", "cost_micros", "took_ms"))
        query = select(table.c.program, table.c.stage, func.count(), *sums).group_by(table.c.program, table.c.stage)
        return [
            Spent(program, stage, works, int(calls), int(kept), int(tokens), float(micros) / _MICROS, float(ms) / 1000)
            for program, stage, works, calls, kept, tokens, micros, ms in self._rows(query)
        ]

    def deliveries(self) -> list[tuple[str, int]]:
        """How many deliveries of alerts stand at each event."""
        last = func.max(alert_attempts.c.seq).label("seq")
        newest = select(last).group_by(alert_attempts.c.key, alert_attempts.c.channel).subquery()
        standing = alert_attempts.join(newest, newest.c.seq == alert_attempts.c.seq)
        query = select(alert_attempts.c.event, func.count()).select_from(standing)
        return self._rows(query.group_by(alert_attempts.c.event))

    def size_bytes(self) -> int:
        """How large the database is: of SQLite its pages, wherever they are written; of PostgreSQL everything."""
        with self._ledger.reading() as connection:
            return int(connection.scalar(text(_SIZE[connection.dialect.name])) or 0)

    def _rows(self, query: Any) -> list[Any]:
        with self._ledger.reading() as connection:
            return [tuple(row) for row in connection.execute(query)]


_SIZE = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
}


def _sum(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)
