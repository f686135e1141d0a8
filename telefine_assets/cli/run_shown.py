"""How ``telefine run`` shows what goes on: a live table in a terminal, else a line for each thing that happens."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

import typer

from telefine_assets.cli.shared import short

if TYPE_CHECKING:
    from rich.table import Table

    from telefine_assets.control.driver import DagsterControl
    from telefine_assets.control.records import RunState

_POLL_SECONDS = 0.5
_LONG = 1000
_COLOURS = {"succeeded": "green", "failed": "red", "canceled": "red", "started": "cyan", "skipped": "yellow"}
Look = Mapping[str, tuple["RunState", Mapping[str, str]]]
"""Each run's state with where its stages stand, by run id."""


def watch(control: DagsterControl, ids: Sequence[str]) -> Sequence[RunState]:
    """Show the runs until all have ended; returns their last states, in the order of ``ids``.

    Raises:
        KeyboardInterrupt: the reader does not want to wait.
    """
    from rich.console import Console

    console = Console()
    with _noticing() as asked:
        looks = _looks(control, ids, asked)
        last = _live(looks, console) if console.is_terminal else _lines(looks)
    states = [state for state, _ in last.values()]
    for state in states:
        if state.error:
            typer.echo(f"{_days(state)}: {short(state.error, _LONG)}", err=True)
    return states


def awaited(control: DagsterControl, ids: Sequence[str]) -> Sequence[RunState]:
    """The last states of the runs, once all have ended, in the order of ``ids``.

    Raises:
        KeyboardInterrupt: the reader does not want to wait.
    """
    with _noticing() as asked:
        *_, last = _looks(control, ids, asked)
    return [last[run_id][0] for run_id in ids]


@contextmanager
def _noticing() -> Iterator[Event]:
    """Notice Ctrl-C instead of raising it at once: within a database's driver it can be lost."""
    asked = Event()
    before = signal.signal(signal.SIGINT, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _looks(control: DagsterControl, ids: Sequence[str], asked: Event) -> Iterator[Look]:
    """What is known of the runs, now and again, until all have ended or somebody ``asked`` to leave."""
    found: dict[str, tuple[RunState, Mapping[str, str]]] = {}
    while True:
        for run_id in ids:
            if run_id in found and found[run_id][0].status.ended:
                continue
            if (state := control.run(run_id)) is not None:
                found[run_id] = (state, control.steps(run_id) if state.started_ms else {})
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
            day = _days(state)
            progress = [f"{day}  {short(state.progress, 200)}"] if state.progress else []
            stages = [f"{day}  {stage}: {status}" for stage, status in steps.items()]
            for line in (*progress, *stages, f"{day}  run {state.run_id} {state.status}"):
                if line not in said:
                    typer.echo(line)
                    said.add(line)
    return look


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
    from rich.table import Table
    from rich.text import Text

    table = Table("day", "run", "status", "stages", "progress", box=None, pad_edge=False)
    for state, steps in look.values():
        stages = Text()
        for stage in state.stages:
            stages.append(f"{stage} ", _COLOURS.get(steps.get(stage, ""), "dim"))
        status = Text(state.status, _COLOURS.get(state.status, "dim"))
        table.add_row(Text(_days(state)), state.run_id[:8], status, stages, Text(short(state.progress, 80)))
    return table


def _days(state: RunState) -> str:
    return " to ".join(state.days)
