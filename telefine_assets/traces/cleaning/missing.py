"""What is not there, in words: expectations that a trace lacks, and names under which nobody said anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from telefine_assets.settings.traces import CleaningSettings
from telefine_assets.traces.cleaning.candidate import Candidate, Program, Row
from telefine_assets.traces.fields import Fields
from telefine_assets.traces.records import Assessment

_ARTICLE = {"expectation": "an", "feedback": "a"}


class NamesSaid:
    """The names under which something was said of a day's traces."""

    def __init__(self) -> None:
        """Begin with a day of which nothing was said."""
        self._names: dict[str, set[str]] = defaultdict(set)

    def add(self, assessed: Iterable[Assessment]) -> None:
        """Take up what was said of a trace."""
        for each in assessed:
            self._names[each.kind].add(each.name)

    def absent(self, day: str, settings: CleaningSettings) -> list[str]:
        """A sentence for each name in the settings that none of the day's traces has, while they have others.

        Where nothing of the kind was said at all, nobody has looked yet, and the names may well be right.
        """
        wanted = {
            "expectation": dict.fromkeys(settings.expectations.values()),
            "feedback": [each.feedback for each in settings.outcomes],
        }
        return [said for kind, names in wanted.items() for name in names for said in self._absent(day, kind, name)]

    def _absent(self, day: str, kind: str, name: str) -> Iterator[str]:
        other = "feedback" if kind == "expectation" else "expectation"
        there, nowhere = self._names[kind], f"no trace of {day} has {_ARTICLE[kind]} {kind} {name!r}"
        if name in there:
            return
        if name in self._names[other]:
            yield f"{nowhere}; there is {_ARTICLE[other]} {other} of that name"
        elif there:
            yield f"{nowhere}; there are: {', '.join(sorted(there))}"


def uncovered(fields: Fields, settings: CleaningSettings) -> list[str]:
    """The output fields without an expectation in the settings, where others have one: none of those counts then."""
    return [name for name in fields.outputs if name not in settings.expectations] if settings.expectations else []


def why_unlabelled(trace: Mapping[str, Any], fields: Fields, settings: CleaningSettings) -> str | None:
    """What is missing for the label of a stored trace; None if there is no more to say of it than of the rule."""
    program = Program(fields, settings)
    each = Candidate(Row(*(trace[name] for name in Row._fields)), program)
    lacking = [name for name, said in each.expectations.items() if not said]
    if not lacking or not settings.expectations:
        return None
    told = "; ".join(_lacks(name, settings.expectations.get(name), each.assessed) for name in lacking)
    every = "; all outputs need one" if len(fields.outputs) > 1 else ""
    accepted = "" if program.accept_ppm is None else ", and no score accepts what was answered"
    return f"{told}{every}{accepted}"


def _lacks(output: str, wanted: str | None, assessed: Iterable[Assessment]) -> str:
    if wanted is None:
        return f"cleaning.expectations names none for {output}"
    is_there = any((each.kind, each.name) == ("expectation", wanted) for each in assessed)
    return f"the expectation {wanted!r} (for {output}) {'has no value' if is_there else 'is missing'}"
