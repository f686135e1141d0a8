"""What the trace-volume sensor sees: the source, the stored reports, Dagster's runs and events."""

import dagster as dg

from telefine_assets.assets.line import Line
from telefine_assets.assets.metadata import USABLE
from telefine_assets.automation.decisions import Compiled, Day, Seen
from telefine_assets.automation.jobs import LOADING
from telefine_assets.automation.tags import ASKED_BY, PROGRAM, WATERMARK
from telefine_assets.partitions import bounds_ms
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.storage import StoreResource

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_REMEMBERED = 200
_COMPILES = 50


def look(
    line: Line, target: str, sensor: str, instance: dg.DagsterInstance, traces: dict[str, int], store: StoreResource
) -> Seen:
    """Everything that a decision needs.

    Args:
        line: the program.
        target: the last day of the window.
        sensor: the name under which runs were asked for.
        instance: Dagster's.
        traces: how many traces the source has, by day.
        store: where cleaning keeps its reports.
    """
    runs = instance.get_runs(dg.RunsFilter(tags={PROGRAM: line.name, ASKED_BY: sensor}), limit=_REMEMBERED)
    running = instance.get_runs(dg.RunsFilter(tags={PROGRAM: line.name}, statuses=UNFINISHED), limit=1)
    return Seen(
        target=target,
        days={day: _day(line, day, instance, traces.get(day, 0), store) for day in line.window(target)},
        compiled=_compiled(line, instance),
        asked=frozenset(run.tags[WATERMARK] for run in runs if WATERMARK in run.tags),
        running=running[0].run_id[:8] if running else None,
        failed_at_ms=_failed_at_ms(instance, runs[0].run_id) if runs else None,
    )


def count(line: Line, target: str, tracking: MlflowResource) -> dict[str, int]:
    """Traces that the source has on the days of the window; one grouped query where it can be had."""
    from telefine_assets.programs.spec import load_spec
    from telefine_assets.traces.sources.opening import query_of

    days = line.window(target)
    fields = load_spec(line.name, line.settings).fields
    query = query_of(line.settings, fields.inputs, bounds_ms(days[0])[0], bounds_ms(days[-1])[1])
    return tracking.source(line.settings.traces.files).counts(query)


def _day(line: Line, day: str, instance: dg.DagsterInstance, traces: int, store: StoreResource) -> Day:
    report = store.records.find(line.name, "cleaned_traces", day)
    if report is None:
        return Day(traces=traces)
    wanted = dg.AssetRecordsFilter(asset_key=line.key("cleaned_traces"), asset_partitions=[day])
    events = instance.fetch_materializations(wanted, limit=1).records
    return Day(
        traces=traces,
        loaded=report["traces_in"],
        kept=report["kept"],
        made=events[0].storage_id if events else 0,
        broken=bool(events) and loading_failed(line, instance, events[0].run_id),
    )


def loading_failed(line: Line, instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether loading or cleaning, or a check that blocks what follows them, failed in a run."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.status != dg.DagsterRunStatus.FAILURE:
        return False
    steps = tuple(f"{line.name}__{stage}" for stage in LOADING)
    failures = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    return any((each.step_key or "").startswith(steps) for each in failures)


def _compiled(line: Line, instance: dg.DagsterInstance) -> Compiled | None:
    """The last compile; days that were not in its window as the compiles before it saw them."""
    events = instance.fetch_materializations(line.key("compiled_programs"), limit=_COMPILES).records
    if not events:
        return None
    kept: dict[str, int] = {}
    for event in events:
        made = event.asset_materialization
        told = made.metadata.get(USABLE) if made else None
        if isinstance(told, dg.JsonMetadataValue) and isinstance(told.value, dict):
            kept = {**told.value, **kept}
    return Compiled(int(events[0].timestamp * 1000), events[0].storage_id, kept)


def _failed_at_ms(instance: dg.DagsterInstance, run_id: str) -> int | None:
    record = instance.get_run_record_by_id(run_id)
    if record is None or record.dagster_run.status != dg.DagsterRunStatus.FAILURE:
        return None
    return int((record.end_time or record.update_timestamp.timestamp()) * 1000)
