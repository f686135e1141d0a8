"""Dagster's instance: the storage of runs and events, which every process of a deployment shares."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from telefine_assets.control.errors import asking

if TYPE_CHECKING:
    import dagster as dg

    from telefine_assets.settings.schema import Settings

ALIVE_SECONDS = 75
"""A daemon's thread writes a heartbeat every 30 seconds; with one younger than this it is taken to run."""
SCHEDULER_ALIVE_SECONDS = ALIVE_SECONDS + 60
"""The thread of the schedules sleeps to the end of each minute, and writes none meanwhile."""
QUEUE, SCHEDULER = "QUEUED_RUN_COORDINATOR", "SCHEDULER"


def dagster_home(settings: Settings) -> Path:
    """``$DAGSTER_HOME``, or ``dagster`` in the deployment's home, where ``make ui`` has it."""
    return Path(os.environ.get("DAGSTER_HOME") or settings.home / "dagster").resolve()


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The deployment's instance; its folder is made if it is not there.

    Raises:
        ControlError: when it cannot be opened.
    """
    import dagster as dg

    home = dagster_home(settings)
    with asking(f"the Dagster instance in {home} cannot be opened", "set DAGSTER_HOME, and mend its dagster.yaml"):
        home.mkdir(parents=True, exist_ok=True)
        return dg.DagsterInstance.from_config(str(home))


def heartbeats(instance: dg.DagsterInstance, now: float) -> dict[str, float]:
    """Seconds since each of the daemon's threads was last heard of; empty when it never ran here."""
    return {name: max(0.0, now - each.timestamp) for name, each in instance.get_daemon_heartbeats().items()}


def late(beats: dict[str, float]) -> list[str]:
    """The threads, of those in ``beats``, that were not heard of for longer than they sleep; sorted."""
    patience = {SCHEDULER: SCHEDULER_ALIVE_SECONDS}
    return sorted(name for name, age in beats.items() if age > patience.get(name, ALIVE_SECONDS))


def queue_runs(instance: dg.DagsterInstance, now: float) -> bool:
    """Whether a daemon takes runs from the queue."""
    return heartbeats(instance, now).get(QUEUE, float("inf")) < ALIVE_SECONDS
