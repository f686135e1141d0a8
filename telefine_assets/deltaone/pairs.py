"""The resolved pairs of a comparison, as integers in the metric's good direction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from telefine_assets.deltaone.records import HIGHER, PPM, UNPARSABLE, PairedItem, RecordError, Rules
from telefine_assets.deltaone.statistics import bonett_price_interval, clustered_interval, clustered_variance


@dataclass(frozen=True)
class Pairs:
    """The pairs that both programs answered, in the order of their item digests.

    Attributes:
        baseline: the baseline's scores in ppm.
        candidate: the candidate's scores in ppm.
        gains: candidate against baseline in ppm; positive is better, for a loss too.
        groups: the group of each pair.
    """

    baseline: tuple[int, ...] = ()
    candidate: tuple[int, ...] = ()
    gains: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.gains)

    @property
    def group_sizes(self) -> list[int]:
        """Pairs in each group."""
        return list(Counter(self.groups).values())

    @property
    def binary(self) -> bool:
        """Whether every score is right or wrong."""
        return {*self.baseline, *self.candidate} <= {0, PPM}

    @property
    def clustered(self) -> bool:
        """Whether some group holds more than one pair."""
        return len(set(self.groups)) < self.n

    @property
    def wins(self) -> int:
        """Pairs on which the candidate is better."""
        return sum(gain > 0 for gain in self.gains)

    @property
    def losses(self) -> int:
        """Pairs on which the candidate is worse."""
        return sum(gain < 0 for gain in self.gains)


def worst_score(direction: str) -> int:
    """The score of an answer that could not be read: for a loss, the largest loss."""
    return 0 if direction == HIGHER else PPM


def scores_of(row: PairedItem, direction: str) -> tuple[int, int]:
    """Scores of baseline and candidate as they count, in ppm; only for a resolved row.

    An unparsable answer has the worst score whatever was recorded for it: a
    recorded 0 would make it a perfect answer wherever lower is better.
    """
    worst = worst_score(direction)
    baseline = worst if row.baseline_error == UNPARSABLE else row.baseline_ppm
    candidate = worst if row.candidate_error == UNPARSABLE else row.candidate_ppm
    if baseline is None or candidate is None:
        raise RecordError(f"Item {row.item} is unresolved and has no pair of scores.")
    return baseline, candidate


def gain_of(row: PairedItem, direction: str) -> int:
    """Candidate against baseline in ppm; positive is better, for a loss too."""
    baseline, candidate = scores_of(row, direction)
    return candidate - baseline if direction == HIGHER else baseline - candidate


def pairs_of(rows: Iterable[PairedItem], rules: Rules) -> Pairs:
    """The resolved pairs of ``rows``, ordered by item."""
    kept = sorted((row for row in rows if row.resolved), key=lambda row: row.item)
    scores = [scores_of(row, rules.direction) for row in kept]
    return Pairs(
        baseline=tuple(old for old, _ in scores),
        candidate=tuple(new for _, new in scores),
        gains=tuple(gain_of(row, rules.direction) for row in kept),
        groups=tuple(row.group for row in kept),
    )


def regressed(rows: Iterable[PairedItem], direction: str) -> list[PairedItem]:
    """The resolved rows on which the candidate is worse, ordered by item."""
    worse = (row for row in rows if row.resolved and gain_of(row, direction) < 0)
    return sorted(worse, key=lambda row: row.item)


def worst_case(rows: Sequence[PairedItem], rules: Rules) -> int:
    """The mean gain in ppm, rounded down, if every unresolved pair had gone wholly against the candidate.

    Raises:
        RecordError: when there are no rows.
    """
    if not rows:
        raise RecordError("There are no rows, so there is no worst case of them.")
    gains = pairs_of(rows, rules).gains
    return (sum(gains) - PPM * (len(rows) - len(gains))) // len(rows)


def observed_discordance(pairs: Pairs) -> int:
    """Share of differing pairs in ppm, or what is worth the same for planning.

    Graded or grouped pairs have the variance of right-or-wrong pairs with this
    discordance: n V(mean gain) + (mean gain)^2. It exceeds 1,000,000 when pairs of
    a group move together, and is 0 when nothing differs.
    """
    if not pairs.n:
        return 0
    if pairs.binary and not pairs.clustered:
        return (pairs.wins + pairs.losses) * PPM // pairs.n
    variance, groups = clustered_variance(pairs.gains, pairs.groups)
    if groups < 2:
        return 0
    mean = sum(pairs.gains) / pairs.n
    return round((pairs.n * variance + mean * mean) / PPM)


def interval_ppm(pairs: Pairs, alpha: Fraction) -> tuple[int, int]:
    """The two-sided interval of the mean gain at level 1 - 2 alpha, rounded outward to whole ppm.

    Bonett-Price for right or wrong answers that are independent; else by groups.
    """
    if pairs.binary and not pairs.clustered:
        low, high = bonett_price_interval(pairs.wins, pairs.losses, pairs.n, alpha)
        return floor(low * PPM), ceil(high * PPM)
    low, high = clustered_interval(pairs.gains, pairs.groups, alpha)
    return floor(low), ceil(high)
