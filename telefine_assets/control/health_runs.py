"""A check of Dagster's runs: none says that it goes on while no process works at it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from telefine_assets.control.driver import open_control
from telefine_assets.control.health import Broken, Check

if TYPE_CHECKING:
    from telefine_assets.settings.schema import Settings


def lost(settings: Settings) -> str:
    """Every run that Dagster started, on this machine or through Celery, and that goes on has its process."""
    from telefine_assets.automation.lost_runs import lost_runs

    with closing(open_control(settings)) as control:
        found = [run.run_id for run in lost_runs(control.instance)]
    if found:
        raise Broken(
            f"{len(found)} say that they go on, and their process is gone: {', '.join(found)}",
            f"telefine stop {found[0]}; with automation.watch_failures Dagster's daemon ends and repeats them",
        )
    return "every run that goes on has its process"


LOST_RUNS = Check("lost runs", lost, "look at DAGSTER_HOME and its dagster.yaml")
