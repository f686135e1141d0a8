"""Scores of usable traces, summed up so that days can be added: counts and whole numbers, nothing rounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

PPM = 1_000_000
BINS = 10


@dataclass(frozen=True)
class Scores:
    """Scores in parts per million, 0 to a million.

    Attributes:
        n: how many traces have one.
        total: their sum.
        squares: the sum of their squares.
        bins: how many there are in each tenth of the scale.
    """

    n: int = 0
    total: int = 0
    squares: int = 0
    bins: tuple[int, ...] = (0,) * BINS

    def __add__(self, other: Scores) -> Scores:
        """Both together."""
        bins = tuple(mine + theirs for mine, theirs in zip(self.bins, other.bins, strict=True))
        return Scores(self.n + other.n, self.total + other.total, self.squares + other.squares, bins)

    @property
    def binary(self) -> bool:
        """Whether every score is nothing or all: x * x = x * 1 for these alone."""
        return self.squares == self.total * PPM


def scores_of(rows: pa.Table) -> Scores:
    """Sum up the columns ``score_ppm`` and ``split``: rows that have a score and are not held out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    seen = rows.filter(pc.not_equal(rows["split"], "holdout"))["score_ppm"].drop_null().cast(pa.int64())
    if not len(seen):
        return Scores()
    tenths = pc.min_element_wise(pc.divide(seen, PPM // BINS), BINS - 1)
    found = {each["values"]: each["counts"] for each in pc.value_counts(tenths).to_pylist()}
    squares = pc.sum(pc.multiply_checked(seen, seen)).as_py()
    return Scores(len(seen), pc.sum(seen).as_py(), squares, tuple(found.get(each, 0) for each in range(BINS)))
