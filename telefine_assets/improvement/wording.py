"""Numbers of the improvement report as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from telefine_assets.improvement.comparing import Estimate
from telefine_assets.improvement.scores import PPM
from telefine_assets.pages.numbers import points

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
SHORT = 12
"""Digits of a version that are enough to know it by."""


def percent(ppm: int) -> str:
    """``81.25 %``."""
    return f"{points(ppm)} %"


def between(estimate: Estimate | None) -> str:
    """``81.25 % (78.10 to 84.02)``, or a dash for nothing."""
    if estimate is None:
        return "-"
    return f"{percent(estimate.ppm)} ({points(estimate.lower_ppm)} to {points(estimate.upper_ppm)})"


def chance(ppm: int) -> str:
    """A probability: ``12 %``, or below what is worth telling apart."""
    if ppm < PPM // 1000:
        return "below 0.1 %"
    return f"{Decimal(ppm) / 10_000:.2g} %" if ppm < PPM // 10 else f"{round(ppm / 10_000)} %"


def dollars(micros: int | None) -> str:
    """Micro-dollars: ``$1.23``, ``$0.0042``; what costs nothing is ``$0.00``."""
    if micros is None:
        return "unknown"
    value = Decimal(micros) / PPM
    return f"${value:,.2f}" if micros >= PPM // 100 or not micros else f"${value.normalize():f}"


def time(milliseconds: int) -> str:
    """``2 h 3 min``, ``45 s``: the two largest units."""
    left = round(milliseconds / 1000)
    parts: list[str] = []
    for seconds, name in _UNITS:
        if left >= seconds or (name == "s" and not parts):
            parts.append(f"{left // seconds} {name}")
            left %= seconds
    return " ".join(parts[:2])


def amount(units: int, decimals: int, token: str, digits: int | None = None) -> str:
    """Smallest units of a token as ``12.5 TOK``: exactly, or with so many ``digits`` after the point and a mark."""
    whole, rest = divmod(units, 10**decimals)
    fraction = f"{rest:0{decimals}d}".rstrip("0") if decimals else ""
    shown = fraction[:digits]
    return f"{whole:,}{'.' if shown else ''}{shown}{'' if shown == fraction else '…'} {token}"


def a_day(total: int, days: int) -> str:
    """A mean a day with one decimal."""
    if not days:
        return "-"
    return f"{(Decimal(total) / days).quantize(Decimal('0.1'), rounding=ROUND_HALF_EVEN):,}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """``a, b and 3 more``."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
