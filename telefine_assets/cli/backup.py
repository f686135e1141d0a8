"""``telefine backup`` and ``telefine restore``: everything that a deployment keeps, copied and put back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from getpass import getuser
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.cli.shared import AsJson, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.keeping.backing_up import Backup
    from telefine_assets.keeping.erasure_list import CameBack
    from telefine_assets.keeping.manifest import Manifest
    from telefine_assets.keeping.places import Places, Track
    from telefine_assets.keeping.vault import Vault
    from telefine_assets.settings.schema import Settings


class Part(StrEnum):
    """What can be left out."""

    MLFLOW = "mlflow"
    DAGSTER = "dagster"


Without = Annotated[
    list[Part] | None, typer.Option("--without", help="Leave this out, because it is backed up elsewhere; repeatable.")
]
Proxied = Annotated[
    str | None,
    typer.Option("--mlflow-artifacts", help="Where the MLflow server keeps files: its --artifacts-destination."),
]
By = Annotated[str | None, typer.Option("--by", help="Who does it, for the audit log; by default, the system's user.")]

_LEFT_OUT = (
    "not in it: telefine.yaml and dagster.yaml (the key of the split is in the first), keystores and their passwords, "
    "TELEFINE_* variables; keep them somewhere else"
)


def backup(
    destination: Annotated[str, typer.Argument(metavar="DEST", help="A folder, or any fsspec URI (s3://...).")],
    without: Without = None,
    mlflow_artifacts: Proxied = None,
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, help="Remove all backups there but the newest so many.")
    ] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Copy ledger, store, evidence, MLflow and Dagster while they are in use.

    What is in DEST already is not copied again. A backup is one only when its
    manifest is there, which is written last: one that was cut off does no harm,
    and what it copied is of use to the next. No keys and no passwords are in it.
    Nothing is removed where evidence is missing or damaged, or the clock is wrong.

    Example: telefine backup s3://my-bucket/telefine --keep 30
    """
    from telefine_assets.cli.attest_shared import audit_entry, ledger_of
    from telefine_assets.keeping.backing_up import TURN, back_up, head_of
    from telefine_assets.keeping.vault import Vault
    from telefine_assets.ledger.audit import Audit
    from telefine_assets.ledger.turns import turn
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    places, ledger = _places(settings, without or [], mlflow_artifacts), ledger_of(settings)
    with interruptible("nothing was made of it; run it again to go on"), turn(ledger, TURN, 1, _said):
        vault, now = Vault(destination), datetime.now(UTC)
        vault.require_own(settings.deployment)
        for files in (vault.files, places.files):
            files.sweep(now)
        made = back_up(places, vault, head_of(ledger), stamp(now), progress())
        manifest = made.manifest
        details: dict[str, object] = {
            "backup": manifest.label,
            "files": len(manifest.files),
            "bytes": str(manifest.size),
        }
        doubts = _doubts(made, vault)
        details |= {"pruned": [] if keep is None or doubts else vault.prune(keep)}
        Audit(ledger).append(audit_entry(by or user(), "backed up", settings.deployment, **details), now)
    said = f"backup {manifest.label}: {len(manifest.files)} files, {manifest.size} bytes, in {vault.shown}"
    tell(as_json, details | {"damaged": made.damaged, "missing": made.missing}, (said, _LEFT_OUT))
    if doubts:
        raise TelefineError(f"{'; '.join(doubts)}. No older backup was removed")


def _doubts(made: Backup, vault: Vault) -> list[str]:
    """Why older backups may be better than the one that was made."""
    found = [
        f"{len(each)} files of evidence are {what}, {each[0]} for one: put them back from an older backup"
        for what, each in (("damaged in the store itself", made.damaged), ("missing in the store", made.missing))
        if each
    ]
    try:
        vault.require_past(made.manifest.at)
    except TelefineError as error:
        found.append(str(error))
    return found


def restore(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Where `telefine backup` wrote.")],
    label: Annotated[
        str | None, typer.Option("--backup", help="Which one, by the beginning of its name; the newest by default.")
    ] = None,
    check_only: Annotated[bool, typer.Option("--check", help="Only verify the backup; nothing is restored.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in place of what is there.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    without: Without = None,
    mlflow_artifacts: Proxied = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup back, and verify the audit log, the log and every attestation.

    Every file of the backup is verified before anything is touched. A restore
    that was cut off goes on when it is run again. Stop everything that works
    with the deployment first.

    Example: telefine restore s3://my-bucket/telefine --check
    """
    from telefine_assets.keeping.restoring import check, require_fitting, require_stopped, under_way
    from telefine_assets.keeping.vault import Vault
    from telefine_assets.settings.loading import load_settings

    settings = load_settings(restoring=True)
    places, vault, track = _places(settings, without or [], mlflow_artifacts), Vault(source), progress()
    if label is None:
        vault.require_past(stamp(datetime.now(UTC)))
    manifest = vault.manifest(label)
    require_fitting(manifest, places)
    if check_only:
        check(vault, manifest, track)
        facts = {"backup": manifest.label, "files": len(manifest.files), "bytes": str(manifest.size)}
        tell(as_json, facts, [f"backup {manifest.label} is whole: {facts['files']} files, {facts['bytes']} bytes"])
        return
    with interruptible("run it again to go on"), under_way(settings.home, manifest) as goes_on:
        if not goes_on:
            _require_room(manifest, places, replace, yes, as_json)
        require_stopped(places)
        check(vault, manifest, track)
        _restore(settings, manifest, places, vault, by or user(), as_json)


def _restore(settings: Settings, manifest: Manifest, places: Places, vault: Vault, by: str, as_json: bool) -> None:
    from contextlib import closing

    from telefine_assets.cli.attest_shared import audit_entry, ledger_of, trust_of
    from telefine_assets.keeping.erasure_list import came_back
    from telefine_assets.keeping.proving import prove
    from telefine_assets.keeping.restoring import begin, finish, require_stopped, restore
    from telefine_assets.ledger.audit import Audit
    from telefine_assets.ledger.migrating import migrate

    # Verifying the backup may have taken hours.
    require_stopped(places)
    begin(settings.home, manifest)
    restore(vault, manifest, places, progress())
    migrate(settings.ledger.url, by, datetime.now(UTC))
    with closing(ledger_of(settings)) as ledger:
        proven = prove(ledger, trust_of(settings, ledger), places.files, progress(), manifest.audit)
        Audit(ledger).append(audit_entry(by, "restored", settings.deployment, backup=manifest.label), datetime.now(UTC))
        back = came_back(ledger, places.files, settings.programs)
    finish(settings.home)
    said = (
        f"restored: backup {manifest.label}, {len(manifest.files)} files, {manifest.size} bytes",
        f"verified: {proven.audit_rows} rows of the audit log, {proven.leaves} leaves of the log, "
        f"{proven.attestations} attestations, the claims of {proven.payouts} payouts",
        *([f"{proven.distrusted} attestations more are of leaked keys"] if proven.distrusted else []),
    )
    tell(as_json, {"backup": manifest.label, "came_back": list(back.said)} | asdict(proven), said)
    for problem in proven.problems:
        typer.echo(f"does not verify: {problem}", err=True)
    _erase_again(settings, back, places.proxied, by)
    if proven.problems:
        raise typer.Exit(1)


def _erase_again(settings: Settings, back: CameBack, proxied: str | None, by: str) -> None:
    """What was erased since the backup was made must not be there again."""
    from telefine_assets.cli.erase_doing import erase_again, opened, require_gone

    for each in back.said:
        typer.echo(f"came back: {each}; it is erased again now; where that is cut off: telefine erase again", err=True)
    if back.whose:
        # What it says is no part of the answer.
        require_gone(erase_again(opened(settings, proxied), back, None, by, as_json=True))


def _require_room(manifest: Manifest, places: Places, replace: bool, yes: bool, as_json: bool) -> None:
    from telefine_assets.cli.attest_shared import asked
    from telefine_assets.keeping.restoring import occupied

    found = occupied(manifest, places)
    if found and not replace:
        raise TelefineError(
            f"there is something already: {', '.join(found)}; move it away, or put the backup in its place "
            "with --replace"
        )
    if found:
        asked(f"Replace what is in {', '.join(found)} by the backup of {manifest.at}?", yes, as_json)


def _places(settings: Settings, without: list[Part], proxied: str | None) -> Places:
    from telefine_assets.control.instance import dagster_home
    from telefine_assets.keeping.places import Places

    return Places(
        settings.deployment,
        settings.ledger.url,
        settings.store.uri,
        None if Part.MLFLOW in without else settings.mlflow.tracking_uri,
        None if Part.DAGSTER in without else dagster_home(settings),
        proxied,
        dict(os.environ),
    )


def stamp(at: datetime) -> str:
    """A moment, as backups are named by it."""
    return f"{at:%Y%m%dT%H%M%S%fZ}"


def progress() -> Track:
    """A bar for people who look at the terminal; what is printed for programs stays as it is."""
    from functools import partial

    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return partial(track, console=console, transient=True, disable=not console.is_terminal)


def user() -> str:
    """The system's user, who has no name in some containers."""
    try:
        return getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _said(text: str) -> None:
    typer.echo(text, err=True)


@contextmanager
def interruptible(then: str) -> Iterator[None]:
    """Say what an interruption leaves behind, or a disk that is full or cannot be written."""
    try:
        yield
    except KeyboardInterrupt:
        raise TelefineError(f"interrupted; {then}") from None
    except OSError as error:
        raise TelefineError(f"{error}; {then}") from error
