"""Sensors that watch failures: runs are tried again or told of, and what stands is told of once a day."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from telefine_assets.alerts.records import Alert
from telefine_assets.assets import BESIDE, STAGES
from telefine_assets.assets.line import Line
from telefine_assets.automation.failures import (
    FailedRun,
    Failure,
    Notifier,
    classify,
    standing,
    standing_alert,
    tries_again,
)
from telefine_assets.automation.jobs import status_of
from telefine_assets.automation.observed import observed_tick
from telefine_assets.automation.tags import (
    ASKED_BY,
    ATTEMPT,
    FAILURE,
    PARTITION,
    PROGRAM,
    RANGE_END,
    RANGE_START,
    RETRY_OF,
)
from telefine_assets.observing.observer import UNOBSERVED, Observer
from telefine_assets.partitions import day_of, days_from
from telefine_assets.settings.automation import AutomationSettings

_KEPT = ("telefine/", RANGE_START, RANGE_END, "dagster/priority")
_DAY_SECONDS = 86_400
_MOST = 1_000


def _tell(alert: Alert, notifier: Notifier | None, log: Any) -> None:
    log.error(f"{alert.subject}\n{alert.text}")
    if notifier is not None:
        notifier.notify(alert)


def failure_of(instance: dg.DagsterInstance, run: dg.DagsterRun, message: str) -> Failure:
    """What kind of failure a run ended with, from its events."""
    logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    errors = [_chain(each.dagster_event.step_failure_data.error) for each in logs if each.dagster_event]
    return classify([each for each in errors if each], run.tags.get("dagster/failure_reason"), message)


def _chain(error: Any) -> list[tuple[str, str]]:
    chain = []
    while error is not None:
        chain.append((error.cls_name or "", str(error.message).partition(": ")[2] or str(error.message)))
        error = error.cause or error.context
    return chain


def failure_sensors(
    lines: list[Line],
    automation: AutomationSettings,
    jobs: list[Any],
    notifier: Notifier | None = None,
    observer: Observer = UNOBSERVED,
) -> list[dg.SensorDefinition]:
    """The two sensors of a deployment; what they tell is in the log, and goes to ``notifier`` if there is one."""
    failed = _failed_runs(automation, jobs, notifier, observer)
    return [failed, _standing_failures(lines, automation, notifier, observer)]


def _failed_runs(
    automation: AutomationSettings, jobs: list[Any], notifier: Notifier | None, observer: Observer
) -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="telefine_failed_runs",
        default_status=status_of(automation.watch_failures),
        minimum_interval_seconds=10,
        request_jobs=jobs,
        description="Tries again what failed for a transient reason, and tells of everything else.",
    )
    @observed_tick(observer, "telefine_failed_runs")
    def telefine_failed_runs(context: dg.RunFailureSensorContext) -> dg.RunRequest | dg.SkipReason:
        run = context.dagster_run
        failure = failure_of(context.instance, run, context.failure_event.message or "")
        context.instance.add_run_tags(run.run_id, {FAILURE: failure.tag})
        attempt = int(run.tags.get(ATTEMPT, "1"))
        if ASKED_BY in run.tags and tries_again(failure, attempt, automation.max_retries):
            return _again(run, attempt + 1)
        _tell(failed_run_alert(run, failure), None if failure.of_a_check else notifier, context.log)
        return dg.SkipReason(f"run {run.run_id[:8]} failed for good: {failure.what}")

    return telefine_failed_runs


def failed_run_alert(run: dg.DagsterRun, failure: Failure, because: str | None = None) -> Alert:
    """What people are told of a run that failed and is not tried again; by default why the settings say so."""
    from telefine_assets.alerts.found import RunFailure, run_failed

    often = "it was tried as often as automation.max_retries allows"
    because = because or (often if failure.kind == "transient" else "it would fail again")
    program, stages = run.tags.get(PROGRAM), _stages(run)
    return run_failed(RunFailure(run.run_id, program, stages, days_of(run), failure.what, because, today()))


def _again(run: dg.DagsterRun, attempt: int) -> dg.RunRequest:
    """The same run once more: same stages, same days."""
    tags = {key: value for key, value in run.tags.items() if key.startswith(_KEPT) and key != FAILURE}
    return dg.RunRequest(
        run_key=f"{run.run_id} {attempt}",
        job_name=run.job_name if run.job_name.endswith("_report") else f"{run.tags[PROGRAM]}_line",
        asset_selection=sorted(run.asset_selection or ()) or None,
        partition_key=run.tags.get(PARTITION),
        tags={**tags, ATTEMPT: str(attempt), RETRY_OF: run.run_id},
    )


def _stages(run: dg.DagsterRun) -> list[str]:
    """The stages that a run selects, in the order of the line; all of the line when it selects none."""
    selected = {key.path[-1] for key in run.asset_selection or ()} or {stage.STAGE for stage in STAGES}
    return [stage.STAGE for stage in (*STAGES, *BESIDE) if stage.STAGE in selected]


def today() -> str:
    """The UTC day by the clock."""
    return day_of(time.time_ns() // 1_000_000)


def days_of(run: dg.DagsterRun) -> list[str]:
    """The days that a run is for; none for one without partitions."""
    if RANGE_START in run.tags:
        return days_from(run.tags[RANGE_START], run.tags[RANGE_END])
    return [run.tags[PARTITION]] if PARTITION in run.tags else []


def _standing_failures(
    lines: list[Line], automation: AutomationSettings, notifier: Notifier | None, observer: Observer
) -> dg.SensorDefinition:
    settings = automation.standing_failures

    @dg.sensor(
        name="telefine_standing_failures",
        default_status=status_of(settings.enabled),
        minimum_interval_seconds=_DAY_SECONDS,
        description="Once a day: what failed, and was never made since.",
    )
    @observed_tick(observer, "telefine_standing_failures")
    def telefine_standing_failures(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        since = datetime.fromtimestamp(time.time(), UTC) - timedelta(days=settings.look_back_days)
        runs = standing_in(context.instance, [line.name for line in lines], since)
        if not runs:
            return dg.SkipReason(f"no failure of the last {settings.look_back_days} days stands")
        alert = standing_alert(runs, today())
        _tell(alert, notifier, context.log)
        return dg.SkipReason(f"{alert.subject}: {alert.what}")

    return telefine_standing_failures


def standing_in(instance: dg.DagsterInstance, programs: list[str], since: datetime) -> list[FailedRun]:
    """Failures since a moment of which the days were never made by another run."""
    wanted = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], created_after=since)
    failed = []
    for record in instance.get_run_records(wanted, limit=_MOST):
        run = record.dagster_run
        program, days = _program(run), days_of(run)
        if program in programs and days:
            started_ms = int(record.create_timestamp.timestamp() * 1000)
            failed.append(FailedRun(run.run_id, program, _stages(run)[-1], tuple(days), started_ms))
    keys = {(run.program, run.stage, day) for run in failed for day in run.days}
    return standing(failed, {key: made for key in keys if (made := _made(instance, *key))})


def _program(run: dg.DagsterRun) -> str:
    selected = {key.path[0] for key in run.asset_selection or ()}
    return run.tags.get(PROGRAM) or (selected.pop() if len(selected) == 1 else run.job_name.removesuffix("_line"))


def _made(instance: dg.DagsterInstance, program: str, stage: str, day: str) -> tuple[int, str] | None:
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey([program, stage]), asset_partitions=[day])
    found = instance.fetch_materializations(wanted, limit=1).records
    return (int(found[0].timestamp * 1000), found[0].run_id) if found else None
