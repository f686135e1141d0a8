"""Schedules, from the settings; off until a deployment turns them on."""

import dagster as dg

from telefine_assets.assets.line import Line


def schedules_for(line: Line) -> list[dg.ScheduleDefinition]:
    """The program's schedule: each tick asks for the last day that is complete."""
    settings = line.settings.schedule

    @dg.schedule(
        name=f"{line.name}_daily",
        cron_schedule=settings.cron,
        job_name=f"{line.name}_line",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.enabled else dg.DefaultScheduleStatus.STOPPED,
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = line.partitions.get_last_partition_key()
        if day is None:
            return dg.SkipReason("no day is complete yet")
        return dg.RunRequest(run_key=day, partition_key=day)

    return [daily]
