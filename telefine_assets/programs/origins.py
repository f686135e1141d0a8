"""Whether each demo was learnt from a train item: that day, or by the earlier candidate that it is inherited from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

Demos = Mapping[tuple[str, str], str]
"""The trace of each demo of a candidate, by the demo's predictor and digest."""
Sides = Mapping[str, str] | None
"""The side of each trace of some days; None where retention cut them, and nobody knows any more."""


class Origins:
    """The candidates of a program and what they were learnt from.

    A candidate that was not certified competes again the next day, and its demos with it, whose traces may
    have left the window by then. Each of them has to have been a train item before an
    earlier day whose candidate had the same demo of the same trace.

    Args:
        days: those that were compiled (YYYY-MM-DD), oldest first.
        demos: of a day's candidate.
        sides: of a day's window.
        sides_before: of all days up to one: how long its window was is not known any more.
    """

    def __init__(
        self,
        days: Sequence[str],
        demos: Callable[[str], Demos],
        sides: Callable[[str], Sides],
        sides_before: Callable[[str], Sides],
    ) -> None:
        self._days, self._demos, self._sides, self._sides_before = days, demos, sides, sides_before

    def problems(self, day: str) -> Iterator[str]:
        """A sentence for each demo of a day's candidate that comes from no train item."""
        for demo, trace_id in self._demos(day).items():
            side, learnt = self._learnt(demo, trace_id, day)
            if side != "train":
                yield f"demo from trace {trace_id}, which is {side}" + (f" on {learnt}" if learnt != day else "")

    def _learnt(self, demo: tuple[str, str], trace_id: str, day: str) -> tuple[str, str]:
        """The side of a demo's trace, and the day of the candidate that learnt it."""
        learnt, sides = day, self._sides(day)
        while sides is not None and trace_id not in sides:
            before = (each for each in reversed(self._days) if each < learnt)
            source = next((each for each in before if self._demos(each).get(demo) == trace_id), None)
            if source is None:
                return "unknown", day
            learnt, sides = source, self._sides_before(source)
        return "train" if sides is None else sides[trace_id], learnt
