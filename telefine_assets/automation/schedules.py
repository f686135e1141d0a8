"""Schedules, from the settings; off until a deployment turns them on."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from telefine_assets.assets.improvement_reports import STAGE as REPORT
from telefine_assets.assets.line import Line
from telefine_assets.automation.decisions import stretches
from telefine_assets.automation.jobs import asking, job_name, loading, making, report_job_name
from telefine_assets.automation.observed import observed_tick
from telefine_assets.canonical import digest_of
from telefine_assets.resources.storage import StoreResource


def schedules_for(line: Line) -> list[dg.ScheduleDefinition]:
    """The program's schedules: of its line, and of its improvement report."""
    return [_line_schedule(line), _report_schedule(line)]


def _status(enabled: bool) -> dg.DefaultScheduleStatus:
    return dg.DefaultScheduleStatus.RUNNING if enabled else dg.DefaultScheduleStatus.STOPPED


def _last_day(line: Line, now: datetime) -> str | None:
    """The last complete day, or None while there is none."""
    yesterday = now.date() - timedelta(days=1)
    day = min(yesterday, line.last_day or yesterday)
    return None if day < line.first_day else day.isoformat()


def _line_schedule(line: Line) -> dg.ScheduleDefinition:
    """Each tick loads what is missing in the window, and makes the last complete day."""
    settings, name = line.settings.schedule, f"{line.name}_schedule"

    @dg.schedule(
        name=name,
        cron_schedule=settings.ticks,
        job_name=job_name(line),
        execution_timezone=settings.timezone,
        default_status=_status(settings.enabled),
        description="Makes the last complete day, after loading the days of its window that were never loaded.",
    )
    @observed_tick(line.observer, name)
    def schedule(context: dg.ScheduleEvaluationContext, store: StoreResource) -> list[dg.RunRequest] | dg.SkipReason:
        now = context.scheduled_execution_time.astimezone(UTC)
        day = _last_day(line, now)
        if day is None:
            return dg.SkipReason("no day is complete yet")
        missing = {*line.window(day)[:-1]} - {*store.records.days(line.name, "cleaned_traces")}
        mark = digest_of([now.isoformat(), day])
        loads = [loading(line, *stretch, name, mark) for stretch in stretches(missing)]
        return [*loads, making(line, (), day, name, mark)]

    return schedule


def _report_schedule(line: Line) -> dg.ScheduleDefinition:
    """Each tick makes the report that ends with the last complete day; of what is stored, it asks for nothing else."""
    settings, name = line.settings.improvement, f"{line.name}_improvement"

    @dg.schedule(
        name=name,
        cron_schedule=settings.ticks,
        job_name=report_job_name(line),
        execution_timezone=settings.timezone,
        default_status=_status(settings.enabled),
        description="Makes the improvement report of the days that end with the last complete one.",
    )
    @observed_tick(line.observer, name)
    def improvement(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time.astimezone(UTC)
        day = _last_day(line, now)
        if day is None:
            return dg.SkipReason("no day is complete yet")
        mark = digest_of([now.isoformat(), day])
        return dg.RunRequest(
            run_key=f"{REPORT} {day} {mark}",
            asset_selection=[line.key(REPORT)],
            partition_key=day,
            tags=asking(line, name, mark),
        )

    return improvement
