"""Schedules, from the settings; off until a deployment turns them on."""

from datetime import UTC, timedelta

import dagster as dg

from telefine_assets.assets.line import Line
from telefine_assets.automation.decisions import stretches
from telefine_assets.automation.jobs import job_name, loading, making
from telefine_assets.canonical import digest_of
from telefine_assets.resources.storage import StoreResource


def schedules_for(line: Line) -> list[dg.ScheduleDefinition]:
    """The program's schedule: each tick loads what is missing in the window, and makes the last complete day."""
    settings, name = line.settings.schedule, f"{line.name}_schedule"
    running, stopped = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(
        name=name,
        cron_schedule=settings.ticks,
        job_name=job_name(line),
        execution_timezone=settings.timezone,
        default_status=running if settings.enabled else stopped,
        description="Makes the last complete day, after loading the days of its window that were never loaded.",
    )
    def schedule(context: dg.ScheduleEvaluationContext, store: StoreResource) -> list[dg.RunRequest] | dg.SkipReason:
        now = context.scheduled_execution_time.astimezone(UTC)
        yesterday = now.date() - timedelta(days=1)
        day = min(yesterday, line.last_day or yesterday).isoformat()
        if day < line.first_day.isoformat():
            return dg.SkipReason("no day is complete yet")
        missing = {*line.window(day)[:-1]} - {*store.records.days(line.name, "cleaned_traces")}
        mark = digest_of([now.isoformat(), day])
        loads = [loading(line, *stretch, name, mark) for stretch in stretches(missing)]
        return [*loads, making(line, (), day, name, mark)]

    return [schedule]
