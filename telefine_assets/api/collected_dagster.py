"""What metrics say of Dagster: schedules, sensors, the daemon, the queue, failures that stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client.core import GaugeMetricFamily as Measured
from prometheus_client.core import Metric

from telefine_assets.control.records import AutomationState, DagsterFigures


def automation_families(states: Sequence[AutomationState], now: float) -> Iterable[Metric]:
    """Of schedules and sensors; ``now`` in Unix seconds."""
    labels = ["name", "kind"]
    on = Measured("telefine_automation_on", "Whether a schedule or sensor is turned on.", labels=labels)
    age = Measured(
        "telefine_automation_last_tick_age_seconds", "Since the last tick of a schedule or sensor.", labels=labels
    )
    failed = Measured(
        "telefine_automation_last_tick_failed", "Whether a schedule's or sensor's last tick failed.", labels=labels
    )
    for each in states:
        on.add_metric([each.name, each.kind], each.running)
        if each.last_ms is not None:
            age.add_metric([each.name, each.kind], max(0.0, now - each.last_ms / 1000))
            failed.add_metric([each.name, each.kind], each.last == "failure")
    return on, age, failed


def dagster_families(found: DagsterFigures) -> Iterable[Metric]:
    """Of runs and the daemon."""
    runs = Measured("telefine_dagster_runs", "Runs that Dagster knows, by status.", labels=["status"])
    for status, count in found.runs.items():
        runs.add_metric([status], count)
    queued = Measured("telefine_dagster_queue_age_seconds", "Since when the run that waits longest waits.")
    queued.add_metric([], found.queued_seconds)
    beats = Measured(
        "telefine_dagster_heartbeat_age_seconds", "Since a daemon's thread was heard of.", labels=["daemon"]
    )
    for name, age in found.heartbeat_seconds.items():
        beats.add_metric([name], age)
    standing = Measured("telefine_standing_failures", "Failed runs whose day was never made since.", labels=["program"])
    for program, count in found.standing.items():
        standing.add_metric([program], count)
    return runs, queued, beats, standing
