"""What Dagster's storage says of the stages of a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telefine_assets.control.reading import ALL
from telefine_assets.control.records import StageState
from telefine_assets.partitions import daily

if TYPE_CHECKING:
    import dagster as dg

    from telefine_assets.settings import Settings


def stages_of(instance: dg.DagsterInstance, settings: Settings, program: str) -> list[StageState]:
    """The stages of a program, in the order of its line, and what stands beside it."""
    return [_stage_of(instance, settings, program, stage) for stage in ALL]


def _stage_of(instance: dg.DagsterInstance, settings: Settings, program: str, stage: str) -> StageState:
    import dagster as dg

    key, days = dg.AssetKey([program, stage]), daily(settings.partitions)
    found = instance.get_status_by_partition(key, days.get_partition_keys(), days) or {}
    by_status: dict[str, list[str]] = {}
    for day, status in sorted(found.items()):
        if status is not None:
            by_status.setdefault(status.value, []).append(day)
    made = sorted(instance.get_materialized_partitions(key))
    return StageState(
        stage=stage,
        last_day=made[-1] if made else None,
        materialised=len(made),
        failed=tuple(by_status.get("FAILED", ())),
        running=tuple(by_status.get("IN_PROGRESS", ())),
        at_ms=_made_at(instance, key, made[-1]) if made else None,
    )


def _made_at(instance: dg.DagsterInstance, key: dg.AssetKey, day: str) -> int | None:
    import dagster as dg

    newest = instance.fetch_materializations(dg.AssetRecordsFilter(asset_key=key, asset_partitions=[day]), limit=1)
    return round(newest.records[0].timestamp * 1000) if newest.records else None
