"""A backup of a deployment that goes on working.

Everything is copied after what names it. A stage writes its evidence first,
then the ledger, then its record; so the records are copied first, then the
ledger, and the evidence last, which is only ever added to: nothing in a backup
names a leaf of the log that the backup's ledger lacks, or evidence that it lacks.
What a stage wrote to the ledger between two of these steps lacks its record, and
gets it when the stage runs again.

Nothing is removed meanwhile: backups, garbage collection and retention take turns (``TURN``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select, union

from telefine_assets.keeping.databases import dump, file_of, snapshot
from telefine_assets.keeping.erasure_list import remember, remembered
from telefine_assets.keeping.holds import ATTESTATIONS, read_records
from telefine_assets.keeping.manifest import Entry, KeepingError, Manifest
from telefine_assets.keeping.places import EVIDENCE, RECORDS, TABLES, Places, Track
from telefine_assets.keeping.vault import Vault
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.erasures import erased_in
from telefine_assets.ledger.schema import SCHEMA_VERSION, champions, look_outcomes, payouts
from telefine_assets.settings.addresses import without_password
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files

TURN = "keeping"
"""The turn of whoever copies or removes what a deployment keeps; there is one at a time."""


@dataclass(frozen=True)
class Head:
    """What the ledger says before it is copied.

    Attributes:
        schema: its schema version.
        audit: digest of the audit log's newest row.
        evidence: digests of the evidence that it cannot do without: versions that served, plans of payouts, reports
            of looks. A stage writes it before the ledger, and no rule lets it go. What was erased is not among it.
    """

    schema: int
    audit: str
    evidence: frozenset[str]


@dataclass(frozen=True)
class Backup:
    """A backup that was made.

    Attributes:
        manifest: what it holds.
        damaged: files of evidence in the store whose bytes are not what their names say.
        missing: digests of evidence that the ledger or an attestation's record names, and that the store lacks.
    """

    manifest: Manifest
    damaged: tuple[str, ...]
    missing: tuple[str, ...]


def head_of(ledger: Ledger) -> Head:
    """The ledger's head, from before anything is copied."""
    named = union(select(champions.c.version), select(payouts.c.plan), select(look_outcomes.c.report))
    with ledger.reading() as connection:
        evidence = frozenset(map(str, connection.scalars(named))) - erased_in(connection, EVIDENCE)
    return Head(SCHEMA_VERSION, Audit(ledger).newest(), evidence)


def back_up(places: Places, vault: Vault, head: Head, at: str, track: Track) -> Backup:
    """Copy everything, then write the manifest; whoever calls holds the turn.

    Args:
        places: what is copied.
        vault: where to.
        head: the ledger's, as it was a moment ago.
        at: now, UTC, ``YYYYMMDDTHHMMSSffffffZ``.
        track: shows how far it has come.

    Raises:
        KeepingError: something cannot be copied, or the store has nothing of what the ledger names; there is no
            backup then, and what was copied is of use to the next.
    """
    databases, artifacts = places.databases(), places.artifacts()
    dagster = places.dagster_files()
    vault.make()
    damaged: list[str] = []
    needed = head.evidence | {
        record["bundle"] for _, record in read_records(places.files, ATTESTATIONS) if record["uid"]
    }
    ledger = {name: url for name, url in databases.items() if name.startswith("ledger/")}
    entries = [
        *_stored(places.files, RECORDS, vault, track),
        *_databases(ledger, places, vault, track),
        *_stored(places.files, TABLES, vault, track),
        *_evidence(places.files, vault, track, damaged),
        *_databases({name: url for name, url in databases.items() if name not in ledger}, places, vault, track),
        *_artifacts(artifacts, vault, track),
        *_dagster(dagster, places.dagster or Path(), vault, track),
    ]
    missing = sorted(needed - {each.name.rsplit("/", 1)[-1] for each in entries})
    if needed and len(missing) == len(needed):
        raise KeepingError(
            f"store.uri = {without_password(places.store)} has none of the evidence that the ledger names "
            f"({missing[0]} for one): see whether it is mounted; no backup was made, and none was removed"
        )
    remember(vault.files, remembered(places.files))
    manifest = Manifest(places.deployment, at, head.schema, head.audit, artifacts, tuple(entries))
    vault.seal(manifest)
    return Backup(manifest, tuple(damaged), tuple(missing))


def _stored(files: Files, folder: str, vault: Vault, track: Track) -> Iterator[Entry]:
    for name in track([*files.sizes(folder)], folder):
        with files.reading(name) as stream:
            if stream is None:
                raise KeepingError(f"{name} was removed while it was copied; run the backup again")
            yield vault.keep(f"store/{name}", stream)


def _evidence(files: Files, vault: Vault, track: Track, damaged: list[str]) -> Iterator[Entry]:
    """Evidence is known by its name: what the vault has is not even read."""
    for name, size in track([*files.sizes(EVIDENCE).items()], EVIDENCE):
        digest = name.rsplit("/", 1)[-1]
        known = Entry(f"store/{name}", digest, size)
        if name != EvidenceStore.name(digest):
            continue
        if vault.has(known):
            yield known
            continue
        with files.reading(name) as stream:
            if stream is None:
                raise KeepingError(f"{name} was removed while it was copied; run the backup again")
            kept = vault.keep(f"store/{name}", stream)
        if kept.sha256 != digest:
            damaged.append(name)
        yield kept


def _databases(databases: dict[str, str], places: Places, vault: Vault, track: Track) -> Iterator[Entry]:
    for name, url in track([*databases.items()], "databases"):
        file = file_of(url)
        if file is not None and file.exists():
            yield _snapshot(name, file, vault)
        elif file is None:
            with TemporaryDirectory() as folder:
                copy = Path(folder) / "dump"
                dump(url, copy, places.environment)
                with copy.open("rb") as stream:
                    yield vault.keep(name, stream)


def _snapshot(name: str, file: Path, vault: Vault) -> Entry:
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        snapshot(file, copy)
        with copy.open("rb") as stream:
            return vault.keep(name, stream)


def _artifacts(artifacts: dict[str, str], vault: Vault, track: Track) -> Iterator[Entry]:
    for folder, uri in artifacts.items():
        files = Files(uri)
        for name in track([*files.sizes("")], "MLflow's files"):
            with files.reading(name) as stream:
                # A run that was deleted meanwhile is in the database's copy; its files are gone for good.
                if stream is not None:
                    yield vault.keep(f"{folder}/{name}", stream)


def _dagster(found: list[Path], home: Path, vault: Vault, track: Track) -> Iterator[Entry]:
    for path in track(found, "Dagster"):
        name = f"dagster/{path.relative_to(home).as_posix()}"
        if path.suffix == ".db":
            if path.exists():
                yield _snapshot(name, path, vault)
            continue
        # Of a run that was deleted meanwhile.
        with suppress(FileNotFoundError), path.open("rb") as stream:
            yield vault.keep(name, stream)
