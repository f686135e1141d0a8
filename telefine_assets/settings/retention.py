"""Settings of how long a deployment keeps what it does not need: ``retention``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from telefine_assets.settings.group import Group

if TYPE_CHECKING:
    from telefine_assets.settings.schema import ProgramSettings

_MOST_DAYS = 36_500


class RetentionSettings(Group):
    """After how many days something may go. What is left out stays for ever; nothing goes by itself."""

    traces_days: int | None = Field(
        None, ge=1, le=_MOST_DAYS, description="Stored traces: as loaded, cleaned and dropped, by their day."
    )
    artifacts_days: int | None = Field(
        None,
        ge=1,
        le=_MOST_DAYS,
        description="What compiles that came to nothing were made of (train sets, demos), by their day.",
    )
    runs_days: int | None = Field(
        None,
        ge=1,
        le=_MOST_DAYS,
        description="Finished runs of Dagster with their events, and the stages' MLflow runs.",
    )


def look_back(program: ProgramSettings) -> int:
    """Days of traces that a program may look at again: the window of the oldest day that late feedback remakes."""
    return program.compile.lookback_days + program.sensors.late_feedback.look_back_days


def check_retention(retention: RetentionSettings, programs: Mapping[str, ProgramSettings]) -> None:
    """Refuse rules under which a day would be made anew from less than it was made from.

    Raises:
        ValueError: naming the setting, and the least that it may be.
    """
    for name, program in programs.items():
        least = look_back(program)
        for key in type(retention).model_fields:
            days = getattr(retention, key)
            if days is not None and days < least:
                raise ValueError(
                    f"retention.{key} = {days}: program {name!r} looks back {least} days (compile.lookback_days and "
                    "sensors.late_feedback.look_back_days): keep at least so many"
                )
