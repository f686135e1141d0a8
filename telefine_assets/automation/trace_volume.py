"""The trace-volume sensor: a compile when enough has come in since the last one."""

import time

import dagster as dg

from telefine_assets.assets.line import Line
from telefine_assets.automation.decisions import Ask, Wait, decide, read_cursor, stretches
from telefine_assets.automation.jobs import job_name, loading, making, status_of
from telefine_assets.automation.observed import observed_tick
from telefine_assets.automation.seen import count, look
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.storage import StoreResource


def trace_volume_sensor(line: Line) -> dg.SensorDefinition:
    """The sensor of one program."""
    settings, name = line.settings.sensors.traces, f"{line.name}_trace_volume"

    @dg.sensor(
        name=name,
        job_name=job_name(line),
        minimum_interval_seconds=round(settings.every_minutes * 60),
        default_status=status_of(settings.enabled),
        description="Asks for a compile when enough usable traces have come in since the last one.",
    )
    @observed_tick(line.observer, name)
    def trace_volume(
        context: dg.SensorEvaluationContext, store: StoreResource, tracking: MlflowResource
    ) -> dg.SensorResult | dg.SkipReason:
        target = line.partitions.get_last_partition_key()
        if target is None:
            return dg.SkipReason("no day is complete yet")
        cursor, said = read_cursor(context.cursor)
        if said:
            context.log.warning(said)
        now_ms = time.time_ns() // 1_000_000
        seen = look(line, target, name, context.instance, count(line, target, tracking), store)
        decision = decide(seen, settings, cursor, now_ms)
        if isinstance(decision, Wait):
            return dg.SkipReason(decision.why)
        context.log.info(f"{decision.step} {', '.join(decision.days)}: {decision.why}")
        return dg.SensorResult(_requests(line, name, decision), cursor=cursor.after(decision, now_ms).to_json())

    return trace_volume


def _requests(line: Line, sensor: str, ask: Ask) -> list[dg.RunRequest]:
    if ask.step == "load":
        return [loading(line, *stretch, sensor, ask.watermark) for stretch in stretches(ask.days)]
    return [making(line, ("compiled_programs",), day, sensor, ask.watermark) for day in ask.days]
