"""Odd days: the volume of traces, their mean score and their drop rate, beside a robust baseline.

A value is compared with the median of the days before, in units of their median
absolute deviation (the modified z-score of Iglewicz and Hoaglin, *How to Detect
and Handle Outliers*, 1993: 0.6745 (x - median) / MAD, odd beyond 3.5). Neither
moves when a few of those days were odd themselves.

- **Weeks.** A Sunday is no Monday: the median is that of the same weekday, and
  the deviations of all days, each from its own weekday's median, are pooled. With
  fewer than four of a weekday nothing is said of a volume; a rate is compared
  with all days then, if there are at least ten.
- **Quiet baselines.** Where the days hardly differ, MAD is zero or by luck too
  small. No day is steadier than chance: the deviation counts as no smaller than
  the sampling error of a day like this one: of a count its square root (Poisson),
  of a rate p over n traces sqrt(p (1 - p) / n), which also bounds that of the mean
  of scores between 0 and 1; p counts one more hit and one more miss, so that a rate
  that was always zero has one too.
- **Volumes** are compared on the scale of logarithms: half and twice are equally far.
- **Small matters.** A change below a least one is not told, however sure it is.
- **Streaks.** A day that is odd to the same side as the day before is not told again, unless
  it is much worse: half of what was ordinary, and twice as far beyond it.

Values and bounds are integers, rates in parts per million. Simulated on 30 weeks of
days (Poisson counts, normal and log-normal days, a weekly pattern, 30 to 3,000
traces a day), a measure called 1 to 3 of 1,000 ordinary days odd at 3.5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from math import expm1, isqrt, log1p
from statistics import median

PPM = 1_000_000
_SAME_WEEKDAY = 4
_ANY_DAY = 10
_LARGEST = 40.0
"""The logarithm of more traces than there are."""
_CONSISTENT = Fraction(14_826, 10_000)
"""Makes of a normal distribution's MAD its standard deviation."""


class Measure(StrEnum):
    """What is looked at."""

    VOLUME = "volume"
    """Traces of the day."""
    SCORE = "score"
    """Mean outcome score of the kept traces that have one, in ppm."""
    DROPS = "drops"
    """Share of the traces that cleaning dropped, in ppm. Only a rise is odd."""


@dataclass(frozen=True)
class Day:
    """A day's traces: ``traces`` came in, ``dropped`` of them were dropped, ``scored`` have the mean ``score_ppm``."""

    traces: int
    dropped: int
    scored: int
    score_ppm: int


@dataclass(frozen=True)
class Rules:
    """What counts as odd.

    Attributes:
        window_days: days before it that a day is compared with.
        threshold_milli: robust standard deviations, in thousandths.
        least_volume_percent: least change of the volume.
        least_ppm: least change of a rate.
        min_traces: rates of a day with fewer traces say nothing.
    """

    window_days: int
    threshold_milli: int
    least_volume_percent: int
    least_ppm: int
    min_traces: int


@dataclass(frozen=True)
class Odd:
    """A value that is odd.

    Attributes:
        measure: of what.
        day: ``YYYY-MM-DD``.
        value: traces, or ppm.
        usual: what was to be expected, in the same unit.
        low: from here to ``high`` it would not be odd.
        high: see ``low``.
        weekday: whether it was compared with the same weekday alone.
    """

    measure: Measure
    day: str
    value: int
    usual: int
    low: int
    high: int
    weekday: bool


def odd_values(days: Mapping[str, Day], day: str, rules: Rules) -> list[Odd]:
    """What is odd about a day that the day before was not odd in already.

    Args:
        days: every day that is known, by date; those of the window before ``day`` and the one before are used.
        day: which of them is looked at.
        rules: what counts as odd.
    """
    return list(_new(days, day, rules))


def _new(days: Mapping[str, Day], day: str, rules: Rules) -> Iterator[Odd]:
    before = _back(day, 1)
    for measure in Measure:
        found = _odd(days, day, measure, rules)
        earlier = _odd(days, before, measure, rules) if found else None
        if found and not (earlier and _lasts(earlier, found)):
            yield found


def _lasts(earlier: Odd, found: Odd) -> bool:
    """Whether a day is odd as the day before it was, to the same side and not much worse: an outage is no dip."""
    if (earlier.value > earlier.usual) != (found.value > found.usual):
        return False
    width = found.usual - found.low if found.value < found.low else found.high - found.usual
    return 2 * _beyond(found) <= 4 * _beyond(earlier) + width


def _beyond(odd: Odd) -> int:
    return odd.low - odd.value if odd.value < odd.low else odd.value - odd.high


def _odd(days: Mapping[str, Day], day: str, measure: Measure, rules: Rules) -> Odd | None:
    window = (_back(day, back) for back in range(rules.window_days, 0, -1))
    history = {each: found for each in window if (found := _value(days.get(each), measure, rules)) is not None}
    value, baseline = _value(days.get(day), measure, rules), _baseline(history, day, measure)
    if value is None or baseline is None:
        return None
    low, high = _bounds(baseline, days[day], measure, rules)
    if low <= value <= high or (measure is Measure.DROPS and value < low):
        return None
    return Odd(measure, day, value, _usual(baseline, measure), low, high, baseline.weekday)


def _value(day: Day | None, measure: Measure, rules: Rules) -> int | None:
    if day is None:
        return None
    if measure is Measure.VOLUME:
        return day.traces
    if measure is Measure.SCORE:
        return day.score_ppm if day.scored >= rules.min_traces else None
    return day.dropped * PPM // day.traces if day.traces >= rules.min_traces else None


@dataclass(frozen=True)
class _Baseline:
    """Median and deviation of ``days`` values; of a volume on the scale of logarithms."""

    centre: Fraction
    deviation: Fraction
    weekday: bool


def _baseline(history: Mapping[str, int], day: str, measure: Measure) -> _Baseline | None:
    """What a day is compared with; None with too little to compare with."""
    scaled = {each: _log(value) if measure is Measure.VOLUME else value for each, value in history.items()}
    by_weekday: dict[int, list[int]] = defaultdict(list)
    for each, value in scaled.items():
        by_weekday[date.fromisoformat(each).weekday()].append(value)
    same = by_weekday[date.fromisoformat(day).weekday()]
    if len(same) >= _SAME_WEEKDAY:
        return _of(same, [group for group in by_weekday.values() if len(group) >= _SAME_WEEKDAY], True)
    if measure is Measure.VOLUME or len(scaled) < _ANY_DAY:
        return None
    return _of([*scaled.values()], [[*scaled.values()]], False)


def _of(same: Sequence[int], groups: Sequence[Sequence[int]], weekday: bool) -> _Baseline:
    away = [abs(each - centre) for group in groups for centre in [_median(group)] for each in group]
    # Few values lie nearer to their own median than the next one will.
    return _Baseline(_median(same), _median(away) * _CONSISTENT * (1 + Fraction(2, len(same))), weekday)


def _bounds(baseline: _Baseline, day: Day, measure: Measure, rules: Rules) -> tuple[int, int]:
    """The least and the largest value that is not odd."""
    usual, width = _usual(baseline, measure), baseline.deviation * rules.threshold_milli / 1000
    chance = _sampling_error(usual, day, measure) * rules.threshold_milli // 1000
    if measure is Measure.VOLUME:
        least = max(chance, usual * rules.least_volume_percent // 100)
        return (
            max(0, min(_count(baseline.centre - width), usual - least)),
            max(_count(baseline.centre + width), usual + least),
        )
    widest = max(round(width), chance, rules.least_ppm)
    return max(0, usual - widest), min(PPM, usual + widest)


def _usual(baseline: _Baseline, measure: Measure) -> int:
    return _count(baseline.centre) if measure is Measure.VOLUME else round(baseline.centre)


def _log(count: int) -> int:
    return round(log1p(count) * PPM)


def _count(scaled: Fraction) -> int:
    return round(expm1(min(float(scaled / PPM), _LARGEST)))


def _median(values: Sequence[int | Fraction]) -> Fraction:
    return Fraction(median(Fraction(each) for each in values))


def _sampling_error(usual: int, day: Day, measure: Measure) -> int:
    """The standard deviation that chance alone gives a day of this size."""
    if measure is Measure.VOLUME:
        return isqrt(usual) + 1
    n = day.traces if measure is Measure.DROPS else day.scored
    hits = usual * n // PPM + 1
    return isqrt(PPM * PPM * hits * (n + 2 - hits) // (n + 2) ** 2 // n)


def _back(day: str, days: int) -> str:
    return (date.fromisoformat(day) - timedelta(days=days)).isoformat()
