"""What questions to language models came to: a row for each piece of work, finished or not.

A stage that is run again is told most answers by the journal, and the record it
writes is the same as before. So what it cost stands here and not in the record:
work that failed cost something too.
"""

from __future__ import annotations

from sqlalchemy import insert, select

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.records import Spending, Work
from telefine_assets.ledger.schema import lm_spending


class Spendings:
    """What was spent on all programs."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def add(self, spending: Spending) -> None:
        """Add what a piece of work came to; the same work tried again is a further row."""
        values = vars(spending) | vars(spending.work)
        del values["work"]
        with self._ledger.writing() as connection:
            connection.execute(insert(lm_spending).values(**values))

    def of(self, program: str, first: str, last: str) -> list[Spending]:
        """What was spent on the days from ``first`` to ``last``, both included, in the order in which it was."""
        table = lm_spending
        query = select(table).where(table.c.program == program, table.c.day >= first, table.c.day <= last)
        with self._ledger.reading() as connection:
            rows = [dict(row) for row in connection.execute(query.order_by(table.c.seq)).mappings()]
        works = [Work(*(row.pop(name) for name in ("program", "stage", "day", "run"))) for row in rows]
        return [
            Spending(work, **{name: row[name] for name in row if name != "seq"})
            for work, row in zip(works, rows, strict=True)
        ]
