"""What a holdout of a given size can show: the power of DeltaOne's rule, in closed form.

The rule asks for two things at once, a gain of at least the threshold and a
p-value below the look's level, and the power counts both. Of n independent
pairs scored right or wrong, a share ``discordance`` differs; a true gain g means
that wins are discordance / 2 + g / 2 of the pairs and losses the rest. Graded
scores have power much like right-or-wrong scores whose discordance equals the
variance of their gains.

A true gain of exactly the threshold is found about half the time, however many
pairs there are: half of all samples fall short of it. So there is no number of
items for it, and the functions say None.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from telefine_assets.deltaone.records import PPM
from telefine_assets.deltaone.statistics import StatisticsError, minimal_wins

MAX_ITEMS = 2_000_000
"""Largest number of items that a plan asks for."""

_TAIL_SIGMAS = 9.0
"""Discordant counts further out have a probability below 1e-18 in all."""


def rule_power(n: int, discordance_ppm: int, gain_ppm: int, alpha: Fraction, threshold_ppm: int) -> float:
    """Chance that the rule is reached when the true gain is ``gain_ppm``.

    Sums over every number m of discordant pairs, m ~ Binomial(n, discordance),
    the chance that wins ~ Binomial(m, (1 + gain / discordance) / 2) reach the
    fewest that satisfy McNemar and the threshold. Error below 1e-10.

    Args:
        n: pairs.
        discordance_ppm: share of pairs on which the programs differ. A gain
            beyond it needs more differing pairs: then all of them are wins.
        gain_ppm: true gain, negative for a loss.
        alpha: level of the look.
        threshold_ppm: least observed gain.
    """
    import numpy as np
    from scipy.stats import binom

    if n < 1:
        return 0.0
    differing = max(discordance_ppm, abs(gain_ppm)) / PPM
    if differing == 0:
        return 0.0
    centre, spread = n * differing, (n * differing * (1 - differing)) ** 0.5
    low = max(1, int(centre - _TAIL_SIGMAS * spread) - 30)
    high = min(n, ceil(centre + _TAIL_SIGMAS * spread) + 30)
    pairs = np.arange(low, high + 1)
    # (2 w - m) * PPM >= n * threshold, in integers: a gain of exactly the threshold is enough.
    for_threshold = -(-(pairs * PPM + n * threshold_ppm) // (2 * PPM))
    needed = np.maximum(minimal_wins(pairs, alpha), for_threshold)
    share = (1 + gain_ppm / PPM / differing) / 2
    return float(np.sum(binom.pmf(pairs, n, differing) * binom.sf(needed - 1, pairs, share)))


def required_n(discordance_ppm: int, gain_ppm: int, alpha: Fraction, threshold_ppm: int, power_ppm: int) -> int | None:
    """Pairs needed to find a true gain of ``gain_ppm`` with ``power_ppm``, or None.

    Found by bisection on ``rule_power``, which rises with n but for small teeth
    (whole wins): within a few items of where the power last crosses the target.
    None when no number up to ``MAX_ITEMS`` is enough.
    """
    target = power_ppm / PPM

    def enough(n: int) -> bool:
        # Three sizes, so that the tip of one tooth is not taken for the level.
        return all(rule_power(m, discordance_ppm, gain_ppm, alpha, threshold_ppm) >= target for m in (n, n + 1, n + 5))

    if gain_ppm <= threshold_ppm:
        return None
    high = 16
    while not enough(high):
        high *= 2
        if high > MAX_ITEMS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def detectable_gain(
    n: int, discordance_ppm: int, alpha: Fraction, threshold_ppm: int, power_ppm: int, step_ppm: int = 100
) -> int | None:
    """Smallest true gain, in ppm, that n pairs find with ``power_ppm``, or None.

    Rounded up to ``step_ppm`` (0.01 percentage points by default). None when even
    a candidate that wins every pair would not be found.
    """
    target = power_ppm / PPM

    def found(steps: int) -> bool:
        gain = min(PPM, steps * step_ppm)
        return rule_power(n, discordance_ppm, gain, alpha, threshold_ppm) >= target

    low, high = 0, ceil(PPM / step_ppm)
    if n < 1 or not found(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return min(PPM, high * step_ppm)


@dataclass(frozen=True)
class PowerRow:
    """The chance that one number of pairs shows a gain at one level."""

    alpha: Fraction
    n: int
    power_ppm: int


def table(
    gain_ppm: int, discordance_ppm: int, alphas: Sequence[str | Fraction], sizes: Sequence[int], threshold_ppm: int
) -> list[PowerRow]:
    """The rule's power for each level and, within it, each number of pairs; see ``rule_power``.

    Args:
        gain_ppm: true gain.
        discordance_ppm: share of pairs on which the programs differ.
        alphas: levels, each a fraction or a decimal string.
        sizes: numbers of pairs.
        threshold_ppm: least observed gain.
    """
    return [
        PowerRow(alpha, n, round(PPM * rule_power(n, discordance_ppm, gain_ppm, alpha, threshold_ppm)))
        for alpha in (Fraction(each) for each in alphas)
        for n in sizes
    ]


def effective_n(group_sizes: Iterable[int]) -> int:
    """Independent pairs that grouped pairs are worth at the least: n^2 / sum of squared sizes.

    The worst case, in which the pairs of a group all go the same way (Kish 1965
    with an intraclass correlation of 1). It needs no scores, so it may be published.
    """
    sizes = list(group_sizes)
    if any(size < 1 for size in sizes):
        raise StatisticsError("A group holds at least one pair.")
    return sum(sizes) ** 2 // sum(size * size for size in sizes) if sizes else 0
