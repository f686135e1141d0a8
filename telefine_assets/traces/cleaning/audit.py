"""Whose labels the trusted rater found wrong too often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.settings.traces import AuditSettings
from telefine_assets.traces.cleaning.labels import is_rater, latest
from telefine_assets.traces.clusters import normalised
from telefine_assets.traces.records import Assessment


@dataclass(frozen=True)
class Checked:
    """What the trusted rater found about one contributor's labels."""

    checked: int
    wrong: int

    def __add__(self, other: Checked) -> Checked:
        """Both together."""
        return Checked(self.checked + other.checked, self.wrong + other.wrong)

    def careless(self, audit: AuditSettings | None) -> bool:
        """Whether so many of enough checked labels were wrong that the others cannot be trusted."""
        if audit is None or self.checked < audit.min_checked:
            return False
        return self.wrong * 100 > audit.max_wrong_percent * self.checked


class Audit:
    """Counts, over all traces of a day, what the trusted rater checked and found wrong."""

    def __init__(self, settings: AuditSettings | None) -> None:
        """Start at nothing."""
        self._settings = settings
        self._found: dict[str, Checked] = {}

    @property
    def found(self) -> dict[str, Checked]:
        """Contributor (the wallet, or the tag that names none) -> what was found."""
        return dict(sorted(self._found.items()))

    def careless(self, earlier: Mapping[str, Checked]) -> tuple[str, ...]:
        """Contributors whose unchecked labels cannot be trusted, with what was found ``earlier`` added in."""
        nothing = Checked(0, 0)
        names = sorted({*self._found, *earlier})
        totals = {who: self._found.get(who, nothing) + earlier.get(who, nothing) for who in names}
        return tuple(who for who, checked in totals.items() if checked.careless(self._settings))

    def add(self, who: str | None, about: Mapping[str, Sequence[tuple[Assessment, Any]]]) -> None:
        """Count a trace of ``who``'s, with the expectations on each output field.

        Labels are compared without case and white space, which no metric should hang on.
        """
        if self._settings is None or not who:
            return
        for said in about.values():
            rater = [each for each, _ in said if is_rater(each, self._settings)]
            others = [each for each, _ in said if not is_rater(each, self._settings)]
            if rater and others:
                values = {id(each): value for each, value in said}
                given, right = (normalised(values[id(latest(each))]) for each in (others, rater))
                self._found[who] = self._found.get(who, Checked(0, 0)) + Checked(1, int(given != right))
