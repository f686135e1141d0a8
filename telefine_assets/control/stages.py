"""What Dagster's storage says of the stages of a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from telefine_assets.control.failing import failed_records
from telefine_assets.control.reading import ALL, every_day_of, line_of, state_of, steps_of
from telefine_assets.control.records import RunState, StageState
from telefine_assets.partitions import daily

if TYPE_CHECKING:
    import dagster as dg

    from telefine_assets.settings.schema import Settings

Pair = tuple[str, str]
"""A stage and a day."""


def stages_of(instance: dg.DagsterInstance, settings: Settings, program: str) -> list[StageState]:
    """The stages of a program, in the order of its line, and what stands beside it."""
    found = [_stage_of(instance, settings, program, stage) for stage in ALL]
    untried = _untried(instance, program, _missing(found))
    return [_sorted_out(each, untried) for each in found]


def failed_run(instance: dg.DagsterInstance, program: str, stages: Sequence[StageState]) -> RunState | None:
    """The newest run of a program whose failure stands: something that it was to make was not made since."""
    newest = next(_failed(instance, program, _missing(stages)), None)
    return state_of(instance, newest[0]) if newest else None


def _missing(stages: Sequence[StageState]) -> set[Pair]:
    """What failed runs were to make and did not."""
    return {(each.stage, day) for each in stages for day in (*each.failed, *each.untried)}


def _untried(instance: dg.DagsterInstance, program: str, missing: set[Pair]) -> set[Pair]:
    """What of it was never tried, because something before it failed. Dagster counts that as failed, too."""
    untried, left = set(), set(missing)
    for record, meant in _failed(instance, program, missing):
        stands = steps_of(instance, record.dagster_run.run_id) if meant & left else {}
        # A stage that had begun when its process died failed, too.
        untried |= {(stage, day) for stage, day in meant & left if stands.get(stage, "skipped") == "skipped"}
        left -= meant
        if not left:
            break
    return untried


def _failed(instance: dg.DagsterInstance, program: str, missing: set[Pair]) -> Iterator[tuple[dg.RunRecord, set[Pair]]]:
    """A program's failed runs that were to make something of what is ``missing``, and what; the newest first."""
    for record in failed_records(instance) if missing else ():
        found, stages = line_of(record.dagster_run)
        if found == program:
            meant = missing & {(stage, day) for stage in stages for day in every_day_of(record.dagster_run)}
            if meant:
                yield record, meant


def _sorted_out(stage: StageState, untried: set[Pair]) -> StageState:
    """A stage whose failed days are those at which it failed itself."""
    never = tuple(day for day in stage.failed if (stage.stage, day) in untried)
    return replace(stage, failed=tuple(day for day in stage.failed if day not in never), untried=never)


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
