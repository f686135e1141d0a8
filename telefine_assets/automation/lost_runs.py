"""Runs that say they go on, and whose process is gone: after a power cut nobody else would ever end them.

Dagster's run monitoring ends a run whose process died only where the launcher can
tell; the one for a single machine cannot, and the code server that could have told
died too. Such a run would hold its place in the queue for ever.
"""

import json
import os
from pathlib import Path

import dagster as dg

from telefine_assets.automation.jobs import status_of
from telefine_assets.settings_automation import AutomationSettings

GONE = "The run's process is gone, and nobody saw it end."
_LAUNCHED_BY = ".dagster/grpc_info"
_CLOCKS_SECONDS = 5.0


def lost_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Runs that Dagster started on this machine, and that no process of it works at any more."""
    if not isinstance(instance.run_launcher, dg.DefaultRunLauncher):
        return []
    started = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]))
    return [run for run in started if _is_lost(instance, run)]


def _is_lost(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    # What was started otherwise, by a command, may go on on another machine.
    if json.loads(run.tags.get(_LAUNCHED_BY, "{}")).get("host") != "localhost":
        return False
    begun = [
        (each.dagster_event.pid, each.timestamp)
        for each in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_START)
        if each.dagster_event and each.dagster_event.pid
    ]
    return bool(begun) and not lives(*begun[-1])


def lives(pid: int, began: float) -> bool:
    """Whether the process that had an id at a moment (Unix seconds) goes on; ids are given again."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # Source: proc(5); the name of the command, in brackets, may have blanks.
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except FileNotFoundError:
        return True
    since = float(boot.split()[1]) + int(rest[18]) / os.sysconf("SC_CLK_TCK")
    return state not in "ZX" and since <= began + _CLOCKS_SECONDS


def lost_runs_sensor(automation: AutomationSettings) -> dg.SensorDefinition:
    """Ends them, so that they are tried again and the queue goes on."""

    @dg.sensor(
        name="telefine_lost_runs",
        default_status=status_of(automation.watch_failures),
        minimum_interval_seconds=10,
        description="Ends runs whose process is gone: they fail, and are tried again like others.",
    )
    def telefine_lost_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        lost = lost_runs(context.instance)
        # Seen twice: who has just ended may be about to say so, or the code server about to tell.
        before = (context.cursor or "").split()
        ended = [run for run in lost if run.run_id in before]
        for run in ended:
            context.instance.report_run_failed(run, GONE)
        context.update_cursor(" ".join(run.run_id for run in lost if run not in ended))
        return dg.SkipReason(
            f"{len(lost)} without a process; ended: {', '.join(r.run_id[:8] for r in ended) or 'none'}"
        )

    return telefine_lost_runs
