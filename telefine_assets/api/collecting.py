"""What metrics say of a deployment: read when somebody asks, each kind by itself, so that none hides another.

Names follow Prometheus: https://prometheus.io/docs/practices/naming/. Labels are
names of programs, stages, tables, schedules and sensors, and never anything that
came from a trace or a caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from functools import partial
from threading import Lock, Thread
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily as Counted
from prometheus_client.core import GaugeMetricFamily as Measured
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from telefine_assets.api.problems import logger
from telefine_assets.ledger.schema import log_leaves, looks, payouts, submissions
from telefine_assets.ledger.spool import Spool

if TYPE_CHECKING:
    from telefine_assets.api.deployment import Deployment
    from telefine_assets.control.records import AutomationState

FRESH_SECONDS, AUTOMATION_SECONDS = 1.0, 15.0
"""For how long what was read is told again; the definitions of what runs by itself take long to load."""
_FIRST_SECONDS = 5.0
_STAGES = (
    "cleaned_traces", "compiled_programs", "deltaone_reports", "contributor_weights", "attestations", "champions",
    "contributor_payouts",
)  # fmt: skip
Families = Iterable[Metric]


class DeploymentCollector(Collector):
    """Metrics of one deployment, for a registry of its own."""

    def __init__(self, here: Deployment, monotonic: Callable[[], float]) -> None:
        """Tell of ``here``; ``monotonic`` is a clock that only goes forward, in seconds."""
        self._here, self._monotonic = here, monotonic
        self._told: dict[str, tuple[float, list[Metric]]] = {}
        self._automation = _Behind(lambda: list(here.control.automation(None)), monotonic)

    def describe(self) -> Families:
        """Nothing: to be registered must ask nothing of anybody."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        up = Measured("telefine_collector_up", "Whether these metrics could be read.", labels=["collector"])
        kinds: dict[str, Callable[[Deployment], Families]] = {
            "spool": _spool,
            "ledger": _ledger,
            "stages": _stages,
            "automation": partial(_automation, self._automation),
            "api": _followers,
        }
        for name, read in kinds.items():
            families = self._read(name, read)
            up.add_metric([name], 0 if families is None else 1)
            yield from families or ()
        yield up

    def _read(self, name: str, read: Callable[[Deployment], Families]) -> list[Metric] | None:
        """What is told now; None where it cannot be read."""
        now = self._monotonic()
        read_at, families = self._told.get(name, (-FRESH_SECONDS, []))
        if now - read_at < FRESH_SECONDS:
            return families
        try:
            families = list(read(self._here))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are told
            logger.warning("metrics of %s cannot be read: %s", name, type(error).__name__)
            return None
        self._told[name] = now, families
        return families


class _Behind:
    """Something that takes long to read: read again by a thread, while what was read before is told."""

    def __init__(self, read: Callable[[], list[AutomationState]], monotonic: Callable[[], float]) -> None:
        self._read, self._monotonic, self._lock = read, monotonic, Lock()
        self._until = -1.0
        self._found: list[AutomationState] = []
        self._error: Exception | None = None
        self._thread: Thread | None = None

    def get(self) -> list[AutomationState]:
        with self._lock:
            first = self._thread is None
            if self._monotonic() >= self._until and (self._thread is None or not self._thread.is_alive()):
                self._thread = Thread(target=self._refresh, daemon=True)
                self._thread.start()
            thread = self._thread
        if first and thread is not None:
            thread.join(_FIRST_SECONDS)
        if self._error is not None:
            raise self._error
        return self._found

    def _refresh(self) -> None:
        try:
            self._found, self._error = self._read(), None
        except Exception as error:  # noqa: BLE001 - it is told to whoever asks
            self._error = error
        self._until = self._monotonic() + AUTOMATION_SECONDS


def _spool(here: Deployment) -> Families:
    accepted = Counted("telefine_spool_accepted_traces", "Traces that were taken in.", labels=["program"])
    drained = Counted("telefine_spool_drained_traces", "Traces that are done with.", labels=["program"])
    waiting = Measured("telefine_spool_waiting_traces", "Traces that wait for MLflow.", labels=["program"])
    oldest = Measured("telefine_spool_oldest_age_seconds", "For how long the oldest waits.", labels=["program"])
    refused = Measured("telefine_spool_refused_traces", "Traces that MLflow refuses.", labels=["program"])
    still = Measured("telefine_spool_stalled", "Whether traces wait and none is written.", labels=["program"])
    now_ms = _now_ms(here)
    for program, lag in Spool(here.ledger).lags(here.settings.programs).items():
        accepted.add_metric([program], lag.accepted)
        drained.add_metric([program], lag.accepted - lag.waiting)
        waiting.add_metric([program], lag.waiting)
        oldest.add_metric([program], lag.oldest_seconds(now_ms) or 0)
        refused.add_metric([program], lag.refused)
        still.add_metric([program], lag.stands_still(now_ms, here.settings.api.drain_late_seconds))
    return accepted, drained, waiting, oldest, refused, still


def _ledger(here: Deployment) -> Families:
    rows = Measured("telefine_ledger_rows", "Rows of the ledger's tables, which only grow.", labels=["table"])
    tables = (looks, log_leaves, payouts, submissions)
    with here.ledger.reading() as connection:
        counts = [select(func.count()).select_from(table).scalar_subquery() for table in tables]
        for table, count in zip(tables, connection.execute(select(*counts)).one(), strict=True):
            rows.add_metric([table.name], count)
    return [rows]


def _stages(here: Deployment) -> Families:
    labels = ["program", "stage"]
    days = Measured("telefine_stage_days", "Days that have a record.", labels=labels)
    last = Measured("telefine_stage_last_day_timestamp_seconds", "When the newest such day began (UTC).", labels=labels)
    age = Measured("telefine_stage_last_day_age_seconds", "For how long that day has been over.", labels=labels)
    now = here.clock().timestamp()
    for program in here.settings.programs:
        for stage in _STAGES:
            if found := here.records.days(program, stage):
                began = datetime.combine(date.fromisoformat(found[-1]), time(), UTC).timestamp()
                days.add_metric([program, stage], len(found))
                last.add_metric([program, stage], began)
                age.add_metric([program, stage], max(0.0, now - began - 86_400))
    return days, last, age


def _automation(known: _Behind, here: Deployment) -> Families:
    labels = ["name", "kind"]
    on = Measured("telefine_automation_on", "Whether a schedule or sensor is turned on.", labels=labels)
    age = Measured("telefine_automation_last_tick_age_seconds", "Since its last tick.", labels=labels)
    failed = Measured("telefine_automation_last_tick_failed", "Whether that failed.", labels=labels)
    now_ms = _now_ms(here)
    for each in known.get():
        on.add_metric([each.name, each.kind], each.running)
        if each.last_ms is not None:
            age.add_metric([each.name, each.kind], max(0, now_ms - each.last_ms) / 1000)
            failed.add_metric([each.name, each.kind], each.last == "failure")
    return on, age, failed


def _followers(here: Deployment) -> Families:
    followers = Measured("telefine_api_followers", "Runs that are being followed by a stream of events.")
    followers.add_metric([], here.following.taken)
    return [followers]


def _now_ms(here: Deployment) -> int:
    return int(here.clock().timestamp() * 1000)
