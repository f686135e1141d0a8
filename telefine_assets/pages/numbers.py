"""Numbers as people read them."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

_HUNDREDTH = Decimal("0.01")


def points(ppm: int, rounding: str = ROUND_DOWN, sign: bool = False) -> str:
    """Parts per million as percentage points with two decimals, rounded toward zero.

    Toward zero, so that 0.999 pp never reads 1.00 pp.
    """
    value = (Decimal(ppm) / 10_000).quantize(_HUNDREDTH, rounding=rounding)
    if not value:
        return "0.00"  # Never -0.00.
    return f"{value:+.2f}" if sign else f"{value:.2f}"


def gain(ppm: int) -> str:
    """A gain in percentage points with its sign, rounded toward zero: ``+8.18 pp``."""
    return f"{points(ppm, sign=True)} pp"


def at_least(ppm: int) -> str:
    """A lower bound in percentage points with its sign, rounded down: it is never told better than it is."""
    return f"{points(ppm, ROUND_FLOOR, sign=True)} pp"


def interval(lower_ppm: int, upper_ppm: int) -> str:
    """Both ends in percentage points with their signs, rounded outward."""
    return f"{points(lower_ppm, ROUND_FLOOR, sign=True)} to {points(upper_ppm, ROUND_CEILING, sign=True)} pp"


def whole_points(ppm: int) -> str:
    """A round number of points without idle zeros: ``1``, ``0.5``."""
    return f"{Decimal(ppm) / 10_000:f}"


def percent(share: Fraction, digits: int = 3) -> str:
    """A share as a percentage with so many significant digits, such as ``2.5 %``."""
    scaled = share * 100
    context = Context(prec=digits)
    value = context.divide(Decimal(scaled.numerator), Decimal(scaled.denominator))
    return f"{value.normalize(context):f} %"


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 item``, ``1,200 items``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def chance(ppm: int) -> str:
    """A probability in ppm as a percentage, such as ``80 %``."""
    return percent(Fraction(ppm, 1_000_000))
