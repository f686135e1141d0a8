"""Values as people read them: days, sizes, amounts. Exact wherever a digit counts."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction

from telefine_assets.attribution.addresses import is_checksummed
from telefine_assets.ledger.records import Token
from telefine_assets.pages.numbers import at_least as at_least
from telefine_assets.pages.numbers import gain as gain

_MONTHS = tuple(calendar.month_name)
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def long_day(day: str) -> str:
    """``2026-11-02`` as ``2 November 2026``."""
    found = date.fromisoformat(day)
    return f"{found.day} {_MONTHS[found.month]} {found.year}"


def short_day(day: str) -> str:
    """``2026-11-02`` as ``2 Nov 2026``."""
    found = date.fromisoformat(day)
    return f"{found.day} {_MONTHS[found.month][:3]} {found.year}"


def moment(ms: int) -> str:
    """Unix milliseconds as ``2026-11-02 14:05 UTC``."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def probability(p: str) -> str:
    """A p-value in two digits, rounded up so that it never reads smaller than it is: ``0.012``, ``1.2 × 10⁻⁸``."""
    from telefine_assets.deltaone.wording import p_text

    digits, _, power = p_text(float(Fraction(p)), 2).partition("E-")
    return f"{digits} × 10⁻{power.translate(_RAISED)}" if power else digits


def share(ppm: int) -> str:
    """Parts per million as a percentage, exactly: ``12.5 %``."""
    return f"{decimal(ppm, 4)} %"


def size(count: int) -> str:
    """Bytes: exactly below 1,000, then in three digits."""
    if count < 1_000:
        return f"{count} B"
    scaled, unit = (count / 1_000, "kB") if count < 1_000_000 else (count / 1_000_000, "MB")
    return f"{scaled:.3g} {unit}" if scaled < 1_000 else f"{scaled:,.0f} {unit}"


def decimal(units: int, decimals: int) -> str:
    """So many smallest units as a decimal number: every digit, no idle zeros."""
    whole, rest = divmod(units, 10**decimals)
    fraction = str(rest).rjust(decimals, "0").rstrip("0") if decimals else ""
    return f"{whole:,}.{fraction}" if fraction else f"{whole:,}"


@dataclass(frozen=True)
class Amount:
    """An amount of a token.

    Attributes:
        number: in whole tokens, exactly.
        symbol: what the token is called; a short form of its contract where the settings have no name for it.
        contract: the token's contract, where one is named.
        units: in the smallest unit.
    """

    number: str
    symbol: str
    contract: str | None
    units: str


def amount(units: int, token: Token, symbols: Mapping[str, str]) -> Amount:
    """``units`` of ``token``; ``symbols`` are those of known contracts."""
    contract = token.name if is_checksummed(token.name) else None
    symbol = token.name if contract is None else symbols.get(contract, f"{contract[:6]}…{contract[-4:]}")
    return Amount(decimal(units, token.decimals), symbol, contract, str(units))
