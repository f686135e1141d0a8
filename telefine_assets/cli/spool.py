"""``telefine spool``: traces that the API took in, on their way to MLflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.shared import AsJson, print_table, short
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.spool import Spool
    from telefine_assets.settings import Settings
    from telefine_assets.traces.mlflow_writing import MlflowWriter
    from telefine_assets.traces.spooling import Drained, Place

app = typer.Typer(no_args_is_help=True, help="Write traces that the API took in to MLflow, and see what waits.")

Only = Annotated[str | None, typer.Option("--program", "-p", help="Only this program's.")]
Act = Callable[["Spool", "Place", "MlflowWriter"], "Drained"]

_EVER = 2**63 - 1
_PAUSE_SECONDS, _LONGEST_SECONDS = 1.0, 60.0


@app.command()
def status(program: Only = None, as_json: AsJson = False) -> None:
    """Say how many traces wait, since when, and how many MLflow refuses; also of programs no longer set up."""
    from telefine_assets.ledger.spool import Spool

    settings, ledger = _opened(program)
    spool = Spool(ledger)
    names = [program] if program else sorted({*settings.programs, *spool.programs()})
    rows = {name: _told(spool, name) for name in names}
    if as_json:
        _print(rows)
        return
    print_table(["program", *next(iter(rows.values()))], [(name, *row.values()) for name, row in rows.items()])


@app.command()
def drain(
    program: Only = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each program.")] = _EVER,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on for ever: new ones are written within seconds.")
    ] = False,
) -> None:
    """Write what waits to MLflow. One process at a time does so; another waits for it.

    It may be stopped at any moment: what was written twice is one trace all the same.
    """
    settings, ledger = _opened(program)
    if follow:
        keep_draining(settings, ledger, Event(), _say)
    _tell(drain_waiting(settings, ledger, _say, program, limit))


@app.command()
def refused(program: Only = None, as_json: AsJson = False) -> None:
    """List the traces that MLflow refuses, with what it said."""
    from telefine_assets.ledger.spool import Spool
    from telefine_assets.traces.spooling import trace_id_of

    settings, ledger = _opened(program)
    names = [program] if program else sorted({*settings.programs, *Spool(ledger).programs()})
    found = [(name, each) for name in names for each in Spool(ledger).refused(name)]
    rows = [
        {
            "program": name,
            "position": each.trace.position,
            "trace_id": trace_id_of(each.trace.identity),
            "reason": each.reason,
        }
        for name, each in found
    ]
    if as_json:
        _print(rows)
        return
    print_table(
        ["program", "position", "trace", "reason"],
        [(*list(row.values())[:3], short(str(row["reason"]), 120)) for row in rows],
    )


@app.command()
def replay(program: Only = None) -> None:
    """Try to write the traces that MLflow refused before; what it takes now is put aside no longer."""
    from telefine_assets.traces.spooling import replay as tried

    settings, ledger = _opened(program)
    _tell(
        _in_turn(settings, ledger, _say, program, lambda spool, place, writer: tried(spool, place, writer, _now_ms()))
    )


def drain_waiting(
    settings: Settings, ledger: Ledger, say: Callable[[str], None], program: str | None = None, limit: int = _EVER
) -> Mapping[str, Drained]:
    """Write what waits of one program or of all, each as far as MLflow lets it.

    Raises:
        TelefineError: some of it cannot be written now; the rest was.
    """
    from telefine_assets.traces.spooling import drain as drained

    def act(spool: Spool, place: Place, writer: MlflowWriter) -> Drained:
        return drained(spool, place, writer, limit, _now_ms())

    return _in_turn(settings, ledger, say, program, act)


def keep_draining(settings: Settings, ledger: Ledger, stop: Event, say: Callable[[str], None]) -> None:
    """Drain until ``stop``; what goes wrong is said, and tried again after a while."""
    from sqlalchemy.exc import DBAPIError

    from telefine_assets.ledger.spool import Spool

    spool, pause = Spool(ledger), _PAUSE_SECONDS
    while not stop.wait(pause):
        try:
            if any(spool.lag(name).waiting for name in settings.programs):
                drain_waiting(settings, ledger, say)
            pause = _PAUSE_SECONDS
        except (TelefineError, DBAPIError) as error:
            say(short(str(error), 500))
            pause = min(pause * 2, _LONGEST_SECONDS)


def _in_turn(
    settings: Settings, ledger: Ledger, say: Callable[[str], None], program: str | None, act: Act
) -> Mapping[str, Drained]:
    """Do something to the spool of each program, while nobody else does."""
    from telefine_assets.ledger.spool import Spool
    from telefine_assets.ledger.turns import turn
    from telefine_assets.traces.mlflow_writing import MlflowWriter

    done: dict[str, Drained] = {}
    failed: list[str] = []
    with turn(ledger, "spool", 1, say):
        for name in [program] if program else settings.programs:
            writer = MlflowWriter(settings.mlflow.tracking_uri, settings.program(name).experiment)
            try:
                done[name] = act(Spool(ledger), _place(settings, name), writer)
            except TelefineError as error:
                failed.append(f"{name}: {error}")
    if failed:
        raise TelefineError("; ".join(failed))
    return done


def _place(settings: Settings, program: str) -> Place:
    from telefine_assets.traces.spooling import Place

    own = settings.program(program).cleaning
    return Place(program, own.contributor_tag, own.submission_tag)


def _opened(program: str | None) -> tuple[Settings, Ledger]:
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.settings import load_settings

    settings = load_settings()
    if program is not None:
        settings.program(program)
    return settings, Ledger(settings.ledger.url)


def _told(spool: Spool, program: str) -> dict[str, Any]:
    lag = spool.lag(program)
    waits = None if lag.oldest_ms is None else max(0, (_now_ms() - lag.oldest_ms) // 1000)
    return {"accepted": lag.accepted, "waiting": lag.waiting, "oldest_seconds": waits, "refused": lag.refused}


def _tell(done: Mapping[str, Drained]) -> None:
    for name, drained in done.items():
        typer.echo(f"{name}: {drained.written} written, {len(drained.refused)} refused by MLflow")
        if drained.refused:
            typer.echo("see: telefine spool refused", err=True)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _print(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2))
