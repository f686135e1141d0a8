"""What a score is."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import Any

from telefine_assets.errors import TelefineError

PPM = 1_000_000


class MetricError(TelefineError):
    """A metric cannot be used, broke, or returned what is not a score."""


class CannotJudge(TelefineError):
    """Raised by a metric that cannot judge an item: it has no score, and is left out of comparisons.

    The message, short and without the item's contents, stands in the reports.
    """


def ppm_of(score: Any) -> int:
    """A score in parts per million, rounded half to even from its exact decimal value.

    A float is taken for the shortest decimal that reads back as it, so that
    ``k / n`` gives what the fraction gives.

    Args:
        score: a bool, or a number in [0, 1]; NumPy scalars and ``Decimal`` too.

    Raises:
        ValueError: for everything else: None, NaN, text, numbers out of range.
    """
    if getattr(score, "shape", None) == ():
        score = score.item()
    if not isinstance(score, (Real, Decimal)):
        raise ValueError("not a number")
    try:
        exact = Fraction(score if isinstance(score, (Rational, Decimal)) else repr(float(score)))
    except (ValueError, OverflowError):
        raise ValueError("not a finite number") from None
    if not 0 <= exact <= 1:
        raise ValueError("out of range")
    return round(exact * PPM)
