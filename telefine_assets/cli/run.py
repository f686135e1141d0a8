"""``telefine run`` and ``telefine stop``: stages, for a day or a range of days, through Dagster."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.shared import AsJson, Program, chosen, short, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.control.driver import DagsterControl
    from telefine_assets.control.records import RunState

Stages = Annotated[
    list[str] | None, typer.Argument(metavar="[STAGE]...", help="Stages, such as traces; all when left out.")
]
Day = Annotated[str | None, typer.Option("--day", "-d", help="One UTC day, YYYY-MM-DD.")]
First = Annotated[str | None, typer.Option("--from", help="First day of a range.")]
Last = Annotated[str | None, typer.Option("--to", help="Last day of the range, included.")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait: print the ids of the runs.")]


def run(
    stages: Stages = None,
    day: Day = None,
    first: First = None,
    last: Last = None,
    program: Program = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Materialise stages of a program, one run for each day, and wait with live progress.

    Goes through Dagster's queue where its webserver runs (`make ui`), and does the work here where nothing runs.
    No further day is tried after one that failed by what the next would meet, too: no model, wrong settings.
    The last line of each day says what came of it. Exits 1 when a run fails or is stopped.

    Example: telefine run traces cleaned_traces --from 2026-11-02 --to 2026-11-06
    """
    from telefine_assets.cli.run_shown import awaited, came_of, watch
    from telefine_assets.control.driver import open_control
    from telefine_assets.control.records import RunRequest, RunStatus

    span = _span(day, first, last)
    settings, name, _ = chosen(program)
    with closing(open_control(settings)) as control:
        ids = control.start(RunRequest(name, tuple(stages or ()), *span, _me()))
        if detach:
            tell(as_json, {"runs": list(ids)}, ids)
            return
        try:
            look = (awaited if as_json else watch)(control, ids, _me())
        except KeyboardInterrupt:
            _interrupted(control, ids, as_json)
            raise typer.Exit(1) from None
    days = [came_of(settings, *each) for each in look.values()]
    states = [state for state, _ in look.values()]
    lines = [f"{each['day']}: {short(each['sentence'], 1000)}" for each in days]
    tell(as_json, {"runs": [record_of(each) for each in states], "days": days}, lines)
    if any(each.status is not RunStatus.SUCCEEDED for each in states):
        raise typer.Exit(1)


def stop(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `telefine status` has it.")],
    as_json: AsJson = False,
) -> None:
    """Ask a run to end. One whose process is gone is recorded as stopped.

    Example: telefine stop 8c1f2a90-63a5-4b0c-9d5e-0b8a3e9a4c11
    """
    from telefine_assets.control.driver import open_control
    from telefine_assets.settings.loading import load_settings

    with closing(open_control(load_settings())) as control:
        control.stop(run_id, _me())
        state = next(each for each in control.follow(run_id) if each.status.ended)
    tell(as_json, record_of(state), [f"{run_id}: {state.status}"])


def record_of(state: RunState) -> dict[str, Any]:
    """A run's state as JSON has it."""
    from dataclasses import asdict

    return asdict(state)


def _span(day: str | None, first: str | None, last: str | None) -> tuple[str, str]:
    if day is not None and first is None and last is None:
        return day, day
    if day is None and first is not None and last is not None:
        return first, last
    raise typer.BadParameter("say which days: --day D, or --from A --to B")


def _me() -> str:
    return f"{getpass.getuser()} (telefine)"


def _awaited(control: DagsterControl, run_id: str) -> RunState:
    *_, last = control.follow(run_id)
    return last


def _interrupted(control: DagsterControl, ids: Sequence[str], as_json: bool) -> None:
    """Ask what is to become of the runs; where nobody can answer, or JSON is wanted, they go on."""
    from rich.console import Console

    unfinished = [each.run_id for run_id in ids if (each := control.run(run_id)) and not each.status.ended]
    if not as_json and Console().is_terminal and typer.confirm("\nStop what was started?", default=False):
        for run_id in unfinished:
            _stopped(control, run_id)
        return
    for run_id in unfinished:
        typer.echo(f"{run_id} goes on; `telefine stop {run_id}` ends it", err=True)


def _stopped(control: DagsterControl, run_id: str) -> None:
    try:
        control.stop(run_id, _me())
        typer.echo(f"{run_id}: {_awaited(control, run_id).status}", err=True)
    except TelefineError as error:
        typer.echo(f"telefine: {error}", err=True)
