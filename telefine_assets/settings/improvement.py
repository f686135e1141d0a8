"""Settings of the improvement report: when it is made by itself, and over how many days."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from telefine_assets.settings.automation import Cron, Zone
from telefine_assets.settings.group import Group

_EVERY = {"weekly": "0 7 * * 1", "monthly": "0 7 1 * *"}


class ImprovementSettings(Group):
    """What became of the program: a report over some days, against as many before."""

    enabled: bool = Field(False, description="Whether its schedule ticks from the start.")
    every: Literal["weekly", "monthly"] | None = Field(
        None, description="At 07:00, after the line's own schedule; weekly on Mondays, monthly on the first."
    )
    cron: Cron | None = Field(None, description="Instead of 'every': minute hour day month weekday.")
    timezone: Zone = Field("UTC", description="Of the clock by which it ticks; days are UTC days all the same.")
    days: int = Field(7, ge=1, le=92, description="Days that a report is about, its own the last of them.")

    @model_validator(mode="after")
    def _one_of_both(self) -> ImprovementSettings:
        if self.every is not None and self.cron is not None:
            raise ValueError("name 'every' or 'cron', not both")
        return self

    @property
    def ticks(self) -> str:
        """The cron expression; weekly unless something else is said."""
        return self.cron or _EVERY[self.every or "weekly"]
