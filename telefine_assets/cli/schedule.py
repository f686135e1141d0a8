"""``telefine schedule``: what runs by itself, turned on and off."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.cli.shared import AsJson, print_json, print_table, short, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.control.records import AutomationState

app = typer.Typer(no_args_is_help=True, help="See what runs by itself, and turn it on or off.")
Name = Annotated[str, typer.Argument(help="A schedule's or sensor's name, as `telefine schedule list` has it.")]


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List schedules and sensors: on or off, next and last tick, and what that said.

    Example: telefine schedule list
    """
    found = _all()
    if as_json:
        print_json([asdict(each) for each in found])
        return
    print_table(
        ("name", "kind", "on", "next", "last", "", "said"),
        [
            (
                *(each.name, each.kind, "on" if each.running else "off", when(each.next_ms), when(each.last_ms)),
                *(each.last or "-", short(each.said)),
            )
            for each in found
        ],
    )


@app.command()
def on(name: Name, as_json: AsJson = False) -> None:
    """Turn a schedule or sensor on; it ticks while a Dagster daemon runs (`make ui`).

    Example: telefine schedule on film_reviews_schedule
    """
    _turn(name, "start", as_json)


@app.command()
def off(name: Name, as_json: AsJson = False) -> None:
    """Turn a schedule or sensor off.

    Example: telefine schedule off film_reviews_schedule
    """
    _turn(name, "stop", as_json)


def when(ms: int | None) -> str:
    """A moment, to the minute, UTC."""
    return "-" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _all() -> list[AutomationState]:
    from telefine_assets.control.driver import open_control
    from telefine_assets.settings.loading import load_settings

    with closing(open_control(load_settings())) as control:
        return list(control.automation(None))


def _turn(name: str, verb: str, as_json: bool) -> None:
    """Dagster's own command does it, on the workspace of its daemon."""
    import subprocess

    from telefine_assets.control.instance import dagster_home
    from telefine_assets.settings.file import config_path
    from telefine_assets.settings.loading import load_settings

    kinds = {each.name: each.kind for each in _all()}
    if name not in kinds:
        raise TelefineError(f"{name}: no such schedule or sensor; there are: {', '.join(kinds) or 'none'}")
    workspace = config_path().parent / "workspace.yaml"
    if not workspace.is_file():
        raise TelefineError(f"{workspace}: is not there; `telefine init` writes one")
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "dagster", kinds[name], verb, name, "-w", str(workspace)],
        env={**os.environ, "DAGSTER_HOME": str(dagster_home(load_settings()))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise TelefineError(f"{name}: Dagster did not {verb} it: {said[-1] if said else 'it said nothing'}")
    facts = {"name": name, "kind": kinds[name], "running": verb == "start"}
    tell(as_json, facts, [f"{name}: {'on' if verb == 'start' else 'off'}"])
