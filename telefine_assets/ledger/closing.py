"""Closed days: what was decided about a day that reached DeltaOne stands.

Traces of such a day may still change, by late feedback or a tag. What was
certified, attested and paid does not: its items have retired, and computing it
again from other traces would only lose the record of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from telefine_assets.ledger.records import ClosedDay


def standing_or(
    closed: ClosedDay | None, stored: dict[str, Any] | None, make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """The stored record, if it is about the candidate of a closed day; else what ``make`` makes."""
    if closed is not None and stored is not None and stored.get("candidate") == closed.candidate:
        return stored
    return make()
