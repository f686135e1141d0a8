"""``telefine improvement``: what became of a program in some days, made of what is stored, there and then."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.cli.shared import AsJson, Program, chosen, plain
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.improvement.gathering import Gathered
    from telefine_assets.settings.schema import Settings

app = typer.Typer(no_args_is_help=True, help="Look at what became of a program: tried, spent, certified, moved, given.")

Day = Annotated[
    str | None, typer.Argument(metavar="[DAY]", help="The last day, YYYY-MM-DD; the last complete one if left out.")
]
Days = Annotated[int | None, typer.Option("--days", min=1, max=92, help="How many days; the settings' if left out.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write the whole report into this file.")]
Eml = Annotated[Path | None, typer.Option("--eml", help="Write it in short into this file, as the draft of an e-mail.")]


@app.callback()
def improvement() -> None:
    """Look at what became of a program: tried, spent, certified, moved, given."""


@app.command()
def show(
    day: Day = None,
    program: Program = None,
    days: Days = None,
    html: Html = None,
    eml: Eml = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of a program in the days that end with DAY, against as many before, from what is stored.

    Needs no run, and changes nothing; `telefine run improvement_reports --day DAY` keeps the report.

    Example: telefine improvement show 2026-11-15 --html report.html
    """
    from telefine_assets.improvement.report import facts_of, report_of

    settings, name, _ = chosen(program)
    found = _gathered(settings, name, day, days)
    if html is not None or eml is not None:
        files = report_of(found).files
        for option, path, file in (("--html", html, "report.html"), ("--eml", eml, "report.eml")):
            _write(option, path, files[file])
    facts = facts_of(found)
    if as_json:
        typer.echo(json.dumps({"program": name, "day": found.last, **facts}, indent=2))
        return
    typer.echo(plain(facts["summary"]), nl=False)


def _gathered(settings: Settings, program: str, day: str | None, days: int | None) -> Gathered:
    from telefine_assets.cli.attest_shared import standing_in
    from telefine_assets.improvement.gathering import gather
    from telefine_assets.improvement.opening import sources_of
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore
    from telefine_assets.store.tables import TableStore

    own, files = settings.program(program), Files(settings.store.uri)
    with closing(Ledger(settings.ledger.url)) as ledger:
        return gather(
            program,
            own.description,
            own.metric.label,
            _day(settings, day),
            days or own.improvement.days,
            settings.partitions.start,
            sources_of(program, RecordStore(files), TableStore(files), ledger, standing_in(settings, program)),
        )


def _day(settings: Settings, day: str | None) -> str:
    """The day that is meant.

    Raises:
        TelefineError: it is none.
    """
    if day is None:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        return min(yesterday, settings.partitions.end or yesterday).isoformat()
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError:
        raise TelefineError(f"{day}: a day is written YYYY-MM-DD") from None


def _write(option: str, path: Path | None, content: bytes) -> None:
    if path is None:
        return
    try:
        path.write_bytes(content)
    except OSError as error:
        raise TelefineError(f"{option} {path}: cannot be written: {error.strerror}") from None
    typer.echo(f"{path}: written", err=True)
