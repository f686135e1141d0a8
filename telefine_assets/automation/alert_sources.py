"""Where the alerts sensor looks: Dagster's runs, checks and ticks, the ledger, and the store's daily records."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from telefine_assets.alerts.anomalies import PPM, Day, odd_values
from telefine_assets.alerts.found import (
    FailedCheck,
    FailingAutomation,
    automation_failing,
    champion_changed,
    check_failed,
    deltaone_reached,
    improvement_report,
    odd_day,
    payout_planned,
)
from telefine_assets.alerts.raising import rules_of
from telefine_assets.alerts.records import Alert
from telefine_assets.assets.line import Line
from telefine_assets.automation.failure_sensors import days_of, failed_run_alert, failure_of
from telefine_assets.automation.tags import PROGRAM
from telefine_assets.control.automation import owner_of
from telefine_assets.improvement.scores import scores_of
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.news import News
from telefine_assets.partitions import day_of
from telefine_assets.resources.storage import StoreResource
from telefine_assets.settings.alerts import AnomalySettings

ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_RUNS, _TICKS = 200, 500
OVERLAP = timedelta(seconds=5)
"""A run may be written a little later than the time that it bears."""
_RECENT_DAYS = 3
_STAGE, _REPORTS = "cleaned_traces", "improvement_reports"


def ended_runs(instance: dg.DagsterInstance, since_ms: int) -> list[dg.RunRecord]:
    """Runs that ended or were changed since a moment, the oldest first: some hundred, or as many as lead beyond it."""
    after = datetime.fromtimestamp(since_ms / 1000, UTC) - OVERLAP
    wanted, limit = dg.RunsFilter(statuses=ENDED, updated_after=after), _RUNS
    while True:
        found = list(instance.get_run_records(wanted, limit=limit, order_by="update_timestamp", ascending=True))
        if len(found) < limit or updated_ms(found[-1]) > since_ms:
            return found
        limit *= 2


def updated_ms(record: dg.RunRecord) -> int:
    """When a run was changed last, in Unix milliseconds."""
    return int(record.update_timestamp.timestamp() * 1000)


def failed_checks(instance: dg.DagsterInstance, runs: Iterable[dg.RunRecord], programs: set[str]) -> list[Alert]:
    """Checks that did not hold in these runs; those of a day are one."""
    by_check: dict[tuple[str, ...], list[tuple[dg.DagsterRun, dg.AssetCheckEvaluation]]] = defaultdict(list)
    for record in runs:
        run = record.dagster_run
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
            found: Any = entry.dagster_event.event_specific_data if entry.dagster_event else None
            if isinstance(found, dg.AssetCheckEvaluation) and not found.passed and found.asset_key.path[0] in programs:
                key = (*found.asset_key.path[:2], found.check_name, day_of(int(entry.timestamp * 1000)))
                by_check[key].append((run, found))
    return [check_failed(_failed(key, found)) for key, found in by_check.items()]


def failed_runs(instance: dg.DagsterInstance, runs: Iterable[dg.RunRecord], programs: set[str]) -> list[Alert]:
    """Runs that failed, for a deployment in which nobody else watches them."""
    failed = [each.dagster_run for each in runs if each.dagster_run.status is dg.DagsterRunStatus.FAILURE]
    because = "automation.watch_failures is off"
    found = [(run, failure_of(instance, run, "")) for run in failed if run.tags.get(PROGRAM, "") in {"", *programs}]
    return [failed_run_alert(run, failure, because) for run, failure in found if not failure.of_a_check]


def _failed(key: tuple[str, ...], found: list[tuple[dg.DagsterRun, dg.AssetCheckEvaluation]]) -> FailedCheck:
    program, stage, check, day = key
    return FailedCheck(
        program=program,
        stage=stage,
        check=check,
        run_id=found[-1][0].run_id,
        blocking=any(each.severity is dg.AssetCheckSeverity.ERROR for _, each in found),
        problems=[problem for _, each in found for problem in _problems(each)],
        days=sorted({each for run, _ in found for each in days_of(run)}),
        day=day,
    )


def _problems(evaluation: dg.AssetCheckEvaluation) -> Iterator[str]:
    table = evaluation.metadata.get("problems")
    if isinstance(table, dg.TableMetadataValue):
        for row in table.records:
            yield ": ".join(str(each) for each in row.data.values())


def failing_automation(instance: dg.DagsterInstance, programs: Iterable[str], enough: int) -> list[Alert]:
    """Schedules and sensors that are on and of which the last ticks failed, so many at least."""
    found = (_failing(instance, each, programs, enough) for each in instance.all_instigator_state() if each.is_running)
    return [automation_failing(each) for each in found if each]


def _failing(
    instance: dg.DagsterInstance, state: Any, programs: Iterable[str], enough: int
) -> FailingAutomation | None:
    def ended(limit: int) -> list[Any]:
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=limit)
        return [tick for tick in ticks if tick.status.value != "STARTED"]

    # One more: the tick that looks may be among them.
    latest = ended(enough + 1)[:enough]
    if len(latest) < enough or any(tick.status.value != "FAILURE" for tick in latest):
        return None
    good = next((tick for tick in ended(_TICKS) if tick.status.value != "FAILURE"), None)
    return FailingAutomation(
        name=state.instigator_name,
        kind=state.instigator_type.value.lower(),
        good_ms=round(good.timestamp * 1000) if good else 0,
        ticks=enough,
        error=" ".join(latest[0].error.message.split()) if latest[0].error else "it did not say",
        program=owner_of(state.instigator_name, programs),
    )


def ledger_news(ledger: Ledger, programs: set[str]) -> list[Alert]:
    """What the ledger has that people hear of, ever."""
    news = News(ledger)
    found = [
        *(deltaone_reached(each) for each in news.reached()),
        *(champion_changed(each) for each in news.champions()),
        *(payout_planned(each) for each in news.payouts()),
    ]
    return [each for each in found if each.program in programs]


def improvement_reports(line: Line, store: StoreResource) -> list[Alert]:
    """The newest report of what became better, if the program has any."""
    days = store.records.days(line.name, _REPORTS)
    report = store.records.find(line.name, _REPORTS, days[-1]) if days else None
    if report is None or not all(isinstance(report.get(each), str) for each in ("subject", "summary")):
        return []
    return [improvement_report(line.name, days[-1], report["subject"], report["summary"])]


def made_lately(line: Line, instance: dg.DagsterInstance, today: str) -> dict[str, int]:
    """The last days that are over and were cleaned, each with the place of the newest event that says so."""
    days = [(date.fromisoformat(today) - timedelta(days=back)).isoformat() for back in range(1, _RECENT_DAYS + 1)]
    found = {}
    for day in days:
        wanted = dg.AssetRecordsFilter(asset_key=line.key(_STAGE), asset_partitions=[day])
        if events := instance.fetch_materializations(wanted, limit=1).records:
            found[day] = events[0].storage_id
    return found


def odd_days(line: Line, days: Iterable[str], store: StoreResource, settings: AnomalySettings) -> list[Alert]:
    """What is odd about some days, beside the weeks before them."""
    wanted = sorted(days)
    if not wanted:
        return []
    first = (date.fromisoformat(wanted[0]) - timedelta(days=settings.window_days + 1)).isoformat()
    # Retention takes the traces of old days, and leaves what was said of them.
    kept = {*store.tables.days(line.name, _STAGE)}
    stored = [each for each in store.records.days(line.name, _STAGE) if first <= each <= wanted[-1] and each in kept]
    facts = {each: _facts(line.name, each, store) for each in stored}
    return [odd_day(line.name, odd) for day in wanted for odd in odd_values(facts, day, rules_of(settings))]


def _facts(program: str, day: str, store: StoreResource) -> Day:
    report = store.records.read(program, _STAGE, day)
    # Nothing that is held out is in any score that people see.
    scores = scores_of(store.tables.columns(program, _STAGE, day, ["score_ppm", "split"]))
    mean = scores.total // scores.n if scores.n else PPM
    return Day(report["traces_in"], sum(report["dropped"].values()), scores.n, mean)
