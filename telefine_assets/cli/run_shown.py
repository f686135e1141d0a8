"""How ``telefine run`` shows what goes on: a live table in a terminal, else a line for each thing that happens."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from threading import Event
from typing import TYPE_CHECKING, Any

import typer

from telefine_assets.cli.shared import folding, short
from telefine_assets.control.records import RunStatus
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from rich.table import Table

    from telefine_assets.control.driver import DagsterControl
    from telefine_assets.control.records import RunState
    from telefine_assets.settings.schema import Settings

_POLL_SECONDS = 0.5
_LONG = 1000
_COLOURS = {"succeeded": "green", "failed": "red", "canceled": "red", "started": "cyan", "skipped": "yellow"}
Look = Mapping[str, tuple["RunState", Mapping[str, str]]]
"""Each run's state with where its stages stand, by run id."""


def watch(control: DagsterControl, ids: Sequence[str], by: str) -> Look:
    """Show the runs until all have ended, and what failed; returns how they stand, in the order of ``ids``.

    Raises:
        KeyboardInterrupt: the reader does not want to wait.
    """
    from rich.console import Console

    console = Console()
    with _noticing() as asked:
        looks = _looks(control, ids, by, asked)
        last = _live(looks, console) if console.is_terminal else _lines(looks)
    for error, alike in groupby((last[run_id][0] for run_id in ids), key=lambda state: state.error):
        if error:
            days = [day for state in alike for day in state.days]
            typer.echo(f"{' to '.join(dict.fromkeys((days[0], days[-1])))}: {short(error, _LONG)}", err=True)
    return {run_id: last[run_id] for run_id in ids}


def awaited(control: DagsterControl, ids: Sequence[str], by: str) -> Look:
    """How the runs stand, once all have ended, in the order of ``ids``.

    Raises:
        KeyboardInterrupt: the reader does not want to wait.
    """
    with _noticing() as asked:
        *_, last = _looks(control, ids, by, asked)
    return {run_id: last[run_id] for run_id in ids}


def came_of(settings: Settings, state: RunState, steps: Mapping[str, str]) -> dict[str, Any]:
    """What came of a run's day, as JSON values: of the stages that it made, and which one failed."""
    from telefine_assets.control.outcome import read_outcome

    made = [stage for stage, status in steps.items() if status == "succeeded"]
    try:
        found = read_outcome(settings, state.program or "", state.days[0], made).to_record()
    except TelefineError as error:
        found = {"day": state.days[0], "sentence": f"what came of it cannot be told: {error}"}
    said = [found["sentence"] or f"{', '.join(made)} made"] if made else []
    said += [f"{stage} failed" for stage, status in steps.items() if status == "failed"]
    if state.status is RunStatus.CANCELED:
        said.append("stopped" if state.started_ms else "not tried")
    return {"run_id": state.run_id, "status": state.status, **found, "sentence": "; ".join(said) or str(state.status)}


@contextmanager
def _noticing() -> Iterator[Event]:
    """Notice Ctrl-C instead of raising it at once: within a database's driver it can be lost."""
    asked = Event()
    before = signal.signal(signal.SIGINT, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _looks(control: DagsterControl, ids: Sequence[str], by: str, asked: Event) -> Iterator[Look]:
    """What is known of the runs, now and again, until all have ended or somebody ``asked`` to leave.

    Of a failed one's fellows none is tried any more that would fail by the same, ``by`` whoever looks on.
    """
    found: dict[str, tuple[RunState, Mapping[str, str]]] = {}
    while True:
        for run_id in ids:
            if run_id in found and found[run_id][0].status.ended:
                continue
            if (state := control.run(run_id)) is not None:
                found[run_id] = (state, control.steps(run_id) if state.started_ms else {})
                if state.status is RunStatus.FAILED:
                    # Where it cannot be taken out of the queue, it fails by itself.
                    with suppress(TelefineError):
                        control.give_up(run_id, ids, by)
        yield found
        if len(found) == len(ids) and all(state.status.ended for state, _ in found.values()):
            return
        if asked.wait(_POLL_SECONDS):
            raise KeyboardInterrupt


def _lines(looks: Iterator[Look]) -> Look:
    said: set[str] = set()
    look: Look = {}
    for look in looks:
        for state, steps in look.values():
            for line in _told(state, steps):
                if line not in said:
                    typer.echo(line)
                    said.add(line)
    return look


def _told(state: RunState, steps: Mapping[str, str]) -> Iterator[str]:
    """The lines of one look at a run. What began and ended between two looks is told as having begun, too."""
    day = _days(state)
    if state.started_ms is not None:
        yield f"{day}  run {state.run_id} {RunStatus.STARTED}"
    if state.progress:
        yield f"{day}  {short(state.progress, 200)}"
    for stage, status in steps.items():
        if status in ("succeeded", "failed"):
            yield f"{day}  {stage}: started"
        yield f"{day}  {stage}: {status}"
    yield f"{day}  run {state.run_id} {state.status}"


def _live(looks: Iterator[Look], console: object) -> Look:
    from rich.console import Console
    from rich.live import Live

    assert isinstance(console, Console)
    look: Look = {}
    with Live(console=console, refresh_per_second=4) as live:
        for look in looks:
            live.update(_table(look))
    return look


def _table(look: Look) -> Table:
    from rich.text import Text

    table = folding("day", "run", "status", "stages", "progress")
    for state, steps in look.values():
        stages = Text()
        for stage in state.stages:
            stages.append(f"{stage} ", _COLOURS.get(steps.get(stage, ""), "dim"))
        status = Text(state.status, _COLOURS.get(state.status, "dim"))
        table.add_row(Text(_days(state)), state.run_id, status, stages, Text(short(state.progress, 80)))
    return table


def _days(state: RunState) -> str:
    return " to ".join(state.days)
