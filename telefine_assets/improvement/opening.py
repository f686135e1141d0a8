"""Where a program's facts are read, of a store and a ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from telefine_assets.improvement.gathering import Records, Sources, Tables
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.ledger.spending import Spendings

if TYPE_CHECKING:
    from telefine_assets.attestation.standing import DayStanding


def sources_of(
    program: str, records: Records, tables: Tables, ledger: Ledger, standing: Callable[[str], DayStanding]
) -> Sources:
    """The sources of ``gather``; ``standing`` says what stands of a day."""
    history = Champions(ledger).history(program)
    return Sources(records, tables, history, Spendings(ledger).of, Payouts(ledger).of, standing)
