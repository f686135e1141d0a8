"""A backup put back: everything is checked before anything is touched, and a restore that was cut off goes on.

The ledger comes last. Until then a file in the home says which backup is being
restored, and only that one goes on in a home that is no longer empty.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout

from telefine_assets.keeping.databases import file_of, is_empty, load, require_idle
from telefine_assets.keeping.erasure_list import remember, remembered
from telefine_assets.keeping.manifest import Entry, KeepingError, Manifest
from telefine_assets.keeping.places import DAGSTER_FOLDERS, EVIDENCE, RECORDS, TABLES, Places, Track
from telefine_assets.keeping.vault import Vault, digest_of_stream
from telefine_assets.ledger.versions import require_known
from telefine_assets.settings.addresses import without_password
from telefine_assets.settings.file import UNFINISHED
from telefine_assets.store.files import Files


def require_fitting(manifest: Manifest, places: Places) -> None:
    """Refuse a backup that these settings, or this Telefine, cannot use.

    Raises:
        KeepingError: it is of another deployment, or of another kind of database.
        LedgerError: no revision leads from its ledger's schema to this Telefine's.
    """
    if manifest.deployment != places.deployment:
        raise KeepingError(
            f"the backup is of deployment {manifest.deployment!r}, the settings are of {places.deployment!r}: "
            "restore it with the settings that it was made with"
        )
    require_known(manifest.ledger_schema)
    wanted = places.databases()
    for part in ("ledger", "mlflow"):
        names = [each.name for each in manifest.part(part)]
        if strange := [name for name in names if name not in wanted and any(each.startswith(part) for each in wanted)]:
            raise KeepingError(
                f"the backup has {strange[0]}, the settings want {next(e for e in wanted if e.startswith(part))}: "
                "a database in a file cannot become one in PostgreSQL, nor the other way round"
            )


def check(vault: Vault, manifest: Manifest, track: Track) -> None:
    """Read every file of a backup and compare it with its digest.

    Raises:
        KeepingError: one is missing or was changed.
    """
    by_digest = {each.sha256: each for each in manifest.files}
    for entry in track([*by_digest.values()], "checking"):
        vault.check(entry)


def occupied(manifest: Manifest, places: Places) -> list[str]:
    """Places that hold something already; passwords are not shown."""
    found = [url for url in places.databases().values() if not is_empty(url)]
    found += [f"{places.store}/{each}" for each in (RECORDS, TABLES, EVIDENCE) if places.files.sizes(each)]
    if places.mlflow is not None:
        found += [uri for uri in manifest.artifacts.values() if Files(uri).sizes("")]
    if places.dagster is not None:
        folders = [places.dagster / each for each in DAGSTER_FOLDERS]
        found += [str(each) for each in folders if any(path.is_file() for path in each.rglob("*"))]
    return [without_password(each) for each in found]


def restore(vault: Vault, manifest: Manifest, places: Places, track: Track) -> None:
    """Put back everything; what is there already, byte for byte, is not written again.

    Whose words the place with backups says were erased is added to the store's list first.

    Records and tables that the backup does not have are removed, for they speak
    of what the ledger does not know. Other evidence stays: it does no harm.

    Raises:
        KeepingError: something cannot be put back; run it again to go on.
    """
    remember(places.files, remembered(vault.files))
    parts = [name for name in ("store", "artifacts", "mlflow", "dagster", "ledger") if _wanted(name, places)]
    for part in parts:
        for entry in track(list(manifest.part(part)), f"restoring {part}"):
            _put_back(entry, vault, manifest, places)
        if part == "store":
            _remove_others(manifest, places.files)


@contextmanager
def under_way(home: Path, manifest: Manifest) -> Iterator[bool]:
    """Restore in turn during the block; gives whether this backup was being restored there before.

    Raises:
        KeepingError: another process restores there, or nothing can be written there.
    """
    mark, lock = home / UNFINISHED, FileLock(home / f"{UNFINISHED}.lock", fallback_to_soft=False)
    try:
        home.mkdir(parents=True, exist_ok=True)
        held = lock.acquire(blocking=False)
    except Timeout:
        raise KeepingError(f"another process restores in {home}; wait for it") from None
    except OSError as error:
        raise KeepingError(f"home = {home}: nothing can be restored there: {error}; make it writable") from error
    with held:
        yield mark.is_file() and mark.read_text(encoding="utf-8") == manifest.label


def require_stopped(places: Places) -> None:
    """Refuse to replace databases that are in use: what is written to the old file afterwards is lost.

    Raises:
        KeepingError: one is.
    """
    files = [file for url in places.databases().values() if (file := file_of(url))]
    folders = [] if places.dagster is None else [places.dagster / each for each in DAGSTER_FOLDERS]
    for file in chain(files, *(each.rglob("*.db") for each in folders)):
        require_idle(file)


def begin(home: Path, manifest: Manifest) -> None:
    """From now on, and until ``finish``, the home holds half of what the backup has: nothing else works there."""
    (home / UNFINISHED).write_text(manifest.label, encoding="utf-8")


def finish(home: Path) -> None:
    """Everything is back."""
    (home / UNFINISHED).unlink(missing_ok=True)


def _wanted(part: str, places: Places) -> bool:
    left_out = {"mlflow": places.mlflow is None, "artifacts": places.mlflow is None, "dagster": places.dagster is None}
    return not left_out.get(part, False)


def _put_back(entry: Entry, vault: Vault, manifest: Manifest, places: Places) -> None:
    url = places.databases().get(entry.name)
    file = None if url is None else file_of(url)
    if url is not None and file is None:
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "dump"
            with vault.open(entry) as stream, copy.open("wb") as target:
                shutil.copyfileobj(stream, target)
            load(url, copy, places.environment)
        return
    files, name = (Files(str(file.parent)), file.name) if file else _target(entry, manifest, places)
    if file is not None or name.endswith(".db"):
        # What a database left in its log belongs to that database, and would be added to this one.
        for ending in ("-wal", "-shm", "-journal"):
            files.remove(f"{name}{ending}")
    with files.reading(name) as there:
        if there is not None and digest_of_stream(there) == entry.sha256:
            return
    with vault.open(entry) as stream, files.writing(name) as written:
        shutil.copyfileobj(stream, written.stream)


def _target(entry: Entry, manifest: Manifest, places: Places) -> tuple[Files, str]:
    part, _, name = entry.name.partition("/")
    if part == "store":
        return places.files, name
    if part == "dagster" and places.dagster is not None:
        return Files(str(places.dagster)), name
    number, _, below = name.partition("/")
    uri = manifest.artifacts.get(f"{part}/{number}")
    if uri is None or not below:
        raise KeepingError(f"{entry.name}: the backup does not say where it belongs; use another backup")
    return Files(uri), below


def _remove_others(manifest: Manifest, files: Files) -> None:
    ours = {each.name.removeprefix("store/") for each in manifest.part("store")}
    for folder in (RECORDS, TABLES):
        for name in files.sizes(folder):
            if name not in ours:
                files.remove(name)
