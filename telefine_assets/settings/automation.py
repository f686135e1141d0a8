"""Settings of what runs by itself: schedules, sensors, retries, time limits. All of it is off until it is turned on."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from telefine_assets.settings.group import Group

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_CRON_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _WEEKDAYS),
)
_TERM = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,2}))?", re.ASCII)


def _number(text: str, low: int, names: tuple[str, ...]) -> int:
    return low + names.index(text.lower()) if text.lower() in names else int(text)


def _values(term: str, low: int, high: int, names: tuple[str, ...]) -> set[int]:
    """What one term of a cron field names.

    Raises:
        ValueError: it is none, or names something out of range.
    """
    found = _TERM.fullmatch(term)
    if found is None:
        raise ValueError(term)
    first = low if found["first"] is None else _number(found["first"], low, names)
    last = high if found["first"] is None else first if found["last"] is None else _number(found["last"], low, names)
    step = int(found["step"] or 1)
    if not (low <= first <= last <= high and step >= 1) or (found["step"] and found["first"] and not found["last"]):
        raise ValueError(term)
    return set(range(first, last + 1, step))


def _cron(expression: str) -> str:
    """Five fields of numbers, names, ranges, lists and steps, as in POSIX crontab; at least one day must have them."""
    fields = expression.split(" ")
    if len(fields) != len(_CRON_FIELDS):
        raise ValueError("cron has five fields with one blank between them: minute hour day month weekday")
    values = []
    for field, (name, low, high, names) in zip(fields, _CRON_FIELDS, strict=True):
        try:
            values.append({each for term in field.split(",") for each in _values(term, low, high, names)})
        except ValueError:
            raise ValueError(f"cron: {field!r} is no {name} ({low} to {high})") from None
    if fields[4] == "*" and min(values[2]) > max(_LONGEST[month - 1] for month in values[3]):
        raise ValueError(f"cron: {expression!r} never comes: no such month has a day {min(values[2])}")
    return expression


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write one such as UTC or Europe/Berlin") from None
    return name


Cron = Annotated[str, AfterValidator(_cron)]
Zone = Annotated[str, AfterValidator(_zone)]
Hours = Annotated[float, Field(ge=0, le=8760, allow_inf_nan=False)]

_EVERY = {"daily": "0 3 * * *", "weekly": "0 3 * * 1", "monthly": "0 3 1 * *"}


class ScheduleSettings(Group):
    """When the whole line is made; each tick loads the days that are missing, and compiles on the last complete one."""

    every: Literal["daily", "weekly", "monthly"] | None = Field(
        None, description="At 03:00; weekly on Mondays, monthly on the first."
    )
    cron: Cron | None = Field(None, description="Instead of 'every': minute hour day month weekday.")
    timezone: Zone = Field("UTC", description="Of the clock by which it ticks; days are UTC days all the same.")
    enabled: bool = Field(False, description="Whether it ticks from the start; Dagster's UI can turn it on and off.")

    @model_validator(mode="after")
    def _one_of_both(self) -> ScheduleSettings:
        if self.every is not None and self.cron is not None:
            raise ValueError("name 'every' or 'cron', not both")
        return self

    @property
    def ticks(self) -> str:
        """The cron expression; daily unless something else is said."""
        return self.cron or _EVERY[self.every or "daily"]


class TraceVolumeSettings(Group):
    """A compile when enough has come in since the last one."""

    enabled: bool = Field(False, description="Whether the sensor ticks from the start.")
    new_traces: int | None = Field(200, ge=1, le=100_000_000, description="Usable traces since the last compile.")
    after_days: float | None = Field(
        None, gt=0, le=3650, description="Days since the last compile, if there is anything new."
    )
    need: Literal["either", "both"] = Field("either", description="Whether new_traces or after_days suffices alone.")
    min_spacing_hours: Hours = Field(12.0, description="Shortest time from one compile to the next.")
    every_minutes: float = Field(
        1.0, ge=0.05, le=1440, allow_inf_nan=False, description="How often is counted; one grouped query each time."
    )

    @model_validator(mode="after")
    def _something_decides(self) -> TraceVolumeSettings:
        if self.new_traces is None and self.after_days is None:
            raise ValueError("name new_traces, after_days or both")
        if self.need == "both" and None in (self.new_traces, self.after_days):
            raise ValueError("need: both: name new_traces and after_days")
        return self


class LateFeedbackSettings(Group):
    """Days whose traces changed since they were loaded are loaded again; what was certified stands."""

    enabled: bool = Field(False, description="Whether the sensor ticks from the start.")
    every_minutes: int = Field(60, ge=1, le=10_080, description="How often every trace of those days is compared.")
    look_back_days: int = Field(14, ge=1, le=366, description="How many of the latest days are compared.")


class SensorsSettings(Group):
    """What is asked for when something happened, not at a time."""

    traces: TraceVolumeSettings = TraceVolumeSettings()
    late_feedback: LateFeedbackSettings = LateFeedbackSettings()


class StandingFailuresSettings(Group):
    """Once a day: what failed, and was never made since."""

    enabled: bool = Field(False, description="Whether it looks from the start.")
    look_back_days: int = Field(30, ge=1, le=366, description="How old a failure may be.")


class AutomationSettings(Group):
    """What holds for everything that runs by itself."""

    follow_up: bool = Field(
        False, description="Whether DeltaOne and all that follows come after a compile by themselves."
    )
    watch_failures: bool = Field(False, description="Whether failures are told of, and transient ones run again.")
    max_retries: int = Field(2, ge=0, le=10, description="Further tries of a run that failed for a transient reason.")
    run_timeout_minutes: int | None = Field(
        None, ge=1, le=100_000, description="Dagster ends a run that lasts longer; none does when absent."
    )
    silent_worker_seconds: int = Field(
        60, ge=1, le=86_400, description="On Celery: a run is lost when no worker says for so long that it works at it."
    )
    standing_failures: StandingFailuresSettings = StandingFailuresSettings()

    @property
    def run_tags(self) -> dict[str, Any]:
        """Tags that every job's runs carry."""
        minutes = self.run_timeout_minutes
        return {} if minutes is None else {"dagster/max_runtime": str(minutes * 60)}
