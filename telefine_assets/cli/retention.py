"""``telefine retention``: what may go by the settings' rules, and its removal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.cli.shared import AsJson, print_json, print_table, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.keeping.retention import Keeper, Plan, Rules
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.settings.schema import Settings
    from telefine_assets.store.files import Files

app = typer.Typer(no_args_is_help=True, help="Remove what the settings let go; never what a proof or a payout needs.")

_LISTED = 20


@dataclass(frozen=True)
class _Place:
    """What a plan is made of."""

    settings: Settings
    ledger: Ledger
    files: Files
    keepers: list[Keeper]

    def plan(self) -> Plan:
        from telefine_assets.keeping.retention import plan

        return plan(_rules(self.settings), self.ledger, self.files, self.keepers, datetime.now(UTC))


@app.command("plan")
def show(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to a file, for `retention apply`.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what would go, and what is held by which attestation or payout; nothing is changed.

    Example: telefine retention plan --output plan.json
    """
    from telefine_assets.cli.payouts_shared import replace_file

    with _opened() as place:
        found = place.plan()
    if output is not None:
        replace_file(output, found.to_bytes())
    if as_json:
        print_json(asdict(found) | {"digest": found.digest()})
    else:
        _show(found)


@app.command()
def apply(
    file: Annotated[Path | None, typer.Argument(help="A plan that was written; by default, what there is now.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who removes it; it goes into the audit log.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what a plan names and nothing else, as far as nothing needs it by now; then verify every proof.

    A run that was cut off goes on when it is run again.

    Example: telefine retention apply plan.json --by ann
    """
    from telefine_assets.cli.attest_shared import asked, trust_of
    from telefine_assets.cli.backup import interruptible, progress
    from telefine_assets.keeping.backing_up import TURN
    from telefine_assets.keeping.proving import prove
    from telefine_assets.keeping.retention import apply, read_plan
    from telefine_assets.ledger.turns import turn

    wanted = None if file is None else read_plan(_read(file))
    if not by:
        raise TelefineError("the audit log wants to know who removes something: say it with --by")
    with interruptible("run it again to go on"), _opened() as place:
        wanted = wanted or place.plan()
        if wanted.removals:
            asked(f"Remove {_summary(wanted)} for ever?", yes, as_json)
        with turn(place.ledger, TURN, 1, lambda text: typer.echo(text, err=True)):
            still = place.plan()
            if wanted.removals:
                _audit(place, wanted, by)
            removed = apply(wanted, still, place.files, place.keepers, datetime.now(UTC), progress())
        proven = prove(place.ledger, trust_of(place.settings, place.ledger), place.files, progress())
    done, left = len(removed), len(wanted.removals) - len(removed)
    said = (
        f"{done} removed; {left} are gone already, or needed by now",
        f"verified: {proven.attestations} attestations, the claims of {proven.payouts} payouts",
    )
    tell(as_json, {"removed": done, "left": left} | asdict(proven), said)
    for problem in proven.problems:
        typer.echo(f"does not verify: {problem}", err=True)
    if proven.problems:
        raise typer.Exit(1)


@contextmanager
def _opened() -> Iterator[_Place]:
    from telefine_assets.cli.attest_shared import ledger_of
    from telefine_assets.control.instance import open_instance
    from telefine_assets.control.old_runs import DagsterRuns
    from telefine_assets.keeping.mlflow_runs import MlflowRuns
    from telefine_assets.settings.loading import load_settings
    from telefine_assets.store.files import Files

    settings = load_settings()
    ledger, files = ledger_of(settings), Files(settings.store.uri)
    if settings.retention.runs_days is None:
        yield _Place(settings, ledger, files, [])
        return
    from mlflow import MlflowClient

    with open_instance(settings) as instance:
        tracking = MlflowRuns(MlflowClient(settings.mlflow.tracking_uri), settings.programs)
        yield _Place(settings, ledger, files, [DagsterRuns(instance), tracking])


def _rules(settings: Settings) -> Rules:
    from telefine_assets.keeping.retention import Rules

    programs = settings.programs.items()
    windows = {name: each.compile.lookback_days for name, each in programs}
    remembered = {name: each.cleaning.near_duplicates.lookback_days for name, each in programs}
    return Rules(settings.retention, windows, remembered)


def _audit(place: _Place, wanted: Plan, by: str) -> None:
    """Say it before it is done: a run that is cut off has said more than it did."""
    from telefine_assets.cli.attest_shared import audit_entry
    from telefine_assets.ledger.audit import Audit

    totals = {kind: {"number": number, "bytes": str(size)} for kind, (number, size) in wanted.totals().items()}
    entry = audit_entry(by, "remove by retention", place.settings.deployment, plan=wanted.digest(), **totals)
    Audit(place.ledger).append(entry, datetime.now(UTC))


def _show(found: Plan) -> None:
    if found.removals:
        kinds = [(kind, number, size) for kind, (number, size) in found.totals().items()]
        print_table(("what", "number", "bytes"), kinds)
    shown = [each for each in found.removals if each.kind != "evidence"][:_LISTED]
    for each in shown:
        typer.echo(f"  would go: {each.kind} {each.name}")
    if len(found.removals) > len(shown):
        typer.echo(f"  and {len(found.removals) - len(shown)} more; see all with --json")
    for program, first in found.kept_from.items():
        typer.echo(f"  {program}: no day that looks back to before {first} could be made again")
    for held in found.held:
        typer.echo(f"  held: {held.name}: {held.by}")
    typer.echo(f"plan {found.digest()}" if found.removals else "nothing would go")


def _summary(wanted: Plan) -> str:
    return ", ".join(f"{number} of kind {kind} ({size} bytes)" for kind, (number, size) in wanted.totals().items())


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TelefineError(f"{file}: cannot be read ({error.strerror})") from None
