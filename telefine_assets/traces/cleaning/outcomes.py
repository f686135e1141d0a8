"""What the feedback on one trace says, in parts per million of the range that was declared for it.

What a value of each shape counts as:

==============  ========================  ==================  ====================  ===================
value           number, stars             boolean             pass_fail             category
==============  ========================  ==================  ====================  ===================
true, false     the ends of the range     good, bad           good, bad             by its name, if any
finite number   its place, if in range    1 and 0 alone       1 and 0 alone         by its name, if any
text            ``text`` (even ``"1"``)   ``text``            pass/yes, fail/no     by its name, if any
null            ``null``                  ``null``            ``null``              ``null``
NaN, infinity   ``nan``, ``infinite``     the same            the same              the same
list, object    ``wrong_shape``           the same            the same              the same
==============  ========================  ==================  ====================  ===================

A word in this table in code style is the reason for which the value says
nothing and is passed over and counted; a number, a word or a name that the kind
does not know is an ``unknown_category``. With ``direction: lower`` the scale is
mirrored: good is always a million.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from telefine_assets.settings.traces import OutcomeSettings
from telefine_assets.traces.cleaning.reading import read_said
from telefine_assets.traces.records import Assessment, json_text

PPM: Final = 1_000_000
_REMEMBERED: Final = 10_000
_VERDICTS: Final = {"pass": True, "yes": True, "fail": False, "no": False}


class Reading(NamedTuple):
    """What one value says."""

    ppm: int | None
    """Where it stands between bad (0) and good (a million), or None."""
    note: str | None = None
    """Why it says nothing, or ``clipped``."""


class Outcome(NamedTuple):
    """What all raters together said of a trace under one name."""

    ppm: int | None
    """None: nothing, which is not zero."""
    spread: int | None
    """The distance between the raters farthest apart; None with fewer than two."""
    out_of_range: bool
    """Whether a rater said what the settings call impossible, and the trace must go."""


class Notes:
    """How many values were passed over, by feedback and reason, and how many were clipped."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.counts: Counter[tuple[str, str]] = Counter()

    def ignored(self) -> dict[str, dict[str, int]]:
        """Feedback -> reason -> number of values."""
        found: dict[str, dict[str, int]] = {}
        for (feedback, note), count in sorted(self.counts.items()):
            if note != "clipped":
                found.setdefault(feedback, {})[note] = count
        return found

    def clipped(self) -> dict[str, int]:
        """Feedback -> number of values that were moved to the nearer end of the range."""
        return {feedback: count for (feedback, note), count in sorted(self.counts.items()) if note == "clipped"}


class OutcomeReader:
    """Reads the values of one feedback as its settings say."""

    def __init__(self, settings: OutcomeSettings) -> None:
        """Prepare for the feedback that the settings name."""
        self.settings = settings
        self._seen: dict[str | None, Reading] = {}
        self._categories = _by_name(settings.categories)

    def read(self, text: str | None) -> Reading:
        """What a value, as JSON text, says."""
        known = self._seen.get(text)
        if known is None:
            known = self._mirrored(self._read(read_said(text)))
            if len(self._seen) < _REMEMBERED:
                self._seen[text] = known
        return known

    def place_of(self, number: float) -> int | None:
        """Where a number on the feedback's own scale stands between bad and good."""
        return self._mirrored(self._number(number)).ppm

    def outcome(self, assessed: Iterable[Assessment], notes: Notes) -> Outcome:
        """What the raters say together. One rater is a source type with a source id, and its latest word counts."""
        settings = self.settings
        said: dict[tuple[str, str | None], tuple[tuple[int, str, str], Reading]] = {}
        for each in assessed:
            if each.kind != "feedback" or each.name != settings.feedback:
                continue
            permitted = not settings.sources or each.source_type in settings.sources
            reading = self.read(each.value) if permitted else Reading(None, "source")
            if reading.note is not None:
                notes.counts[settings.feedback, reading.note] += 1
            refused = reading.note == "out_of_range" and settings.out_of_range == "drop"
            if reading.ppm is None and not refused:
                continue
            rater, at = (each.source_type, each.source_id), _order(each)
            if rater not in said or said[rater][0] < at:
                said[rater] = at, reading
        latest = sorted(said.values(), key=lambda each: each[0])
        values = [reading.ppm for _, reading in latest if reading.ppm is not None]
        spread = max(values) - min(values) if len(values) > 1 else None
        return Outcome(self._combined(values), spread, out_of_range=len(values) < len(latest))

    def _combined(self, values: Sequence[int]) -> int | None:
        """One value for those of several raters, which come in the order of time."""
        if len(values) < 2:
            return values[0] if values else None
        how = self.settings.raters
        if self.settings.direction == "lower" and how in ("lowest", "highest"):
            # Named after the values as they were given, which stand the other way round here.
            how = "highest" if how == "lowest" else "lowest"
        return _COMBINE[how](values)

    def _mirrored(self, reading: Reading) -> Reading:
        if reading.ppm is None or self.settings.direction == "higher":
            return reading
        return Reading(PPM - reading.ppm, reading.note)

    def _read(self, value: Any) -> Reading:
        if value is None:
            return Reading(None, "null")
        if isinstance(value, (list, dict)):
            return Reading(None, "wrong_shape")
        if isinstance(value, float) and not math.isfinite(value):
            return Reading(None, "nan" if math.isnan(value) else "infinite")
        kind = self.settings.kind
        if kind == "category":
            return self._category(value)
        if isinstance(value, str):
            return self._word(value) if kind == "pass_fail" else Reading(None, "text")
        if isinstance(value, bool):
            return Reading(PPM if value else 0)
        if kind in ("boolean", "pass_fail"):
            return Reading(PPM if value == 1 else 0) if value in (0, 1) else Reading(None, "unknown_category")
        return self._number(value)

    def _word(self, value: str) -> Reading:
        verdict = _VERDICTS.get(_folded(value))
        return Reading(None, "unknown_category") if verdict is None else Reading(PPM if verdict else 0)

    def _category(self, value: Any) -> Reading:
        name = value if isinstance(value, str) else json_text(value)
        number = self.settings.categories.get(name, self._categories.get(_folded(name)))
        return Reading(None, "unknown_category") if number is None else self._number(number)

    def _number(self, value: float) -> Reading:
        low, high = self.settings.low, self.settings.high
        if low <= value <= high:
            return Reading(round((value - low) * PPM / (high - low)))
        if self.settings.out_of_range == "clip":
            return Reading(0 if value < low else PPM, "clipped")
        return Reading(None, "out_of_range")


def _order(assessment: Assessment) -> tuple[int, str, str]:
    """By time; two of one moment have an order too, so that the order of rows does not decide."""
    return assessment.create_time_ms, assessment.assessment_id or "", assessment.value or ""


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


def _by_name(categories: Mapping[str, float]) -> dict[str, float]:
    """Categories by their folded names, without those that only case and white space tell apart."""
    common = Counter(map(_folded, categories))
    return {_folded(name): value for name, value in categories.items() if common[_folded(name)] == 1}


def _median(values: Sequence[int]) -> int:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def _majority(values: Sequence[int]) -> int:
    """The commonest value; of several as common, the worst: a tie is no praise."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


_COMBINE: Final[Mapping[str, Callable[[Sequence[int]], int]]] = {
    "mean": lambda values: sum(values) // len(values),
    "median": _median,
    "lowest": min,
    "highest": max,
    "latest": lambda values: values[-1],
    "majority": _majority,
}
