"""When the trace-volume sensor asks, and for what: decided from plain values, without Dagster.

The way from new traces to a compile has two steps. First the days that have
new traces are loaded and cleaned, because only cleaning says which of them are
usable; no language model is asked for that. Then, when enough are, a compile.
So the compile is asked for at most two ticks after the last trace it needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from telefine_assets.canonical import canonical_json, digest_of
from telefine_assets.partitions import bounds_ms, days_from
from telefine_assets.settings.automation import TraceVolumeSettings

CURSOR_VERSION = 1
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
AFTER_FAILURE_MS = HOUR_MS
"""New traces change the watermark every tick: without a pause, a stage that is broken would fail every tick."""

Step = Literal["load", "compile"]


@dataclass(frozen=True)
class Day:
    """One day of the compile's window.

    Attributes:
        traces: how many the source has now.
        loaded: how many there were when the day was cleaned last.
        kept: how many of those are usable.
        made: number of the event that recorded the cleaning; None: never cleaned.
        broken: whether a check or a stage failed in the run that did.
    """

    traces: int = 0
    loaded: int = 0
    kept: int = 0
    made: int | None = None
    broken: bool = False

    @property
    def pending(self) -> int:
        """Traces that were never looked at."""
        return max(0, self.traces - self.loaded)


@dataclass(frozen=True)
class Compiled:
    """The last compile: when it ended (Unix milliseconds), the number of its event, usable traces it saw by day."""

    at_ms: int
    event: int
    kept: Mapping[str, int]


@dataclass(frozen=True)
class Seen:
    """What a tick sees.

    Attributes:
        target: the last day of the window, on which a compile would be made.
        days: every day of the window.
        compiled: the last compile; None: there was none.
        asked: watermarks that runs carry already.
        running: a run of the program that has not ended, or None.
        failed_at_ms: when the last run that the sensor asked for failed; None: it did not.
    """

    target: str
    days: Mapping[str, Day]
    compiled: Compiled | None = None
    asked: frozenset[str] = frozenset()
    running: str | None = None
    failed_at_ms: int | None = None

    @property
    def fresh(self) -> int:
        """Usable traces that no compile has seen."""
        before = self.compiled.kept if self.compiled else {}
        return sum(max(0, each.kept - before.get(day, 0)) for day, each in self.days.items())

    @property
    def pending(self) -> int:
        """Traces of which nobody knows yet whether they are usable."""
        return sum(each.pending for each in self.days.values())

    @property
    def waiting_since_ms(self) -> int | None:
        """From when on time counts: the last compile, or else the first day with traces."""
        if self.compiled:
            return self.compiled.at_ms
        first = min((day for day, each in self.days.items() if each.traces), default=None)
        return None if first is None else bounds_ms(first)[0]


@dataclass(frozen=True)
class Cursor:
    """What the sensor remembers from tick to tick; what it forgets is found in Dagster's runs and events again."""

    asked: tuple[str, ...] = field(default=())
    """The last watermarks asked for, oldest first."""
    compile_asked_ms: int | None = None

    def after(self, ask: Ask, now_ms: int) -> Cursor:
        """The cursor once ``ask`` was made."""
        at_ms = now_ms if ask.step == "compile" else self.compile_asked_ms
        return Cursor((*self.asked, ask.watermark)[-20:], at_ms)

    def to_json(self) -> str:
        """As Dagster keeps it."""
        values = {"version": CURSOR_VERSION, "asked": list(self.asked), "compile_asked_ms": self.compile_asked_ms}
        return canonical_json(values).decode()


@dataclass(frozen=True)
class Ask:
    """Runs to be asked for: one for each of ``days`` to compile, one for each stretch of them to load."""

    step: Step
    days: tuple[str, ...]
    watermark: str
    why: str


@dataclass(frozen=True)
class Wait:
    """Nothing to ask for, and why."""

    why: str


def read_cursor(text: str | None) -> tuple[Cursor, str | None]:
    """The cursor, and what is to be said when it cannot be used: then everything is derived anew."""
    if not text:
        return Cursor(), None
    try:
        values: Any = json.loads(text)
        if values["version"] != CURSOR_VERSION:
            return Cursor(), f"the cursor is of version {values['version']!r}, not {CURSOR_VERSION}: starting anew"
        asked, at_ms = values["asked"], values["compile_asked_ms"]
        if not all(isinstance(each, str) for each in asked) or not isinstance(at_ms, int | None):
            raise TypeError
        return Cursor(tuple(asked), at_ms), None
    except (ValueError, KeyError, TypeError):
        return Cursor(), "the cursor cannot be read: starting anew"


def decide(seen: Seen, settings: TraceVolumeSettings, cursor: Cursor, now_ms: int) -> Ask | Wait:
    """What to ask for now."""
    if seen.running:
        return Wait(f"run {seen.running} of the program has not ended")
    if (until := _spaced_until(seen, settings, cursor)) is not None and now_ms < until:
        return Wait(f"the next compile may come in {_hours(until - now_ms)} (min_spacing_hours)")
    if seen.failed_at_ms is not None and now_ms < seen.failed_at_ms + AFTER_FAILURE_MS:
        return Wait(
            f"the last run failed; nothing is asked for {_hours(seen.failed_at_ms + AFTER_FAILURE_MS - now_ms)}"
        )
    known = seen.asked | {*cursor.asked}
    asks = [ask for ask in (_compile(seen, settings, now_ms), _load(seen, settings, now_ms)) if ask]
    for ask in asks:
        if ask.watermark not in known:
            return ask
    return Wait(_why_not(seen, settings, asks))


def _spaced_until(seen: Seen, settings: TraceVolumeSettings, cursor: Cursor) -> int | None:
    last = max(seen.compiled.at_ms if seen.compiled else 0, cursor.compile_asked_ms or 0)
    return last + int(settings.min_spacing_hours * HOUR_MS) if last else None


def _enough(count: int, seen: Seen, settings: TraceVolumeSettings, now_ms: int) -> bool:
    """Whether ``count`` new traces, and the time that has passed, are reason enough."""
    if count == 0:
        return False
    since = seen.waiting_since_ms
    many = settings.new_traces is not None and count >= settings.new_traces
    long = settings.after_days is not None and since is not None and now_ms - since >= settings.after_days * DAY_MS
    return (many and long) if settings.need == "both" else (many or long)


def _compile(seen: Seen, settings: TraceVolumeSettings, now_ms: int) -> Ask | None:
    ready = seen.days[seen.target].made is not None and not _broken(seen)
    if not ready or not _enough(seen.fresh, seen, settings, now_ms):
        return None
    kept = {day: each.kept for day, each in seen.days.items()}
    state = {"step": "compile", "day": seen.target, "kept": kept, "after": seen.compiled.event if seen.compiled else 0}
    return Ask("compile", (seen.target,), digest_of(state), f"{seen.fresh} usable traces that no compile has seen")


def _load(seen: Seen, settings: TraceVolumeSettings, now_ms: int) -> Ask | None:
    """The days with unseen traces; the target's day too, without which nothing can be compiled."""
    if not _enough(seen.fresh + seen.pending, seen, settings, now_ms):
        return None
    days = {day: each for day, each in seen.days.items() if each.pending or (day == seen.target and each.made is None)}
    if not days:
        return None
    state = {"step": "load", "days": {day: [each.traces, each.made] for day, each in days.items()}}
    return Ask("load", tuple(sorted(days)), digest_of(state), f"{seen.pending} traces that were never looked at")


def _broken(seen: Seen) -> list[str]:
    return sorted(day for day, each in seen.days.items() if each.broken)


def _why_not(seen: Seen, settings: TraceVolumeSettings, asks: list[Ask]) -> str:
    if asks:
        return "was asked for and did not succeed; it is asked again when the traces change, or run it by hand"
    if broken := _broken(seen):
        return f"{', '.join(broken)}: a check or a stage failed when the day was cleaned; put it right and run it again"
    wanted = f"{settings.new_traces} new traces" if settings.new_traces else ""
    after = f"{settings.after_days:g} days" if settings.after_days else ""
    joined = (" and " if settings.need == "both" else " or ").join(filter(None, (wanted, after)))
    return f"{seen.fresh} new usable traces and {seen.pending} not looked at yet; asked for are {joined}"


def _hours(milliseconds: int) -> str:
    minutes = -(-milliseconds // 60_000)
    return f"{minutes // 60} h {minutes % 60} min"


def stretches(days: Iterable[str], longest: int = 31) -> list[tuple[str, str]]:
    """Days as stretches of consecutive ones, each ``(first, last)`` and at most ``longest`` days long."""
    found: list[tuple[str, str]] = []
    for day in sorted(set(days)):
        if found and len(together := days_from(found[-1][0], day)) <= longest and together[-2] == found[-1][1]:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
