"""One scale for the values of different feedbacks, with all that is needed to explain a score later.

A scale is made of the day's values of one feedback (parts per million of its
declared range) and holds integers only, so whoever has it stored computes the
same score from the same feedback: see :func:`explain`.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Final

from telefine_assets.settings.traces import CleaningSettings, OutcomeSettings
from telefine_assets.traces.cleaning.outcomes import PPM, Notes, OutcomeReader
from telefine_assets.traces.records import Assessment

_MIDDLE: Final = PPM // 2


@dataclass(frozen=True)
class Scale:
    """How one feedback's values of a day come to the common scale.

    ``range`` takes the place in the declared range; ``rank`` the share of the
    day's values below it, half of its equals counted in; ``zscore`` the normal
    distribution's share below it, for the day's mean and standard deviation.
    Where the day has nothing to compare with, the middle.
    """

    feedback: str
    method: str
    weight: int
    count: int
    """Traces of the day that have a value."""
    mean_ppm: int | None = None
    std_ppm: int | None = None
    values: tuple[int, ...] = ()
    """For ``rank``: the day's different values, going up."""
    counts: tuple[int, ...] = ()
    """How many traces have each."""
    imputed_ppm: int | None = None
    """What stands for a missing value, on the common scale."""

    def normalised(self, ppm: int) -> int:
        """The place on the common scale of a value on the declared range."""
        if self.method == "rank":
            return self._rank(ppm)
        if self.method == "zscore":
            return self._zscore(ppm)
        return ppm

    def of(self, ppm: int | None) -> int | None:
        """The same for a value that may be missing."""
        return self.imputed_ppm if ppm is None else self.normalised(ppm)

    def to_record(self) -> dict[str, Any]:
        """JSON form, without what the method does not use."""
        record = {"feedback": self.feedback, "method": self.method, "weight": self.weight, "count": self.count}
        more = {"mean_ppm": self.mean_ppm, "std_ppm": self.std_ppm, "imputed_ppm": self.imputed_ppm}
        ranks = {"values": list(self.values), "counts": list(self.counts)} if self.method == "rank" else {}
        return {**record, **{key: value for key, value in more.items() if value is not None}, **ranks}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Scale:
        """The scale of a stored report."""
        lists = {key: tuple(record[key]) for key in ("values", "counts") if key in record}
        return cls(**{**record, **lists})

    @cached_property
    def _up_to(self) -> list[int]:
        return [0, *accumulate(self.counts)]

    def _rank(self, ppm: int) -> int:
        if not self.count:
            return _MIDDLE
        below, not_above = (self._up_to[find(self.values, ppm)] for find in (bisect_left, bisect_right))
        return (below + not_above) * PPM // (2 * self.count)

    def _zscore(self, ppm: int) -> int:
        if not self.std_ppm or self.mean_ppm is None:
            return _MIDDLE
        deviation = (ppm - self.mean_ppm) / self.std_ppm
        return round(PPM * 0.5 * (1 + math.erf(deviation / math.sqrt(2))))


@dataclass(frozen=True)
class Part:
    """What one feedback adds to a score."""

    feedback: str
    range_ppm: int | None
    """On its declared range; None when nobody said anything."""
    normalised_ppm: int | None
    """On the common scale; None when it is left out."""
    weight: int


@dataclass(frozen=True)
class Explanation:
    """Where a score comes from."""

    parts: tuple[Part, ...]
    score_ppm: int | None


def score(scales: Sequence[Scale], values: Sequence[int | None]) -> int | None:
    """The weighted mean, rounded down, over the feedbacks that have a value; None when none has."""
    total = weights = 0
    for scale, ppm in zip(scales, values, strict=True):
        place = scale.of(ppm)
        if place is not None:
            total += scale.weight * place
            weights += scale.weight
    return total // weights if weights else None


def scales_of(settings: CleaningSettings, values: Sequence[Iterable[int]]) -> tuple[Scale, ...]:
    """The day's scales; ``values`` has for each outcome those of the traces that have one."""
    return tuple(
        _fitted(outcome, settings.normalise, Counter(each))
        for outcome, each in zip(settings.outcomes, values, strict=True)
    )


def settled_scales(settings: CleaningSettings) -> tuple[Scale, ...] | None:
    """The scales when they are the same on every day; None when the day's values decide."""
    by_day = settings.normalise != "range" or any(isinstance(each.impute, str) for each in settings.outcomes)
    return None if by_day else scales_of(settings, [()] * len(settings.outcomes))


def explain(
    assessed: Iterable[Assessment], settings: CleaningSettings, scales: Iterable[Mapping[str, Any]]
) -> Explanation:
    """The score of a trace again, from its assessments and the ``scales`` of the stored report."""
    said = [each for each in assessed if each.valid]
    stored = {scale.feedback: scale for scale in map(Scale.from_record, scales)}
    parts = []
    for outcome in settings.outcomes:
        scale = stored[outcome.feedback]
        ppm = OutcomeReader(outcome).outcome(said, Notes()).ppm
        parts.append(Part(outcome.feedback, ppm, scale.of(ppm), scale.weight))
    ordered = [stored[part.feedback] for part in parts]
    return Explanation(tuple(parts), score(ordered, [part.range_ppm for part in parts]))


def _fitted(outcome: OutcomeSettings, method: str, counts: Counter[int]) -> Scale:
    number, values = counts.total(), tuple(sorted(counts))
    known: dict[str, Any] = {"feedback": outcome.feedback, "method": method, "weight": outcome.weight, "count": number}
    if method == "rank":
        known |= {"values": values, "counts": tuple(counts[value] for value in values)}
    if method == "zscore" and number:
        total = sum(value * counts[value] for value in values)
        squares = sum(value * value * counts[value] for value in values)
        known |= {"mean_ppm": total // number, "std_ppm": math.isqrt((number * squares - total**2) // number**2)}
    return Scale(**known, imputed_ppm=_imputed(outcome, Scale(**known), counts))


def _imputed(outcome: OutcomeSettings, scale: Scale, counts: Counter[int]) -> int | None:
    if outcome.impute is None:
        return None
    if not isinstance(outcome.impute, str):
        declared = OutcomeReader(outcome).place_of(outcome.impute)
        return None if declared is None else scale.normalised(declared)
    if not counts:  # Nobody said anything all day: there is no mean to stand for it.
        return None
    places = sorted((scale.normalised(value), count) for value, count in counts.items())
    number = counts.total()
    if outcome.impute == "mean":
        return sum(place * count for place, count in places) // number
    up_to = list(accumulate(count for _, count in places))
    lower, upper = (places[bisect_right(up_to, at)][0] for at in ((number - 1) // 2, number // 2))
    return (lower + upper) // 2
