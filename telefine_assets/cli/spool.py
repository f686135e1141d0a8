"""``telefine spool``: traces that the API took in, on their way to MLflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.cli.shared import AsJson, print_json, print_table, program_names, short, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.spool import Spool
    from telefine_assets.ledger.spool_records import Lag
    from telefine_assets.settings.schema import Settings
    from telefine_assets.traces.mlflow_writing import MlflowWriter
    from telefine_assets.traces.spooling import Drained, Place

app = typer.Typer(no_args_is_help=True, help="Write traces that the API took in to MLflow, and see what waits.")

Only = Annotated[str | None, typer.Option("--program", "-p", help="Only this program's.", autocompletion=program_names)]
Act = Callable[["Spool", "Place", "MlflowWriter"], "Drained"]

_EVER = 2**63 - 1


@app.command()
def status(program: Only = None, as_json: AsJson = False) -> None:
    """Say how many traces wait, since when, and how many MLflow refuses; also of programs no longer set up.

    Example: telefine spool status --json
    """
    from telefine_assets.ledger.spool import Spool

    settings, ledger = _opened(program)
    spool = Spool(ledger)
    names = [program] if program else sorted({*settings.programs, *spool.programs()})
    rows = {name: told(lag) for name, lag in spool.lags(names).items()}
    if as_json:
        print_json(rows)
        return
    print_table(["program", *next(iter(rows.values()))], [(name, *row.values()) for name, row in rows.items()])


@app.command()
def drain(
    program: Only = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each program.")] = _EVER,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on for ever, with all programs: new ones are written within seconds.")
    ] = False,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="With --follow: until standard input ends, as `telefine serve` has it.")
    ] = False,
) -> None:
    """Write what waits to MLflow. One process at a time does so; another waits for it. `telefine serve` does it, too.

    It may be stopped at any moment: what was written twice is one trace all the same.

    Example: telefine spool drain --program triage
    """
    settings, ledger = _opened(program)
    if follow:
        from telefine_assets.cli.spool_following import at_end_of_input, keep_draining

        keep_draining(settings, ledger, at_end_of_input() if until_eof else Event(), _say)
        return
    _tell(drain_waiting(settings, ledger, _say, program, limit))


@app.command()
def refused(program: Only = None, as_json: AsJson = False) -> None:
    """List the traces that MLflow refuses, with what it said.

    Example: telefine spool refused --program triage
    """
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
        print_json(rows)
        return
    print_table(
        ["program", "position", "trace", "reason"],
        [(*list(row.values())[:3], short(str(row["reason"]), 120)) for row in rows],
    )


@app.command()
def replay(program: Only = None, as_json: AsJson = False) -> None:
    """Try to write the traces that MLflow refused before; what it takes now is put aside no longer.

    Example: telefine spool replay --program triage
    """
    from telefine_assets.traces.spooling import replay as tried

    settings, ledger = _opened(program)
    _tell(
        _in_turn(settings, ledger, _say, program, lambda spool, place, writer: tried(spool, place, writer, _now_ms())),
        as_json,
    )


def drain_waiting(
    settings: Settings,
    ledger: Ledger,
    say: Callable[[str], None],
    program: str | None = None,
    limit: int = _EVER,
    stop: Event | None = None,
) -> Mapping[str, Drained]:
    """Write what waits of one program or of all, each as far as MLflow lets it.

    Raises:
        TurnGivenUp: ``stop`` was set while another process drained.
        TelefineError: some of it cannot be written now; the rest was.
    """
    from telefine_assets.traces.spooling import drain as drained

    def act(spool: Spool, place: Place, writer: MlflowWriter) -> Drained:
        return drained(spool, place, writer, limit, _now_ms())

    return _in_turn(settings, ledger, say, program, act, stop)


def _in_turn(
    settings: Settings,
    ledger: Ledger,
    say: Callable[[str], None],
    program: str | None,
    act: Act,
    stop: Event | None = None,
) -> Mapping[str, Drained]:
    """Do something to the spool of each program, while nobody else does."""
    from telefine_assets.control.spool_failures import keep_failure
    from telefine_assets.ledger.spool import Spool
    from telefine_assets.ledger.turns import turn
    from telefine_assets.traces.mlflow_writing import MlflowWriter

    done: dict[str, Drained] = {}
    failed: list[str] = []
    with turn(ledger, "spool", 1, say, stop):
        for name in [program] if program else settings.programs:
            writer = MlflowWriter(settings.mlflow.tracking_uri, settings.program(name).experiment)
            try:
                done[name] = act(Spool(ledger), _place(settings, name), writer)
            except TelefineError as error:
                failed.append(f"{name}: {error}")
                keep_failure(settings.home, name, str(error))
            else:
                keep_failure(settings.home, name, None)
    if failed:
        raise TelefineError("; ".join(failed))
    return done


def _place(settings: Settings, program: str) -> Place:
    from telefine_assets.traces.spooling import Place

    own = settings.program(program).cleaning
    return Place(program, own.contributor_tag, own.submission_tag)


def _opened(program: str | None) -> tuple[Settings, Ledger]:
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    if program is not None:
        settings.program(program)
    return settings, Ledger(settings.ledger.url)


def told(lag: Lag) -> dict[str, int | None]:
    """A program's lag as it is shown."""
    waits = lag.oldest_seconds(_now_ms())
    return {"accepted": lag.accepted, "waiting": lag.waiting, "oldest_seconds": waits, "refused": lag.refused}


def _tell(done: Mapping[str, Drained], as_json: bool = False) -> None:
    facts = {name: {"written": each.written, "refused": len(each.refused)} for name, each in done.items()}
    lines = [f"{name}: {each['written']} written, {each['refused']} refused by MLflow" for name, each in facts.items()]
    tell(as_json, facts, lines)
    if any(each.refused for each in done.values()):
        _say("see: telefine spool refused")


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
