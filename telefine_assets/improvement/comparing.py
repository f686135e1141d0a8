"""What moved from one period to the next, and what chance explains.

Every test here takes traces for independent, which those of one session or one
contributor are not: it finds too much rather than too little. So it asks for
more than the usual twentieth: ``LEVEL`` is a hundredth. Nothing is decided by it;
what is certified is decided by DeltaOne alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, log, sqrt

from telefine_assets.improvement.scores import PPM, Scores

Z = 1.959963984540054
"""Of a two-sided interval of 95 %."""
LEVEL = 0.01
LEAST = 30
"""Fewer traces than this on either side are compared by nobody."""
SHIFTED_PPM = 100_000
"""A population stability index of 0.1: the rule of thumb from which a shift is worth a look."""


@dataclass(frozen=True)
class Estimate:
    """A share or a mean of ``n`` traces with its 95 % interval, in parts per million."""

    n: int
    ppm: int
    lower_ppm: int
    upper_ppm: int


@dataclass(frozen=True)
class Change:
    """Two estimates, and how often chance alone would set equals so far apart.

    ``chance_ppm`` is None where there is too little on either side.
    """

    name: str
    now: Estimate | None
    before: Estimate | None
    chance_ppm: int | None
    moved: bool

    @property
    def difference_ppm(self) -> int | None:
        """Now less before."""
        return None if self.now is None or self.before is None else self.now.ppm - self.before.ppm


@dataclass(frozen=True)
class Shift:
    """How far apart two distributions are: the population stability index, in ppm of one."""

    psi_ppm: int
    chance_ppm: int
    moved: bool


def share(part: int, whole: int) -> Estimate | None:
    """A share with its score interval (Wilson 1927, J. Am. Stat. Assoc. 22, 209); None of nothing."""
    if whole == 0:
        return None
    p, z = part / whole, Z * Z / whole
    middle, half = (p + z / 2) / (1 + z), sqrt(p * (1 - p) * z + z * z / 4) / (1 + z)
    return _estimate(whole, p, middle - half, middle + half)


def mean(scores: Scores) -> Estimate | None:
    """A mean with its interval: Wilson's where every score is 0 or 1, else the normal one; None of nothing."""
    if scores.n == 0:
        return None
    if scores.binary:
        return share(scores.total // PPM, scores.n)
    p, half = scores.total / scores.n / PPM, Z * sqrt(_variance(scores) / scores.n)
    return _estimate(scores.n, p, p - half, p + half)


def _estimate(n: int, p: float, lower: float, upper: float) -> Estimate:
    ends = (max(0, round(lower * PPM)), min(PPM, round(upper * PPM)))
    middle = round(p * PPM)
    return Estimate(n, middle, min(ends[0], middle), max(ends[1], middle))


def _variance(scores: Scores) -> float:
    """Of one score, as a share of the whole squared."""
    if scores.n < 2:
        return 0.25
    return (scores.squares * scores.n - scores.total**2) / (scores.n * (scores.n - 1)) / PPM**2


def share_change(name: str, now: tuple[int, int], before: tuple[int, int]) -> Change:
    """Compare two shares, each ``(part, whole)``: the two-sample z-test with the pooled share, two-sided."""
    estimates = share(*now), share(*before)
    if min(now[1], before[1]) < LEAST:
        return Change(name, *estimates, None, False)
    p = (now[0] + before[0]) / (now[1] + before[1])
    variance = p * (1 - p) * (1 / now[1] + 1 / before[1])
    return _changed(name, estimates, now[0] / now[1] - before[0] / before[1], variance)


def mean_change(name: str, now: Scores, before: Scores) -> Change:
    """Compare two means: two-sample z, two-sided, with each side's own variance (Welch 1947, for many traces).

    No side's variance counts as less than that of both together: of a few scores near the
    end of the scale all may be the same by chance, which says nothing of how they vary.
    """
    if now.binary and before.binary:
        return share_change(name, (now.total // PPM, now.n), (before.total // PPM, before.n))
    estimates = mean(now), mean(before)
    if min(now.n, before.n) < LEAST:
        return Change(name, *estimates, None, False)
    pooled = _variance(now + before)
    variance = sum(max(pooled, _variance(each)) / each.n for each in (now, before))
    return _changed(name, estimates, now.total / now.n / PPM - before.total / before.n / PPM, variance)


def _changed(
    name: str, estimates: tuple[Estimate | None, Estimate | None], difference: float, variance: float
) -> Change:
    # Without variance on either side, equals cannot differ at all.
    apart = sqrt(max(variance, 0)) or 1e-12
    chance = erfc(abs(difference) / apart / sqrt(2))
    return Change(name, *estimates, round(chance * PPM), chance < LEVEL)


def shift(now: Scores, before: Scores) -> Shift | None:
    """How much the distribution of scores moved; None with fewer than ``LEAST`` on a side.

    The population stability index over the tenths of the scale that anything is
    in, half a trace added to each so that an empty one is no infinity. Between
    equals, PSI / (1 / n + 1 / m) is about a chi-square with one degree of freedom
    less than there are tenths (Yurdakul and Naranjo 2020, J. Risk Model
    Validation 14, 4): that says how often chance does as much.
    """
    from scipy.stats import chi2

    if min(now.n, before.n) < LEAST:
        return None
    used = [(mine, theirs) for mine, theirs in zip(now.bins, before.bins, strict=True) if mine or theirs]
    sizes = tuple(each.n + len(used) / 2 for each in (now, before))
    shares = [((mine + 0.5) / sizes[0], (theirs + 0.5) / sizes[1]) for mine, theirs in used]
    psi = sum((p - q) * log(p / q) for p, q in shares)
    chance = float(chi2.sf(psi / (1 / now.n + 1 / before.n), len(used) - 1)) if len(used) > 1 else 1.0
    psi_ppm = round(psi * PPM)
    return Shift(psi_ppm, round(chance * PPM), psi_ppm >= SHIFTED_PPM and chance < LEVEL)
