"""Numbers of Dagster for metrics: its daemon, its queue, and failures that stand."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from telefine_assets.control.instance import heartbeats
from telefine_assets.control.records import DagsterFigures

if TYPE_CHECKING:
    import dagster as dg

    from telefine_assets.settings.schema import Settings


def figures_of(instance: dg.DagsterInstance, settings: Settings, now: float) -> DagsterFigures:
    """The numbers at ``now``, in Unix seconds."""
    import dagster as dg

    from telefine_assets.automation.failure_sensors import standing_in

    counted = {each: instance.get_runs_count(dg.RunsFilter(statuses=[each])) for each in dg.DagsterRunStatus}
    queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])
    oldest = instance.get_run_records(queued, limit=1, ascending=True)
    since = datetime.fromtimestamp(now, UTC) - timedelta(days=settings.automation.standing_failures.look_back_days)
    stand = Counter(run.program for run in standing_in(instance, [*settings.programs], since))
    return DagsterFigures(
        runs={each.value.lower(): n for each, n in counted.items()},
        queued_seconds=max(0.0, now - oldest[0].create_timestamp.timestamp()) if oldest else 0.0,
        heartbeat_seconds={name.lower(): age for name, age in heartbeats(instance, now).items()},
        standing={name: stand[name] for name in settings.programs},
    )
