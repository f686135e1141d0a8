"""``telefine programs``: the versions of a program, what differs between them, and which one serves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.cli.shared import AsJson, Program, chosen, print_json, print_table, short, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.records import Champion
    from telefine_assets.programs.catalogue import Catalogue
    from telefine_assets.programs.promotion import Desk, Who
    from telefine_assets.programs.spec import ProgramSpec
    from telefine_assets.settings.schema import Settings
    from telefine_assets.store.evidence import EvidenceStore

app = typer.Typer(no_args_is_help=True, help="Look at a program's versions, compare them, and choose which one serves.")

_NAMES = "champion, candidate (the latest), first, a day, or at least 6 digits of the version."
Version = Annotated[str, typer.Argument(metavar="VERSION", help=f"The version: {_NAMES}")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes into the audit log.")]
By = Annotated[str, typer.Option("--by", help="Who decides; it goes into the audit log.")]


@app.command("list")
def list_versions(program: Program = None, as_json: AsJson = False) -> None:
    """List the versions of a program: the first one, and what each day's compile came to.

    Example: telefine programs list
    """
    entries = _open(program).catalogue.entries()
    if as_json:
        print_json([each.to_record() for each in entries])
        return
    print_table(
        ("version", "day", "strategy", "validation", "DeltaOne", "serves"),
        [
            (
                *(each.version[:12], each.day or "-", each.strategy),
                "-" if each.validation_ppm is None else f"{each.validation_ppm / 10_000:.2f} %",
                *(each.deltaone or "-", "serves" if each.serves else ""),
            )
            for each in entries
        ],
    )


@app.command()
def show(version: Version = "champion", program: Program = None, as_json: AsJson = False) -> None:
    """Show a version: instructions, demos with the traces they come from, strategy, model, lineage.

    Example: telefine programs show champion
    """
    from telefine_assets.cli.programs_shown import print_version
    from telefine_assets.programs.catalogue import described

    catalogue = _open(program).catalogue
    found = described(catalogue, catalogue.resolve(version))
    if as_json:
        print_json(found)
    else:
        print_version(found)


@app.command()
def diff(a: Version, b: Version, program: Program = None, as_json: AsJson = False) -> None:
    """Show what differs between two versions, side by side: instructions, demos, settings.

    Example: telefine programs diff first champion
    """
    from telefine_assets.cli.programs_shown import print_diff
    from telefine_assets.programs.diffing import diff_versions

    catalogue = _open(program).catalogue
    one, other = (catalogue.version(catalogue.resolve(name)) for name in (a, b))
    found = diff_versions(one, other)
    if as_json:
        print_json(found.to_record())
    else:
        print_diff(found)


@app.command()
def export(
    version: Version,
    folder: Annotated[Path, typer.Argument(help="Where to write it.")],
    program: Program = None,
    force: Annotated[bool, typer.Option("--force", help="Replace another version in the folder.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a version into a folder that runs with DSPy alone, and that MLflow can serve.

    Example: telefine programs export champion ./triage
    """
    from telefine_assets.programs.packaging import replace_package

    opened = _open(program)
    found = opened.catalogue.version(opened.catalogue.resolve(version))
    if folder.exists() and not force:
        raise TelefineError(f"{folder}: is there already; choose another folder, or replace an export with --force")
    replace_package(folder, opened.spec, found, opened.own_server)
    facts = {"program": opened.spec.name, "version": found.digest, "folder": str(folder)}
    tell(as_json, facts, [f"{folder}: {opened.spec.name} {found.digest}"])


@app.command()
def promote(version: Version, reason: Reason, by: By, program: Program = None, as_json: AsJson = False) -> None:
    """Let a version serve by hand. It is loaded and checked first; the reason goes into the audit log.

    Example: telefine programs promote 3f9a2c --reason "the champion is too slow" --by ann
    """
    from telefine_assets.programs.promotion import promote_by_hand

    opened = _open(program)
    _tell(promote_by_hand(opened.desk(), opened.catalogue.resolve(version), _who(by, reason)), as_json)


@app.command()
def rollback(reason: Reason, by: By, program: Program = None, as_json: AsJson = False) -> None:
    """Let the version serve again that served before. A second rollback goes one further back.

    Example: telefine programs rollback --reason "wrong answers since noon" --by ann
    """
    from telefine_assets.programs.promotion import roll_back

    _tell(roll_back(_open(program).desk(), _who(by, reason)), as_json)


@app.command()
def history(program: Program = None, as_json: AsJson = False) -> None:
    """Show who let which version serve, when and why: the audit log, checked row by row.

    Example: telefine programs history
    """
    from telefine_assets.ledger.audit import Audit

    opened = _open(program)
    audit = Audit(opened.ledger)
    audit.verify()
    rows = audit.rows(opened.spec.name)
    if as_json:
        print_json([vars(row) for row in rows])
        return
    print_table(
        ("at", "who", "what", "version", "instead of", "why"),
        [
            (
                *(row.at, short(row.actor, 30), row.action, str(row.details["version"])[:12]),
                *(str(row.details["replaces"] or "first version")[:13], short(str(row.details["reason"]), 80)),
            )
            for row in rows
        ],
    )


@dataclass(frozen=True)
class _Opened:
    """One program of the deployment, opened."""

    settings: Settings
    spec: ProgramSpec
    catalogue: Catalogue
    ledger: Ledger
    evidence: EvidenceStore

    def desk(self) -> Desk:
        from mlflow import MlflowClient

        from telefine_assets.ledger.champions import Champions
        from telefine_assets.lm.opening import identity_of
        from telefine_assets.programs.promotion import Desk
        from telefine_assets.programs.registry import Owner, Registry

        client = MlflowClient(tracking_uri=self.settings.mlflow.tracking_uri)
        owner = Owner(self.settings.deployment, self.settings.mlflow.artifacts, self.own_server)
        registry, lm = Registry(client, self.spec, owner), identity_of(self.settings.lm)
        return Desk(self.spec, Champions(self.ledger), self.evidence.get, self.evidence.put, registry, lm)

    @property
    def own_server(self) -> bool:
        """Whether the language model stands at an address of its own."""
        return bool(self.settings.lm.api_base)


def _open(program: str | None) -> _Opened:
    from telefine_assets.ledger.champions import Champions
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.lm.opening import identity_of
    from telefine_assets.programs.catalogue import Catalogue
    from telefine_assets.programs.spec import load_spec
    from telefine_assets.programs.versions import first_version
    from telefine_assets.store.evidence import EvidenceStore
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore

    settings, name, own = chosen(program)
    spec = load_spec(name, own)
    files = Files(settings.store.uri)
    ledger, evidence = Ledger(settings.ledger.url), EvidenceStore(files)
    first = first_version(spec, identity_of(settings.lm))
    records, promotions = RecordStore(files), Champions(ledger).history(name)
    catalogue = Catalogue(name, first, records, promotions, evidence.find, evidence.get)
    return _Opened(settings, spec, catalogue, ledger, evidence)


def _who(by: str, reason: str) -> Who:
    from telefine_assets.programs.promotion import Who

    return Who(by, reason, datetime.now(UTC))


def _tell(champion: Champion, as_json: bool) -> None:
    how = f"{champion.how}: {short(champion.reason, 200)}"
    tell(as_json, asdict(champion), [f"{champion.program}: version {champion.version} serves ({how})"])
