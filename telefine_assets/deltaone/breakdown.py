"""What the paired rows say beside the decision: by kind of item, calibration, cost and latency.

Everything here describes and nothing decides. Slices are many, and nobody chose
them beforehand: their intervals are not corrected for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from telefine_assets.deltaone import wording
from telefine_assets.deltaone.pairs import Pairs, interval_ppm, pairs_of, scores_of
from telefine_assets.deltaone.records import HIGHER, PPM, PairedItem, Rules
from telefine_assets.deltaone.statistics import mcnemar_below, mcnemar_p

MOST_SLICES = 20
"""Most rows of a table by category or contributor; the rest are summed in one more."""
LEAST_FOR_INTERVAL = 10
"""Items below which a slice has no interval: it would be the whole scale."""
BINS = 10
REGRESSION_LEVEL = Fraction(1, 20)
"""Level of the test for regressions on retired items; it certifies nothing, so it is not shared out over looks."""

BASELINE, CANDIDATE = SIDES = ("baseline", "candidate")


@dataclass(frozen=True)
class Slice:
    """The resolved pairs of one kind; gains in ppm, positive is better.

    ``lower_ppm`` and ``upper_ppm`` are None where there are too few pairs;
    ``rest`` is how many kinds were summed up, 0 for a kind of its own.
    """

    name: str | None
    n: int
    wins: int
    losses: int
    ties: int
    gain_ppm: int
    lower_ppm: int | None
    upper_ppm: int | None
    rest: int = 0


def by(
    rows: Iterable[PairedItem], key: Callable[[PairedItem], str | None], rules: Rules, alpha: Fraction
) -> list[Slice]:
    """The resolved rows divided by ``key``, largest slice first; together they are all resolved rows.

    Args:
        rows: in any order.
        key: kind of a row; None when it has none.
        rules: for the metric's good direction.
        alpha: the intervals are two-sided, of level 1 - 2 alpha.
    """
    kinds: dict[str | None, list[PairedItem]] = {}
    for row in rows:
        if row.resolved:
            kinds.setdefault(key(row), []).append(row)
    ordered = sorted(kinds, key=lambda name: (-len(kinds[name]), name is None, name or ""))
    shown, rest = ordered[:MOST_SLICES], ordered[MOST_SLICES:]
    slices = [_slice(name, kinds[name], rules, alpha) for name in shown]
    if rest:
        slices.append(_slice(None, [row for name in rest for row in kinds[name]], rules, alpha, len(rest)))
    return slices


def _slice(name: str | None, rows: list[PairedItem], rules: Rules, alpha: Fraction, rest: int = 0) -> Slice:
    pairs = pairs_of(rows, rules)
    total, (low, high) = sum(pairs.gains), _interval(pairs, alpha)
    gain = total // pairs.n if total >= 0 else -(-total // pairs.n)
    ties = pairs.n - pairs.wins - pairs.losses
    return Slice(name, pairs.n, pairs.wins, pairs.losses, ties, gain, low, high, rest)


def _interval(pairs: Pairs, alpha: Fraction) -> tuple[int, int] | tuple[None, None]:
    """The interval that the decision has for pairs of this sort; None for too few."""
    few = pairs.n < LEAST_FOR_INTERVAL or len(set(pairs.groups)) < 2
    return (None, None) if few else interval_ppm(pairs, alpha)


def category_of(rows: Sequence[PairedItem], setting: str | None) -> str | None:
    """The field that divides the rows: the setting's, else the only label where it has 2 to 20 values, else None."""
    if setting is not None:
        return setting
    names = {name for row in rows for name in row.label}
    if len(names) != 1:
        return None
    (name,) = names
    return name if 2 <= len({_text(row.label.get(name)) for row in rows}) <= MOST_SLICES else None


def category_key(name: str) -> Callable[[PairedItem], str | None]:
    """A row's value of a field: what is right where it is an output, else what was asked."""

    def key(row: PairedItem) -> str | None:
        return _text(row.label.get(name, row.inputs.get(name)))

    return key


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


@dataclass(frozen=True)
class Bin:
    """Answers of which the program said much the same: from ``low_ppm`` on, how many, what it said and what was so."""

    low_ppm: int
    n: int
    said_ppm: int
    was_ppm: int


@dataclass(frozen=True)
class Calibration:
    """How a program's own probabilities compare with its scores, over ``n`` answers.

    ``brier_ppm`` is the mean squared difference (Brier 1950, Monthly Weather
    Review 78, 1), ``ece_ppm`` the mean difference of the bins, each by its size
    (expected calibration error; Guo et al. 2017, arXiv 1706.04599). 0 is best.
    """

    n: int
    bins: tuple[Bin, ...]
    brier_ppm: int
    ece_ppm: int


def calibration(rows: Iterable[PairedItem], side: str, rules: Rules) -> Calibration | None:
    """Calibration of one side by its measure ``confidence``, in ten bins; None where no answer has it."""
    answers = [
        (getattr(row, f"{side}_measures")["confidence"], _goodness(row, side, rules))
        for row in rows
        if row.resolved and "confidence" in getattr(row, f"{side}_measures")
    ]
    if not answers:
        return None
    binned: dict[int, list[tuple[int, int]]] = {}
    for said, was in answers:
        binned.setdefault(min(BINS - 1, said * BINS // PPM), []).append((said, was))
    n = len(answers)
    gap = sum(abs(sum(said - was for said, was in pairs)) for pairs in binned.values())
    return Calibration(
        n,
        tuple(_bin(at, pairs) for at, pairs in sorted(binned.items())),
        round(Fraction(sum((said - was) ** 2 for said, was in answers), n * PPM)),
        round(Fraction(gap, n)),
    )


def _bin(at: int, pairs: list[tuple[int, int]]) -> Bin:
    n = len(pairs)
    said, was = (round(Fraction(sum(values), n)) for values in zip(*pairs, strict=True))
    return Bin(at * PPM // BINS, n, said, was)


def _goodness(row: PairedItem, side: str, rules: Rules) -> int:
    """A side's score in the good direction, in ppm."""
    score = scores_of(row, rules.direction)[side == CANDIDATE]
    return score if rules.direction == HIGHER else PPM - score


@dataclass(frozen=True)
class Spread:
    """One measure of one side: over the ``known`` of ``n`` resolved answers that have it.

    ``median`` and ``p95`` are values that occurred (nearest rank).
    """

    n: int
    known: int
    total: int
    median: int
    p95: int


def spent(rows: Iterable[PairedItem], measure: str) -> dict[str, Spread | None]:
    """A measure by side; None where no answer of the side has it."""
    resolved = [row for row in rows if row.resolved]
    return {side: _spread([getattr(row, f"{side}_measures") for row in resolved], measure) for side in SIDES}


def _spread(measures: Sequence[dict[str, int]], name: str) -> Spread | None:
    values = sorted(each[name] for each in measures if name in each)
    if not values:
        return None
    known = len(values)
    return Spread(len(measures), known, sum(values), values[-(-known // 2) - 1], values[-(-known * 95 // 100) - 1])


def too_many_regressions(found: Mapping[str, Any], limit: int | None) -> str | None:
    """Why a candidate's regressions on retired items are too many, or None.

    Args:
        found: ``regressions`` of a record.
        limit: most of them that the settings allow, if any number is named.
    """
    count, wins, losses = found["count"], found["wins"], found["losses"]
    if limit is not None and count > limit:
        return f"The candidate is worse on {count:,}, and the rules allow {limit:,} (deltaone.max_regressions)."
    if mcnemar_below(losses, wins, REGRESSION_LEVEL):
        p = wording.p_text(mcnemar_p(losses, wins), 2)
        return f"The candidate is worse on {losses:,} and better on {wins:,}: more than chance explains (p = {p})."
    return None
