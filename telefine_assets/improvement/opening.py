"""Where a program's facts are read, of a store and a ledger."""

from __future__ import annotations

from telefine_assets.improvement.gathering import Records, Sources, Tables
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.ledger.spending import Spendings


def sources_of(program: str, records: Records, tables: Tables, ledger: Ledger) -> Sources:
    """The sources of ``gather``."""
    return Sources(records, tables, Champions(ledger).history(program), Spendings(ledger).of, Payouts(ledger).of)
