"""What can become of a contributor's trace: stable codes, never renamed or reused."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Code(StrEnum):
    """What became of a trace, in the order in which it is found out."""

    DROPPED = "dropped"
    NOT_CLEANED = "not_cleaned"
    HELD_OUT = "held_out"
    VALIDATION = "validation"
    UNRESOLVED = "unresolved"
    NOT_USED = "not_used"
    COPY = "copy"
    NO_WEIGHT = "no_weight"
    IN_ESCROW = "in_escrow"
    NOT_ATTESTED_YET = "not_attested_yet"
    NOT_REACHED = "not_reached"
    NOT_PAID_YET = "not_paid_yet"
    NOT_PAID = "not_paid"
    BELOW_DUST = "below_dust"
    PAID = "paid"


MEANINGS = {
    Code.DROPPED: "not paid: cleaning dropped it",
    Code.NOT_CLEANED: "not yet judged: its day was not cleaned since it was loaded",
    Code.HELD_OUT: "not paid: it is held out to measure gains, and no program may learn from it",
    Code.VALIDATION: "not paid: candidates are chosen by it, and show only traces of the train side",
    Code.UNRESOLVED: "not paid: its tag has the digits of this wallet but names none for certain",
    Code.NOT_USED: "not paid: no candidate shows it as a demo",
    Code.COPY: "not paid: a later copy; a content pays who gave it first",
    Code.NO_WEIGHT: "not paid: a demo, but worth nothing to its candidate beyond noise, or without quality",
    Code.IN_ESCROW: "held in escrow: nobody can be paid for it for certain",
    Code.NOT_ATTESTED_YET: "not yet paid: its candidate is not attested yet",
    Code.NOT_REACHED: "not paid: its candidate did not reach DeltaOne",
    Code.NOT_PAID_YET: "not yet paid: its candidate is attested, and the day's payout is to come",
    Code.NOT_PAID: "not paid: its candidate is attested, but the day pays nothing",
    Code.BELOW_DUST: "not paid: the wallet's share of the day is below the smallest amount that is paid",
    Code.PAID: "paid",
}
"""Each code in words, for the contributor."""

_ORDER = list(Code)
CREDITED = frozenset(_ORDER[_ORDER.index(Code.NOT_ATTESTED_YET) :])
"""The codes of a content that a day's weights give to the contributor himself."""


def best(codes: Iterable[Code]) -> Code:
    """The code that came farthest; ``not_used`` where there is none."""
    return max(codes, key=_ORDER.index, default=Code.NOT_USED)
