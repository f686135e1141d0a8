"""Runs that say they go on, and whose process is gone: after a power cut nobody else would ever end them.

Dagster's run monitoring ends a run whose process died only where the launcher can
tell; the one for a single machine cannot, and the code server that could have told
died too. The one for Celery believes the last word of a worker that was killed.
Such a run would hold its place in the queue for ever.

Celery could deliver a killed worker's task once more (``acks_late``), but Dagster
begins no run twice: it would take the second for a stray. So the run fails here,
and is asked for again by whoever owns retries (``failure_sensors``).
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import dagster as dg

from telefine_assets.automation.celery_runs import abandoned, celery_of, launcher_of
from telefine_assets.automation.jobs import status_of
from telefine_assets.automation.observed import observed_tick
from telefine_assets.observing.observer import Observer
from telefine_assets.settings.automation import AutomationSettings

GONE = "The run's process is gone, and nobody saw it end."
_LAUNCHED_BY = ".dagster/grpc_info"
_WATCHED_SECONDS = 45
"""With longer between two ticks nobody knows what was in between."""


@dataclass(frozen=True)
class Seen:
    """What a tick leaves to the next: its moment, since when runs are lost (Unix seconds), and whose process is which.

    ``processes`` has the name of a process (``process_of``) as it was first seen, by run id and process id.
    """

    at: float = 0.0
    lost: Mapping[str, float] = field(default_factory=dict)
    processes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: str | None) -> "Seen":
        """From the sensor's cursor."""
        said = json.loads(cursor or "{}")
        return cls(said.get("at", 0.0), said.get("lost", {}), said.get("processes", {}))

    def since(self, run_ids: Sequence[str], now: float) -> dict[str, float]:
        """Since when each of the runs that are lost now was so at every tick."""
        before = self.lost if 0 <= now - self.at <= _WATCHED_SECONDS else {}
        return {run_id: before.get(run_id, now) for run_id in run_ids}


def lost_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Runs that Dagster started on this machine or on Celery's workers, and that none of them works at any more."""
    return look(instance, {})[0]


def look(instance: dg.DagsterInstance, known: Mapping[str, str]) -> tuple[list[dg.DagsterRun], dict[str, str]]:
    """The runs that are lost, and the processes of those on this machine, as they were first seen.

    Args:
        instance: whose runs.
        known: the processes as they were seen before; another one under the same id is none of the run's.
    """
    app = celery_of(instance)
    if app is None and launcher_of(instance) != dg.DefaultRunLauncher.__name__:
        return [], {}
    started = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]))
    if app is not None:
        return abandoned(instance, app, started), {}
    lost, processes = [], {}
    for run in started:
        if (pid := _pid(instance, run)) is not None:
            key, now = f"{run.run_id} {pid}", process_of(pid)
            processes[key] = known.get(key, now)
            if not now or processes[key] != now:
                lost.append(run)
    return lost, processes


def _pid(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int | None:
    # What was started otherwise, by a command, may go on on another machine.
    if json.loads(run.tags.get(_LAUNCHED_BY, "{}")).get("host") != "localhost":
        return None
    logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_START)
    begun = [each.dagster_event.pid for each in logs if each.dagster_event and each.dagster_event.pid]
    return begun[-1] if begun else None


def process_of(pid: int) -> str:
    """What tells the process that has an id now from all that have it earlier or later; empty when none has it.

    Which boot, and how many ticks of its clock after it: people and time servers set the other clock.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    try:
        # Source: proc(5); the name of the command, in brackets, may have blanks.
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return "of somebody"
    return "" if state in "ZX" else f"{boot} {rest[18]}"


def end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """End a lost run: as canceled where somebody had stopped it, else as failed, so that it is tried again."""
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, GONE)
    else:
        instance.report_run_failed(run, GONE)


def lost_runs_sensor(automation: AutomationSettings, observer: Observer) -> dg.SensorDefinition:
    """Ends them, so that they are tried again and the queue goes on."""

    @dg.sensor(
        name="telefine_lost_runs",
        default_status=status_of(automation.watch_failures),
        minimum_interval_seconds=10,
        description="Ends runs whose process is gone: they fail, and are tried again like others.",
    )
    @observed_tick(observer, "telefine_lost_runs")
    def telefine_lost_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        # Seen twice: who has just ended may be about to say so, or the code server about to tell; and a worker that
        # does not answer may only be slow.
        now, seen = time.time(), Seen.of(context.cursor)
        lost, processes = look(context.instance, seen.processes)
        patience = 0 if celery_of(context.instance) is None else automation.silent_worker_seconds
        since = seen.since([run.run_id for run in lost], now)
        ended = [run for run in lost if run.run_id in seen.lost and now - since[run.run_id] >= patience]
        for run in ended:
            end(context.instance, run)
            del since[run.run_id]
        context.update_cursor(json.dumps(asdict(Seen(now, since, processes))))
        return dg.SkipReason(
            f"{len(lost)} without a process; ended: {', '.join(r.run_id[:8] for r in ended) or 'none'}"
        )

    return telefine_lost_runs
