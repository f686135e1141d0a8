"""The statistics of a paired comparison, as small pure functions.

Which test is used follows from the scores and the groups, never from the result:

* Scores all 0 or the whole scale, every pair its own group: exact McNemar. It
  is exact for "the candidate wins no more often than it loses" only when the
  pairs are independent.
* Otherwise, several pairs of one session or contributor count as one: the
  gains are summed per group, and the signs of the sums are flipped at random.
  With one pair a group and right-or-wrong scores this is McNemar again, so
  clustering generalises the rule and does not compete with it. The null is that
  baseline and candidate are exchangeable within each group.
* The flips are enumerated where the sums lie on a small lattice (right-or-wrong
  scores always do), and drawn from a seeded generator where they do not.

Everything here depends on the gains only through group sums, so the order of
rows cannot matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd, sqrt
from typing import TYPE_CHECKING

from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MCNEMAR = "mcnemar_exact"
FLIPS_EXACT = "sign_flip_exact"
FLIPS_SAMPLED = "sign_flip_sampled"

MAX_PERMUTATIONS = 5_000_000
"""Most random flips of one test: about a second for 1,000 groups, a minute for 50,000."""

_FLIPS_PER_ALPHA = 10
"""A sampled p-value moves in steps of 1 / flips: ten steps fit below the level."""

_LATTICE_SIZE = 1 << 18
_LATTICE_VALUES = 64
_LATTICE_ERROR = 1e-10
_CHUNK = 1 << 16


class StatisticsError(TelefineError):
    """A comparison that cannot be computed as asked."""


def spent_alpha(alpha: str, look: int) -> Fraction:
    """Level of the k-th look at one holdout: alpha / (k (k + 1)), exactly.

    The levels of all looks add up to alpha, because 1 / (k (k + 1)) telescopes
    to 1 - 1 / (k + 1): however many looks there are, the chance that any of
    them certifies a candidate without gain is at most alpha (union bound).

    Args:
        alpha: the whole error, a decimal string.
        look: k, from 1.
    """
    if look < 1:
        raise StatisticsError(f"Look {look}: looks are counted from 1.")
    return Fraction(alpha) / (look * (look + 1))


def mcnemar_p(wins: int, losses: int) -> float:
    """One-sided exact McNemar: P(W >= wins) for W ~ Binomial(wins + losses, 1/2).

    Ties say nothing and do not enter. Relative error about 1e-13 (scipy's binom).

    Source: McNemar 1947; Fagerland, Lydersen and Laake 2014 (Stat. Med. 33, 2850).
    """
    from scipy.stats import binom

    return float(binom.sf(wins - 1, wins + losses, 0.5))


def mcnemar_below(wins: int, losses: int, alpha: Fraction) -> bool:
    """Whether the exact McNemar p-value is strictly below ``alpha``.

    Where the float cannot tell, integers do: 4 wins of 4 has p = 1/16 exactly,
    which is not below 1/16.
    """
    p = mcnemar_p(wins, losses)
    if abs(p - float(alpha)) > 1e-9 * float(alpha):
        return p < float(alpha)
    return _exact_mcnemar_p(wins, losses) < alpha


def _exact_mcnemar_p(wins: int, losses: int) -> Fraction:
    """The p-value of ``mcnemar_p`` as a fraction; each way of losing is counted from the one before."""
    pairs, ways, total = wins + losses, 1, 0
    for lost in range(losses + 1):
        total += ways
        ways = ways * (pairs - lost) // (lost + 1)
    return Fraction(total, 1 << pairs)


def minimal_wins(discordant: Sequence[int] | NDArray[np.int64], alpha: Fraction) -> NDArray[np.int64]:
    """Fewest wins that exact McNemar accepts, for each number of discordant pairs.

    The test accepts if and only if wins >= this; a number above the discordant
    pairs means that no result can be accepted. Agrees with ``mcnemar_below``.
    """
    import numpy as np
    from scipy.stats import binom

    pairs = np.asarray(discordant, dtype=np.int64)
    level = float(alpha)
    wins = np.asarray(binom.isf(level, pairs, 0.5), dtype=np.int64) + 1
    for index in np.flatnonzero(abs(binom.sf(wins - 1, pairs, 0.5) - level) <= 1e-9 * level):
        # A tie with the level, which isf counts as accepted and the rule does not.
        wins[index] += not mcnemar_below(int(wins[index]), int(pairs[index] - wins[index]), alpha)
    return wins


def group_sums(gains: Iterable[int], groups: Iterable[str]) -> list[int]:
    """Sum of the gains in each group, in ppm, in the order of the sums."""
    sums: dict[str, int] = {}
    for gain, group in zip(gains, groups, strict=True):
        sums[group] = sums.get(group, 0) + gain
    return sorted(sums.values())


@dataclass(frozen=True)
class FlipResult:
    """The outcome of a sign-flip test.

    Attributes:
        p: one-sided p-value.
        below: whether p is strictly below the level.
        method: ``sign_flip_exact`` or ``sign_flip_sampled``.
        permutations: random flips drawn, 0 when enumerated.
    """

    p: float
    below: bool
    method: str
    permutations: int


def sign_flip_test(sums: Sequence[int], alpha: Fraction, permutations: int, seed: int) -> FlipResult:
    """One-sided test that the group sums are not symmetric about zero but above it.

    Args:
        sums: gain of each group in ppm.
        alpha: level of the look.
        permutations: fewest random flips; more are drawn when ``alpha`` needs
            them, because p cannot fall below 1 / (flips + 1).
        seed: seed of the flips.

    Source: Fisher 1935 (the randomisation test of paired differences); Dror et
    al. 2018 (ACL, its use on paired scores); Miller 2024 arXiv 2411.00640
    (questions of one cluster move together).
    """
    sizes = sorted(abs(s) for s in sums if s)
    if not sizes:
        return FlipResult(p=1.0, below=False, method=FLIPS_EXACT, permutations=0)
    unit = gcd(*sizes)
    steps = [s // unit for s in sizes]
    if sum(steps) < _LATTICE_SIZE and len(set(steps)) <= _LATTICE_VALUES:
        p = exact_flip_p(steps, sum(s for s in sums if s > 0) // unit)
        return FlipResult(p=p, below=p < float(alpha), method=FLIPS_EXACT, permutations=0)
    flips = min(max(permutations, ceil(_FLIPS_PER_ALPHA / alpha)), max(permutations, MAX_PERMUTATIONS))
    as_high = sampled_flips_as_high(sizes, sum(s for s in sums if s > 0), flips, seed)
    # The observed signs are one of the flips: without them p could be 0, and too small on average
    # (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9, 39).
    share = Fraction(1 + as_high, 1 + flips)
    return FlipResult(p=float(share), below=share < alpha, method=FLIPS_SAMPLED, permutations=flips)


def exact_flip_p(sizes: Sequence[int], positive: int) -> float:
    """P(sum of a random half of ``sizes`` >= ``positive``): every sign pattern counted.

    A pattern's sum is at least the observed one exactly if the sizes that it
    makes positive add up to at least the observed positive part. That number
    lies on 0..sum(sizes); its distribution is the product of characteristic
    functions, turned back by one FFT. Absolute error below 1e-10, which is added
    so that p is never too small.

    Args:
        sizes: absolute group sums in units of their greatest common divisor, none 0.
        positive: sum of those that are positive in the data, in the same unit.
    """
    import numpy as np

    total = sum(sizes)
    points = total + 1
    frequencies = np.arange(points // 2 + 1, dtype=np.int64)
    transform = np.ones(len(frequencies), dtype=np.complex128)
    values, counts = np.unique(np.asarray(sizes, dtype=np.int64), return_counts=True)
    for value, count in zip(values, counts, strict=True):
        # The angle is reduced as an integer, so that it stays exact for high frequencies.
        angle = (-2 * np.pi / points) * ((frequencies * value) % points)
        transform *= ((1 + np.exp(1j * angle)) / 2) ** count
    mass = np.clip(np.fft.irfft(transform, n=points), 0.0, None)
    return min(1.0, float(mass[positive:].sum()) + _LATTICE_ERROR)


def sampled_flips_as_high(sizes: Sequence[int], positive: int, flips: int, seed: int) -> int:
    """How many of ``flips`` random sign patterns sum to at least the observed sum.

    Sums are exact integers. Eight groups share one random byte, and the 256 sums
    of their halves are looked up: 10,000 flips of 100,000 groups take about a
    second and 60 MB. ``random_raw`` is used because numpy keeps a bit generator's
    raw stream the same across versions, which it does not promise of ``integers``.

    Args:
        sizes: absolute group sums in ppm, in ascending order, none 0.
        positive: sum of those that are positive in the data.
        flips: number of patterns.
        seed: seed of PCG64.
    """
    import numpy as np

    padded = np.zeros(-(-len(sizes) // 8) * 8, dtype=np.int64)
    padded[: len(sizes)] = sizes
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    tables = padded.reshape(-1, 8) @ bits.T.astype(np.int64)
    source = np.random.PCG64(seed)
    as_high = 0
    for start in range(0, flips, _CHUNK):
        count = min(_CHUNK, flips - start)
        sums = np.zeros(count, dtype=np.int64)
        for table in tables:
            raw = np.asarray(source.random_raw(-(-count // 8)), dtype="<u8")
            sums += table[raw.view(np.uint8)[:count]]
        as_high += int(np.count_nonzero(sums >= positive))
    return as_high


def bonett_price_interval(wins: int, losses: int, n: int, alpha: Fraction) -> tuple[float, float]:
    """Two-sided 1 - 2 alpha interval of the difference of two paired proportions.

    A Wald interval after one pair is added to the wins and one to the losses
    (two to n), cut at -1 and 1. Approximate: its coverage is near the nominal
    level from about n = 20 on, where that of the plain Wald interval is not.

    Returns:
        Lower and upper end as shares, positive where the wins prevail.

    Source: Bonett and Price 2012 (J. Educ. Behav. Stat. 37, 479), recommended by
    Fagerland, Lydersen and Laake 2014.
    """
    from scipy.stats import norm

    win, loss = (wins + 1) / (n + 2), (losses + 1) / (n + 2)
    centre = win - loss
    half = float(norm.isf(float(alpha))) * sqrt((win + loss - centre**2) / (n + 2))
    return max(-1.0, centre - half), min(1.0, centre + half)


def clustered_variance(gains: Sequence[int], groups: Sequence[str]) -> tuple[float, int]:
    """Cluster-robust variance of the mean gain, in squared ppm, and the number of groups.

    V = G / (G - 1) * sum over groups of (sum of the residuals in the group)^2 / n^2.
    With one pair a group it is the usual s^2 / n. Infinite for fewer than two groups.

    Source: Liang and Zeger 1986; Miller 2024 arXiv 2411.00640, section 2.2, with
    the factor G / (G - 1) for few groups.
    """
    n, total = len(gains), sum(gains)
    residuals: dict[str, int] = {}
    for gain, group in zip(gains, groups, strict=True):
        # n times the residual, an integer: gains that are all the same leave exactly nothing.
        residuals[group] = residuals.get(group, 0) + n * gain - total
    if len(residuals) < 2:
        return float("inf"), len(residuals)
    squares = sum(r * r for r in residuals.values())
    return squares / n**4 * len(residuals) / (len(residuals) - 1), len(residuals)


def clustered_interval(gains: Sequence[int], groups: Sequence[str], alpha: Fraction) -> tuple[float, float]:
    """Two-sided 1 - 2 alpha interval of the mean gain, in ppm, for grouped or graded scores.

    Student's t with G - 1 degrees of freedom on the cluster-robust standard error,
    cut at the whole scale. Approximate: too narrow with fewer than about 20 groups,
    or when a few groups hold most pairs (Cameron and Miller 2015).
    """
    from scipy.stats import t

    variance, count = clustered_variance(gains, groups)
    if count < 2:
        return -1e6, 1e6
    mean = sum(gains) / len(gains)
    half = float(t.isf(float(alpha), count - 1)) * sqrt(variance)
    return max(-1e6, mean - half), min(1e6, mean + half)
