"""The story of a program's DeltaOnes as a picture: time to the right, certified gains upward.

Only places are computed here. Across, they are percentages, so that the picture is as
wide as the page and its letters as large as the page's; down, they are pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, floor

from telefine_assets.api.pages.words import gain, short_day

POINT = 10_000
"""Parts per million in a percentage point."""
TOP, BOTTOM, LANE, HEIGHT = 34, 214, 236, 276
"""Pixels from the top: the greatest gain, the least, the lane of looks, and the whole picture."""
MOST = 40
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100)
_EDGE = 14
_APART, _APART_NARROW = 12, 30
"""How far apart two labels stand at least, in percent of the width: on a screen, and on a phone."""


@dataclass(frozen=True)
class Gain:
    """A certified gain.

    Attributes:
        day: the day, YYYY-MM-DD.
        gain_ppm: on the holdout.
        lower_ppm: its lower confidence bound.
        kind: ``serving``, ``before`` (it served, or may have), ``revoked`` or ``awaiting``.
    """

    day: str
    gain_ppm: int
    lower_ppm: int
    kind: str


@dataclass(frozen=True)
class Tick:
    """A line of an axis with its words; ``minor`` ones have none where there is little room."""

    at: str
    text: str
    anchor: str = "middle"
    minor: bool = False


@dataclass(frozen=True)
class Mark:
    """A gain in the picture, by its place. A ``minor`` label is left out where there is little room."""

    left: str
    top: int
    foot: int
    kind: str
    title: str
    label: str
    anchor: str
    minor: bool


@dataclass(frozen=True)
class Picture:
    """All that is drawn.

    Attributes:
        marks: the gains, oldest first.
        looks: where looks stand that did not reach DeltaOne, with their titles.
        rungs: lines of the gains' axis.
        days: labels of the days' axis.
        threshold: where the least gain of a DeltaOne is.
    """

    marks: tuple[Mark, ...]
    looks: tuple[tuple[str, str], ...]
    rungs: tuple[Tick, ...]
    days: tuple[Tick, ...]
    threshold: int


def drawn(gains: Sequence[Gain], looks: Sequence[tuple[str, int]], threshold_ppm: int) -> Picture | None:
    """The picture of the newest ``MOST`` gains; None where there is none.

    Args:
        gains: oldest first.
        looks: days and numbers of looks that did not reach DeltaOne; empty for whoever may not know of them.
        threshold_ppm: the least gain of a DeltaOne.
    """
    shown = list(gains)[-MOST:]
    if not shown:
        return None
    since = date.fromisoformat(shown[0].day)
    seen = [(day, k) for day, k in looks if date.fromisoformat(day) >= since][-MOST:]
    days = _Days([each.day for each in shown] + [day for day, _ in seen])
    scale = _Scale(shown, threshold_ppm)
    places = [days.place(each.day) for each in shown]
    wide, narrow = _spaced(places, _APART), _spaced(places, _APART_NARROW)
    marks = [_mark(each, days, scale, n in wide, n not in narrow) for n, each in enumerate(shown)]
    return Picture(
        tuple(marks),
        tuple((days.at(day), f"{short_day(day)}: look {k} did not reach DeltaOne") for day, k in seen),
        scale.rungs(),
        days.ticks(),
        scale.at(threshold_ppm),
    )


def _spaced(places: Sequence[float], apart: float) -> set[int]:
    """Which marks have room for a label, the newest first: none stands nearer than ``apart`` to another."""
    kept: set[int] = set()
    for n in reversed(range(len(places))):
        if all(abs(places[n] - places[other]) >= apart for other in kept):
            kept.add(n)
    return kept


def _mark(each: Gain, days: _Days, scale: _Scale, labelled: bool, minor: bool) -> Mark:
    title = f"{short_day(each.day)}: {gain(each.gain_ppm)}, at least {gain(each.lower_ppm)}"
    top = scale.at(each.gain_ppm)
    return Mark(
        days.at(each.day),
        top,
        scale.at(each.lower_ppm) - top,
        each.kind,
        title,
        gain(each.gain_ppm) if labelled else "",
        days.anchor(each.day),
        minor,
    )


class _Days:
    """Days across, from 6 % to 94 %; one day alone stands in the middle."""

    def __init__(self, days: Sequence[str]) -> None:
        self._first, self._last = date.fromisoformat(min(days)), date.fromisoformat(max(days))

    def place(self, day: str) -> float:
        """Where a day is, in percent of the width."""
        span = (self._last - self._first).days
        passed = (date.fromisoformat(day) - self._first).days
        return 6 + 88 * passed / span if span else 50.0

    def at(self, day: str) -> str:
        """The same, as SVG writes it."""
        return f"{self.place(day):.2f}%"

    def anchor(self, day: str) -> str:
        """Which way a label leans, so that it stays within the picture."""
        place = self.place(day)
        return "start" if place < _EDGE else "end" if place > 100 - _EDGE else "middle"

    def ticks(self) -> tuple[Tick, ...]:
        """Up to five days with the same time between them; on a phone only the first and the last."""
        span = (self._last - self._first).days
        count = min(4, span)
        days = [(self._first + timedelta(span * step // max(count, 1))).isoformat() for step in range(count + 1)]
        ends = {0: "start", count: "end"} if count else {}
        return tuple(
            Tick(self.at(day), short_day(day), ends.get(step, "middle"), step not in (0, count))
            for step, day in enumerate(days)
        )


class _Scale:
    """Gains upward, from 0, or from the lowest bound below it, to the greatest."""

    def __init__(self, gains: Sequence[Gain], threshold_ppm: int) -> None:
        highest = max(threshold_ppm, *(each.gain_ppm for each in gains))
        lowest = min(0, *(each.lower_ppm for each in gains))
        step = next((each for each in _STEPS if (highest - lowest) <= 5 * each * POINT), _STEPS[-1])
        self._step = step * POINT
        self._low, self._high = floor(lowest / self._step), ceil(highest / self._step)

    def at(self, ppm: int) -> int:
        """Pixels from the top."""
        low, high = self._low * self._step, self._high * self._step
        return round(BOTTOM - (BOTTOM - TOP) * (ppm - low) / (high - low))

    def rungs(self) -> tuple[Tick, ...]:
        """Whole steps, in percentage points."""
        steps = range(self._low, self._high + 1)
        return tuple(
            Tick(str(self.at(n * self._step)), f"{n * self._step // POINT:+d} pp" if n else "0") for n in steps
        )
