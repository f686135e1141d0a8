"""Ending a run that a Celery worker works at, from whatever machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from telefine_assets.control.errors import ControlError

if TYPE_CHECKING:
    import dagster as dg

_SECONDS = 30
"""Longer than a sign of life is seen of a task whose process was killed."""


def stop_task(instance: dg.DagsterInstance, app: Any, run: dg.DagsterRun, by: str) -> None:
    """Have the run's task ended, and record the run as canceled once nobody works at it.

    dagster-celery's launcher kills the task and tells Dagster nothing: unannounced,
    the run would be taken for one that failed, and be tried again.

    Raises:
        ControlError: a worker works at it half a minute later, as one does that is told to end and finishes it.
    """
    from telefine_assets.automation.celery_runs import abandoned

    instance.report_run_canceling(run, f"{by} stops it.")
    instance.run_launcher.terminate(run.run_id)
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        if abandoned(instance, app, [run]):
            instance.report_run_canceled(run, f"{by} stopped it.")
            return
        found = instance.get_run_by_id(run.run_id)
        if found is None or found.is_finished:
            return
    raise ControlError(f"a Celery worker still works at run {run.run_id}: try again, or end that worker")
