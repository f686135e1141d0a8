"""What metrics say of a deployment: read when somebody asks, each kind by itself, so that none hides another.

Names follow Prometheus: https://prometheus.io/docs/practices/naming/. Labels are
names of programs, stages, tables, schedules and sensors, and never anything that
came from a trace or a caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from shutil import disk_usage
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily as Counted
from prometheus_client.core import GaugeMetricFamily as Measured
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from telefine_assets.api.behind import Behind
from telefine_assets.api.collected_dagster import automation_families, dagster_families
from telefine_assets.api.collected_days import DaysReader, days_families
from telefine_assets.api.collected_ledger import ledger_families
from telefine_assets.api.health import readiness
from telefine_assets.api.problems import logger
from telefine_assets.ledger.spool import Spool
from telefine_assets.observing.counting import Tally

if TYPE_CHECKING:
    from telefine_assets.api.deployment import Deployment

FRESH_SECONDS = 1.0
"""For how long what was read is told again."""
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
        self._automation = Behind(lambda: list(here.control.automation(None)), monotonic)
        self._dagster = Behind(lambda: here.control.figures(), monotonic)
        self._days = Behind(DaysReader(here, monotonic).read, monotonic)
        self._ready = Behind(lambda: readiness(here), monotonic)
        self._tally = Tally(here.settings.observing.metrics, here.settings.home, here.settings.deployment)

    def describe(self) -> Families:
        """Nothing: to be registered must ask nothing of anybody."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        up = Measured("telefine_collector_up", "Whether these metrics could be read.", labels=["collector"])
        kinds: dict[str, Callable[[Deployment], Families]] = {
            "spool": _spool,
            "ledger": ledger_families,
            "stages": _stages,
            "days": lambda _: days_families(self._days.get()),
            "automation": lambda here: automation_families(self._automation.get(), here.clock().timestamp()),
            "dagster": lambda _: dagster_families(self._dagster.get()),
            "ready": lambda _: _ready(self._ready.get()),
            "runs": lambda here: self._tally.read() if here.settings.observing.metrics.told_by_api else (),
            "api": _own,
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


def _spool(here: Deployment) -> Families:
    accepted = Counted("telefine_spool_accepted_traces", "Traces that were taken in.", labels=["program"])
    drained = Counted("telefine_spool_drained_traces", "Traces that are done with.", labels=["program"])
    waiting = Measured("telefine_spool_waiting_traces", "Traces that wait for MLflow.", labels=["program"])
    oldest = Measured(
        "telefine_spool_oldest_age_seconds", "For how long the oldest trace waits for MLflow.", labels=["program"]
    )
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


def _stages(here: Deployment) -> Families:
    labels = ["program", "stage"]
    days = Measured("telefine_stage_records", "Days that have a record.", labels=labels)
    last = Measured(
        "telefine_stage_last_day_timestamp_seconds", "When the newest day with a record began (UTC).", labels=labels
    )
    age = Measured(
        "telefine_stage_last_day_age_seconds", "For how long the newest day with a record has been over.", labels=labels
    )
    now = here.clock().timestamp()
    for program in here.settings.programs:
        for stage in _STAGES:
            if found := here.records.days(program, stage):
                began = datetime.combine(date.fromisoformat(found[-1]), time(), UTC).timestamp()
                days.add_metric([program, stage], len(found))
                last.add_metric([program, stage], began)
                age.add_metric([program, stage], max(0.0, now - began - 86_400))
    return days, last, age


def _ready(states: dict[str, bool]) -> Families:
    ready = Measured("telefine_ready", "Whether what the API needs is there, as /v1/ready says.", labels=["check"])
    for name, is_ready in states.items():
        ready.add_metric([name], is_ready)
    return [ready]


def _own(here: Deployment) -> Families:
    followers = Measured("telefine_api_followers", "Runs that are being followed by a stream of events.")
    followers.add_metric([], here.following.taken)
    free = Measured("telefine_home_free_bytes", "Room on the disk of the deployment's home.")
    # Before anything was written there, the home may not be there.
    home = here.settings.home
    free.add_metric([], disk_usage(next(each for each in (home, *home.parents) if each.exists())).free)
    return followers, free


def _now_ms(here: Deployment) -> int:
    return int(here.clock().timestamp() * 1000)
