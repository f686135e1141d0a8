"""``telefine deltaone``: what came of a day's look, why, and what a holdout of some size can show.

All of it comes from public records: nothing here shows a score of a holdout that
is still in use, as JSON neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.shared import AsJson, Program, chosen, print_json, print_table, short
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attestation.standing import DayStanding
    from telefine_assets.settings.schema import ProgramSettings
    from telefine_assets.store.evidence import EvidenceStore

app = typer.Typer(no_args_is_help=True, help="Look at comparisons: what was decided, why, and what could be shown.")

STAGE = "deltaone_reports"
SIZES = (100, 200, 300, 500, 681, 1000, 1500, 2000, 3000, 5000)
_POINT = 10_000  # ppm in one percentage point
_MOST = 2_000

Day = Annotated[str | None, typer.Argument(metavar="[DAY]", help="The day; the latest with a report if left out.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write the whole report into this file instead.")]
Items = Annotated[list[int] | None, typer.Option("--items", min=1, help="A number of held-out items; may be repeated.")]
Gain = Annotated[float | None, typer.Option("--gain-pp", min=0.01, max=100, help="True gain, in percentage points.")]
Differ = Annotated[
    float | None,
    typer.Option("--discordance-percent", min=0.01, max=100, help="Share of items on which programs differ."),
]
Threshold = Annotated[
    float | None, typer.Option("--threshold-pp", min=0.01, max=100, help="Least gain that the rule asks.")
]
Alpha = Annotated[str | None, typer.Option("--alpha", help="Error that all looks share.")]
LookNumber = Annotated[int, typer.Option("--look", min=1, help="Number of the look.")]


@app.command()
def show(day: Day = None, program: Program = None, html: Html = None, as_json: AsJson = False) -> None:
    """Show a day's report: everything once DeltaOne is reached, pass or fail before; and what stands of it now.

    Example: telefine deltaone show 2026-11-16 --html report.html
    """
    from telefine_assets.attestation.standing_shown import amended, told_of
    from telefine_assets.deltaone.report import rendered

    if as_json and html is not None:
        raise TelefineError("--json and --html exclude each other: choose one")
    opened = _open(day, program)
    if as_json:
        print_json(
            {"program": opened.program, "day": opened.day, **opened.record, "standing": told_of(opened.standing)}
        )
        return
    markdown, _, page = rendered(opened.record, *opened.decided(), partial(amended, standing=opened.standing))
    if html is None:
        _print_markdown(markdown)
    else:
        try:
            html.write_bytes(page)
        except OSError as error:
            raise TelefineError(f"--html {html}: cannot be written: {error.strerror}") from None
        typer.echo(f"{html}: {opened.program} {opened.day}")


@app.command()
def explain(day: Day = None, program: Program = None, as_json: AsJson = False) -> None:
    """Explain a day's outcome: the rule as a checklist, in order, and what would cure what failed.

    Example: telefine deltaone explain
    """
    from telefine_assets.attestation.standing_shown import sentence_of, told_of
    from telefine_assets.deltaone.checklist import checklist

    opened = _open(day, program)
    record, steps = opened.record, checklist(opened.record)
    if as_json:
        told = {"code": record["code"], "steps": [asdict(step) for step in steps], "sentence": record["sentence"]}
        print_json({"program": opened.program, "day": opened.day, **told, "standing": told_of(opened.standing)})
        return
    typer.echo(f"{opened.program} {opened.day}: {'reached' if record['reached'] else 'not reached'} ({record['code']})")
    for number, step in enumerate(steps, start=1):
        typer.echo(f"  {step.state:<13}  {number:>2}. {step.says}")
    typer.echo(short(record["sentence"], _MOST))
    if since := sentence_of(opened.standing):
        typer.echo(f"since then: {short(since, _MOST)}")


@app.command()
def power(
    items: Items = None,
    gain_pp: Gain = None,
    discordance_percent: Differ = None,
    look: LookNumber = 1,
    alpha: Alpha = None,
    threshold_pp: Threshold = None,
    program: Program = None,
    as_json: AsJson = False,
) -> None:
    """Print the chance that a true gain is found, by number of held-out items: with all of alpha, and at a look.

    What is left out is as the program's settings plan it: deltaone.target_gain_ppm,
    planned_discordance_ppm, alpha and threshold_ppm. With all four given, no settings are needed.

    Example: telefine deltaone power --items 500 --items 2000 --gain-pp 5 --discordance-percent 20
    """
    from telefine_assets.deltaone.power import required_n, table
    from telefine_assets.deltaone.statistics import spent_alpha

    asked = [None if each is None else round(each * _POINT) for each in (gain_pp, discordance_percent, threshold_pp)]
    gain, differ, threshold, shared = _plan((*asked, alpha), program)
    sizes, levels = items or SIZES, (_level(shared), spent_alpha(shared, look))
    rows = table(gain, differ, levels, sizes, threshold)
    if as_json:
        print_json([{**vars(row), "alpha": str(row.alpha)} for row in rows])
        return
    typer.echo(
        f"Chance of reaching DeltaOne when the true gain is {gain / _POINT:g} pp and the programs differ on "
        f"{differ / _POINT:g} % of the items, a gain of {threshold / _POINT:g} pp being asked:\n"
    )
    by_level = [[row.power_ppm for row in rows if row.alpha == level] for level in levels]
    needed = [required_n(differ, gain, level, threshold, 800_000) for level in levels]
    print_table(
        ("items", f"alpha {float(levels[0]):.4g}", f"alpha {float(levels[1]):.4g} (look {look})"),
        [
            *((f"{n:,}", *(f"{ppm / 1e6:.3f}" for ppm in found)) for n, *found in zip(sizes, *by_level, strict=True)),
            ("for 0.800", *("no number" if n is None else f"{n:,} items" for n in needed)),
        ],
    )


def _plan(asked: Sequence[Any], program: str | None) -> list[Any]:
    """Gain, discordance and threshold in ppm, and alpha: as asked for, else as the settings plan them."""
    if None not in asked:
        return list(asked)
    own = chosen(program)[2].deltaone
    planned = (own.target_gain_ppm, own.planned_discordance_ppm, own.threshold_ppm, own.alpha)
    return [known if each is None else each for each, known in zip(asked, planned, strict=True)]


def _level(alpha: str) -> Fraction:
    try:
        level = Fraction(alpha)
    except (ValueError, ZeroDivisionError):
        level = Fraction(0)
    if not 0 < level < Fraction(1, 2):
        raise TelefineError(f"--alpha {alpha}: give a number between 0 and 0.5, such as 0.05")
    return level


@dataclass(frozen=True)
class _Opened:
    """A day's record, with what it takes to show it."""

    program: str
    day: str
    record: dict[str, Any]
    own: ProgramSettings
    evidence: EvidenceStore
    standing: DayStanding

    def decided(self) -> tuple[Any, Any]:
        """Decision and context for ``rendered``; evidence is opened only once DeltaOne is reached."""
        from telefine_assets.deltaone.report import context_of, reopened

        context = context_of(self.program, self.record)
        return reopened(self.record, self.evidence.get, context)


def _open(day: str | None, program: str | None) -> _Opened:
    from telefine_assets.attestation.standing import DayStanding
    from telefine_assets.cli.attest_shared import standing_in
    from telefine_assets.store.evidence import EvidenceStore
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore

    settings, name, own = chosen(program)
    files = Files(settings.store.uri)
    records = RecordStore(files)
    days = records.days(name, STAGE)
    if not days:
        raise TelefineError(f"{name} has no DeltaOne report yet; materialise {STAGE} first")
    found = day or days[-1]
    record = records.read(name, STAGE, found)
    standing = standing_in(settings, name)(found) if record["reached"] else DayStanding()
    return _Opened(name, found, record, own, EvidenceStore(files), standing)


def _print_markdown(text: str) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    terminal = Console()
    if terminal.is_terminal:
        terminal.print(Markdown(text, hyperlinks=False))
    else:
        typer.echo(text)
