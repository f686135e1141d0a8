"""Every long text in the ledger, for whoever must know what it names."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import String, func, select

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.schema import metadata

_AT_A_TIME = 1_000


def texts(ledger: Ledger, at_least: int) -> Iterator[str]:
    """The values of ``at_least`` characters or more in all text columns of all tables, in no order.

    A few rows are held at a time, and all of them are of one moment.
    """
    with ledger.reading() as connection:
        streaming = connection.execution_options(yield_per=_AT_A_TIME)
        for table in metadata.sorted_tables:
            for column in table.columns:
                if isinstance(column.type, String):
                    yield from streaming.scalars(select(column).where(func.length(column) >= at_least))
