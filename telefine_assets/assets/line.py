"""What all assets of one program share: its settings, days, keys and look in the Dagster UI."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from telefine_assets.automation.conditions import ASKED_FOR, after_upstream
from telefine_assets.observing.observer import Observer
from telefine_assets.partitions import window
from telefine_assets.settings.schema import ProgramSettings


@dataclass(frozen=True)
class Line:
    """One program's line of assets, keyed ``[program, stage]``."""

    name: str
    settings: ProgramSettings
    first_day: date
    last_day: date | None
    partitions: dg.DailyPartitionsDefinition
    deployment: str
    observer: Observer
    """Sees what its stages do."""
    teacher: ProgramSettings | None = None
    """Settings of the program that ``compile.teacher_program`` names."""

    def key(self, stage: str) -> dg.AssetKey:
        """Key of a stage's asset."""
        return dg.AssetKey([self.name, stage])

    def look(self, stage: str, kinds: set[str], code_version: str) -> dict[str, Any]:
        """Arguments of ``dg.asset`` that are the same kind of thing for every stage."""
        return {
            "key": self.key(stage),
            "group_name": self.name,
            "owners": [self.settings.owner],
            "kinds": kinds,
            "code_version": code_version,
            "partitions_def": self.partitions,
            "tags": {"telefine/program": self.name, "telefine/stage": stage},
            "automation_condition": None if stage in ASKED_FOR else after_upstream(self.key("cleaned_traces")),
        }

    def same_day(self, stage: str) -> dg.AssetDep:
        """Dependency on the same day of another stage."""
        return dg.AssetDep(self.key(stage))

    def window_of(self, stage: str) -> dg.AssetDep:
        """Dependency on the lookback window of another stage, the day itself included."""
        mapping = dg.TimeWindowPartitionMapping(start_offset=-(self.settings.compile.lookback_days - 1))
        return dg.AssetDep(self.key(stage), partition_mapping=mapping)

    def taught_by(self) -> list[dg.AssetDep]:
        """Dependency on what serves of the program that teaches: decided by the day before, if there is one."""
        if self.settings.compile.teacher_program is None:
            return []
        day_before = dg.TimeWindowPartitionMapping(
            start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
        )
        key = dg.AssetKey([self.settings.compile.teacher_program, "champions"])
        return [dg.AssetDep(key, partition_mapping=day_before)]

    def days_of(self, stage: str, days: int) -> dg.AssetDep:
        """Dependency on so many days of another stage, the day itself included, as far as there are any."""
        mapping = dg.TimeWindowPartitionMapping(start_offset=1 - days, allow_nonexistent_upstream_partitions=True)
        return dg.AssetDep(self.key(stage), partition_mapping=mapping)

    def window(self, day: str) -> list[str]:
        """The days of the lookback window, oldest first."""
        return window(day, self.settings.compile.lookback_days, self.first_day)
