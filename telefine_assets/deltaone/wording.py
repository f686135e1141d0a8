"""Numbers and sentences for people: shared by the decision, its report and its figures."""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction

from telefine_assets.deltaone.records import Guardrail, Rules
from telefine_assets.pages.numbers import chance as chance
from telefine_assets.pages.numbers import count as count
from telefine_assets.pages.numbers import interval as interval
from telefine_assets.pages.numbers import percent as percent
from telefine_assets.pages.numbers import points as points
from telefine_assets.pages.numbers import whole_points as whole_points

_UNITS = {"latency_ms": "ms", "cost_micros": "millionths of the currency", "tokens": "tokens"}


def p_text(p: float, digits: int = 6) -> str:
    """A p-value with so many significant digits, rounded up so that it never reads smaller than it is."""
    return str(Context(prec=digits, rounding=ROUND_CEILING).plus(Decimal(p)).normalize())


def amount(value: int, measure: str) -> str:
    """A measured value with its unit, exactly: ``3,000 ms``, ``99.9 %``."""
    return f"{value:,} {_UNITS[measure]}" if measure in _UNITS else percent(Fraction(value, 1_000_000), 12)


def bound(rail: Guardrail) -> str:
    """What a guardrail asks for: ``at least 99 %``."""
    measure, asked = rail.measure, []
    if rail.at_least is not None:
        asked.append(f"at least {amount(rail.at_least, measure)}")
    if rail.at_most is not None:
        asked.append(f"at most {amount(rail.at_most, measure)}")
    if rail.max_worse is not None:
        apart = amount(rail.max_worse, measure) if measure in _UNITS else f"{whole_points(rail.max_worse)} pp"
        asked.append(f"worse than the baseline's by at most {apart}")
    return " and ".join(asked)


def detectable_sentence(detectable_ppm: int | None, power_ppm: int, planned_discordance_ppm: int) -> str:
    """What the holdout could have shown; rests on the plan and on no score."""
    if detectable_ppm is None:
        return "No gain, however large, could have been shown with so few items at this look."
    return (
        f"A true gain of {points(detectable_ppm)} pp or more would have been found with a chance of "
        f"{chance(power_ppm)}, if the programs differ on {chance(planned_discordance_ppm)} of the items."
    )


def plan_sentence(needed: int | None, gain_ppm: int, discordance: str, rules: Rules, next_look: int) -> str:
    """How many pairs the next look needs."""
    if needed is None:
        return (
            f"A true gain of {points(gain_ppm)} pp is too near the threshold of "
            f"{points(rules.threshold_ppm)} pp for any number of items: choose a better candidate on validation."
        )
    return (
        f"To find a true gain of {points(gain_ppm)} pp with a chance of {chance(rules.power_ppm)} at look "
        f"{next_look}, collect {count(needed, 'resolved pair')} ({discordance})."
    )
