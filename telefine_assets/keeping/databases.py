"""Copies of databases that are in use: SQLite by its online backup, PostgreSQL by pg_dump and pg_restore."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from sqlalchemy import URL, create_engine, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError

from telefine_assets.keeping.manifest import KeepingError

_SERVICE = "telefine"
_BUSY_SECONDS, _WAIT_SECONDS = 2, 60


def file_of(url: str) -> Path | None:
    """SQLite's file; None for PostgreSQL.

    Raises:
        KeepingError: it is neither.
    """
    kind, _, rest = url.partition(":///")
    if kind == "sqlite":
        return Path(rest)
    if url.startswith(("postgresql://", "postgresql+")):
        return None
    raise KeepingError(f"{url.partition(':')[0]}: only databases in SQLite files and in PostgreSQL can be copied")


def snapshot(file: Path, copy: Path) -> None:
    """Copy an SQLite database as it is at one moment, whoever reads and writes it meanwhile.

    In one step: copied page by page, a database that is written all the time
    would never be done. Writers of a database without a write-ahead log wait.

    Raises:
        KeepingError: it cannot be read, or is damaged.
    """
    try:
        with (
            closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=60)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            (found,) = target.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise KeepingError(f"{file} cannot be copied: {error}") from error
    if found != "ok":
        raise KeepingError(f"{file} is damaged ({found}); restore it from the last backup")


def require_idle(file: Path) -> None:
    """Refuse an SQLite database that anybody has open; one that is not there, or is damaged, nobody can use.

    Who reads or writes with a write-ahead log keeps a shared lock for as long as
    the database is open, which an exclusive locking mode does not get past
    (https://www.sqlite.org/wal.html#use_of_wal_without_shared_memory).

    Raises:
        KeepingError: it is in use.
    """
    if not file.exists():
        return
    try:
        with closing(sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)) as database:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("BEGIN EXCLUSIVE")
            database.execute("ROLLBACK")
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise KeepingError(f"{file} is in use: stop telefine serve and the daemon, then restore") from error


def write_anew(file: Path) -> None:
    """Write an SQLite database anew, so that its files hold nothing of what was removed from it.

    Raises:
        KeepingError: somebody has it open: it holds what was removed until this is done again.
    """
    try:
        with closing(sqlite3.connect(file, timeout=_WAIT_SECONDS, isolation_level=None)) as database:
            database.execute("VACUUM")
            # It does not fail where somebody reads an older state: it says so. Without such a log it says nothing.
            (is_busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise KeepingError(f"{file} cannot be written anew: {error}") from error
        is_busy = True
    if is_busy:
        raise KeepingError(
            f"{file} is in use, and holds what was removed from it until it is written anew: stop what reads or writes "
            "it (MLflow's server, Dagster, the daemon), and run this again"
        )


def is_empty(url: str) -> bool:
    """Whether a database holds nothing; a file that is not there is made by nobody."""
    file = file_of(url)
    if file is not None:
        return not file.exists() or file.stat().st_size == 0
    engine = create_engine(_psycopg(url))
    try:
        return not inspect(engine).get_table_names()
    except SQLAlchemyError as error:
        raise KeepingError(f"the database cannot be reached: {' '.join(str(error.args).split())}") from error
    finally:
        engine.dispose()


def dump(url: str, copy: Path, environment: Mapping[str, str]) -> None:
    """Write what a PostgreSQL database holds at one moment to ``copy``.

    Raises:
        KeepingError: pg_dump is not there, or fails.
    """
    command = ["--format=custom", "--no-owner", "--no-privileges", f"--file={copy}"]
    _run("pg_dump", url, command, environment)


def load(url: str, copy: Path, environment: Mapping[str, str]) -> None:
    """Put back what ``dump`` wrote, in one transaction, in place of what the database holds of it.

    Raises:
        KeepingError: pg_restore is not there, or fails; the database is then as it was.
    """
    command = ["--clean", "--if-exists", "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    _run("pg_restore", url, [*command, str(copy)], environment)


def _run(tool: str, url: str, arguments: list[str], environment: Mapping[str, str]) -> None:
    path = which(tool, path=environment.get("PATH"))
    if path is None:
        raise KeepingError(
            f"{tool} is not on PATH: install PostgreSQL's client programs of the server's version or a later one, "
            "or leave this database to your own backups of the server"
        )
    with _service(url) as file:
        done = subprocess.run(  # noqa: S603 - a program of that name on the operator's own PATH
            [path, f"--dbname=service={_SERVICE}", "--no-password", *arguments],
            env={**environment, "PGSERVICEFILE": str(file)},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise KeepingError(f"{tool} failed: {' '.join(done.stderr.split())[:1000]}")


@contextmanager
def _service(url: str) -> Iterator[Path]:
    """A file that says where the database is, since everybody can see a program's arguments."""
    place = make_url(url)
    options = {**place.translate_connect_args(username="user", database="dbname"), **place.query}
    lines = [f"[{_SERVICE}]", *(f"{name}={value}" for name, value in options.items())]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "service"
        file.touch(mode=0o600)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        yield file


def _psycopg(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+psycopg")
