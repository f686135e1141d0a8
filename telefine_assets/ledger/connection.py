"""Opening the ledger, and the one kind of transaction that writes to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from telefine_assets.ledger.dialects import DIALECTS, Dialect
from telefine_assets.ledger.errors import LedgerError as LedgerError
from telefine_assets.ledger.versions import make_or_require
from telefine_assets.settings.addresses import without_password


class Ledger:
    """A connection to the ledger. Threads and processes may share one database."""

    def __init__(self, url: str, prepare: Callable[[Connection], object] = make_or_require) -> None:
        """Open ``url`` and make the tables if they are not there.

        Args:
            url: SQLite's or PostgreSQL's, as SQLAlchemy writes it.
            prepare: what is done first, in a transaction that writes; others are for migrating.

        Raises:
            LedgerError: when there is no such kind of ledger, the database cannot
                be opened, or the ledger is of another Telefine.
        """
        place, self.dialect = _place_of(url)
        self.file = _file_of(place)
        """SQLite's file; None in PostgreSQL, and in memory."""
        if self.file:
            _make_folder(self.file.parent, url)
        self._engine = _engine(place, self.dialect, self.dialect.careful)
        self.unhurried = _engine(place, self.dialect, self.dialect.unhurried, isolation_level="AUTOCOMMIT")
        """For what could be had again: each statement commits by itself, and only a power cut can undo it."""
        event.listen(self._engine, "begin", partial(_begin, self.dialect))
        try:
            with self._alone(), self.writing() as connection:
                prepare(connection)
        except (DBAPIError, OSError) as error:
            cause = " ".join(str(getattr(error, "orig", error)).split())
            raise LedgerError(f"the ledger {without_password(url)} cannot be opened: {cause}") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # Of two that give an empty SQLite file its write-ahead log at once, one fails at once: it does not wait.
        with FileLock(f"{self.file}.opening", poll_interval=0.01) if self.file else nullcontext():
            yield

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A serialised transaction: one writer at a time, so that what it read is still true when it commits."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction for reading: all of it sees one moment."""
        with self._engine.connect().execution_options(reading=True) as connection:
            yield connection

    def apart(self) -> Connection:
        """A connection of its own, which lasts until it is closed and is no other thread's."""
        connection = self.unhurried.connect()
        connection.detach()
        return connection

    def close(self) -> None:
        """Release the connections."""
        self._engine.dispose()
        self.unhurried.dispose()


def is_made(url: str) -> bool:
    """Whether there is a database to open, which opening a file would make; of a server's, only opening tells.

    Raises:
        LedgerError: when there is no such kind of ledger.
    """
    file = _file_of(_place_of(url)[0])
    return file is None or file.exists()


def _make_folder(folder: Path, url: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(f"the ledger {without_password(url)} cannot be opened: {error}") from error


def _place_of(url: str) -> tuple[URL, Dialect]:
    try:
        place = make_url(url)
        return place, DIALECTS[place.drivername]
    except (ArgumentError, ValueError, KeyError):
        raise LedgerError(
            f"ledger.url = {without_password(url)!r}: must be sqlite:///<file> "
            "or postgresql+psycopg://<user>@<host>/<database>"
        ) from None


def _file_of(place: URL) -> Path | None:
    in_file = place.drivername == "sqlite" and place.database not in (None, "", ":memory:")
    return Path(str(place.database)) if in_file else None


def _engine(place: URL, dialect: Dialect, statements: tuple[str, ...], **options: Any) -> Engine:
    try:
        # Parameters are answers and reasons: they must not stand in an error.
        engine = create_engine(place, hide_parameters=True, **dialect.options, **options)
    except ImportError as error:
        raise LedgerError(
            f"a ledger in PostgreSQL needs the package psycopg: install telefine-assets[postgres] ({error})"
        ) from error
    event.listen(engine, "connect", partial(_prepare, statements))
    return engine


def _prepare(statements: tuple[str, ...], connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    connection.commit()
    # The driver must not say how transactions begin: _begin does.
    connection.isolation_level = None


def _begin(dialect: Dialect, connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql(dialect.begin_reading if reading else dialect.begin_writing)
