"""The ``telefine`` command.

Exit codes: 0 done; 1 what was asked did not hold or failed, with a message
that says why; 2 the command was not understood; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from telefine_assets.cli import (
    alerts,
    attest,
    audit,
    backup,
    bench,
    chain,
    config,
    contributors,
    deltaone,
    demo,
    doctor,
    erase,
    evidence,
    improvement,
    init,
    keys,
    ledger,
    payouts,
    programs,
    retention,
    run,
    schedule,
    serve,
    spool,
    status,
    submissions,
    traces,
)
from telefine_assets.cli.shared import plain
from telefine_assets.control.surroundings import told_of

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    help="Turns logged DSPy traces into a better program, proves the gain, and pays the people who made it.",
    pretty_exceptions_enable=False,
)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"telefine {version('telefine-assets')}")
        raise typer.Exit


@app.callback()
def everywhere(
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version, and end.")
    ] = False,
) -> None:
    """What goes before every command."""


app.add_typer(config.app, name="config")
app.add_typer(traces.app, name="traces")
app.add_typer(programs.app, name="programs")
app.add_typer(deltaone.app, name="deltaone")
app.add_typer(attest.app, name="attest")
app.add_typer(submissions.app, name="submissions")
app.add_typer(spool.app, name="spool")
app.add_typer(contributors.app, name="contributors")
app.add_typer(payouts.app, name="payouts")
app.add_typer(improvement.app, name="improvement")
app.add_typer(evidence.app, name="evidence")
app.add_typer(audit.app, name="audit")
app.add_typer(ledger.app, name="ledger")
app.add_typer(erase.app, name="erase")
app.add_typer(retention.app, name="retention")
app.add_typer(chain.app, name="chain")
app.add_typer(schedule.app, name="schedule")
app.add_typer(alerts.app, name="alerts")
app.add_typer(keys.app, name="keys")
app.command("demo")(demo.demo)
app.command("init")(init.init)
app.command("run")(run.run)
app.command("stop")(run.stop)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("bench")(bench.bench)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("serve")(serve.serve)


def told(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a ``TelefineError`` into its message and exit code 1, and what disks and databases refuse.

    Anything else is a defect, and keeps its traceback.
    """

    @wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except Exception as error:
            said = told_of(error)
            if said is None:
                raise
            typer.echo(f"telefine: {plain(said)}", err=True)
            sys.exit(1)

    return wrapped


main = told(app)

if __name__ == "__main__":
    main()
