"""Checks of Dagster: instance, webserver, daemon, definitions, runs."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from telefine_assets.control.driver import open_control
from telefine_assets.control.health import Broken, Check, Skipped
from telefine_assets.control.instance import dagster_home, heartbeats, late
from telefine_assets.control.records import RunState, RunStatus
from telefine_assets.control.webserver import webserver_at

if TYPE_CHECKING:
    from telefine_assets.settings.schema import Settings

_LONG_SECONDS = 24 * 3600
_START = "start `make ui`, or the command `dagster-daemon run` with DAGSTER_HOME and workspace.yaml"


def instance(settings: Settings) -> str:
    """Opens, and can be asked for runs."""
    with closing(open_control(settings)) as control:
        control.runs(None, 1)
    return str(dagster_home(settings))


def webserver(settings: Settings) -> str:
    """If one answers, it is that of our own instance."""
    with closing(open_control(settings)) as control:
        found = webserver_at(settings.dagster.url, control.instance)
    if found is None:
        raise Skipped(
            f"nothing answers at dagster.url = {settings.dagster.url}; runs are done in a process of their own"
        )
    return found.url


def definitions(settings: Settings) -> str:
    """Can be loaded, as Dagster's daemon loads them."""
    from telefine_assets.definitions import build_defs
    from telefine_assets.settings.file import config_path

    defs = build_defs(settings)
    defs.resolve_all_asset_specs()
    workspace = config_path().parent / "workspace.yaml"
    if not workspace.is_file():
        raise Broken(
            f"{workspace}: is not there, so that no daemon or webserver can be started",
            "`telefine init DIR` writes one",
        )
    return str(workspace)


def daemon(settings: Settings) -> str:
    """Runs, if anything waits for it: a schedule or sensor that is on, or a run in the queue."""
    with closing(open_control(settings)) as control:
        beats = heartbeats(control.instance, time.time())
        waiting = [each.name for each in control.automation(None) if each.running]
        queued = [each for each in control.unfinished() if each.status is RunStatus.QUEUED]
    still = late(beats)
    if beats and not still:
        return f"heard of {min(beats.values()):.0f} seconds ago"
    said = f"last heard of {min(beats.values()):.0f} seconds ago" if beats else "never ran here"
    if len(still) < len(beats):
        raise Broken(f"parts of it stand still: {', '.join(still)}", f"stop it, and {_START}")
    if waiting or queued:
        raise Broken(f"{said}; what waits for it: {', '.join(waiting) or f'{len(queued)} runs in the queue'}", _START)
    raise Skipped(f"{said}; nothing waits for it")


def runs(settings: Settings) -> str:
    """None that goes on is without a process, and none goes on for longer than a day."""
    with closing(open_control(settings)) as control:
        orphans, unfinished = control.orphans(), control.unfinished()
    if orphans:
        raise Broken(f"{len(orphans)} whose process is gone: {', '.join(orphans)}", f"telefine stop {orphans[0]}")
    if old := [each for each in unfinished if _age(each) > _LONG_SECONDS]:
        raise Broken(f"{old[0].run_id} goes on for more than a day", f"telefine stop {old[0].run_id}")
    return f"{len(unfinished)} go on or wait"


def _age(state: RunState) -> float:
    return 0.0 if state.started_ms is None else time.time() - state.started_ms / 1000


DAGSTER = (
    Check("Dagster instance", instance, "look at DAGSTER_HOME and its dagster.yaml"),
    Check("Dagster webserver", webserver, "look at dagster.url"),
    Check("definitions", definitions, "try `telefine config check`, and look at the programs' code"),
    Check("Dagster daemon", daemon, _START),
    Check("runs", runs, "look at DAGSTER_HOME and its dagster.yaml"),
)
