"""Opening the ledger, and the one kind of transaction that writes to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, select

from telefine_assets.errors import TelefineError
from telefine_assets.ledger import schema


class LedgerError(TelefineError):
    """The ledger cannot do what was asked; nothing was written."""


class Ledger:
    """A connection to the ledger. Threads and processes may share one database."""

    def __init__(self, url: str) -> None:
        """Open ``url`` and make the tables if they are not there.

        Raises:
            LedgerError: when the ledger was made by a newer Telefine.
        """
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        self._engine: Engine = create_engine(url, connect_args={"timeout": 60})
        self.unhurried: Engine = create_engine(url, connect_args={"timeout": 60}, isolation_level="AUTOCOMMIT")
        """For what could be had again: each statement commits by itself, and only a power cut can undo it."""
        event.listen(self.unhurried, "connect", _leave_it_to_the_system)
        event.listen(self._engine, "connect", _sqlite_settings)
        event.listen(self._engine, "begin", _begin_immediate)
        with self.writing() as connection:
            schema.metadata.create_all(connection)
            # Rows are only added, so a newer Telefine's version stands beside the older one.
            found = connection.scalar(select(func.max(schema.versions.c.version)))
            if found is None:
                connection.execute(insert(schema.versions).values(version=schema.SCHEMA_VERSION))
            elif found != schema.SCHEMA_VERSION:
                raise LedgerError(
                    f"the ledger has schema {found}, this Telefine knows {schema.SCHEMA_VERSION}: "
                    "use the Telefine that wrote it"
                )

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A serialised transaction: one writer at a time, so that what it read is still true when it commits."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction for reading."""
        with self._engine.connect().execution_options(reading=True) as connection:
            yield connection

    def close(self) -> None:
        """Release the connections."""
        self._engine.dispose()
        self.unhurried.dispose()


def _sqlite_settings(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    # Without it, INSERT OR REPLACE deletes a row behind the back of the append-only triggers.
    cursor.execute("PRAGMA recursive_triggers=ON")
    cursor.close()
    # The driver must not open transactions of its own: _begin_immediate does.
    connection.isolation_level = None  # type: ignore[attr-defined]


def _leave_it_to_the_system(connection: object, _record: object) -> None:
    # With the write-ahead log a commit is then in the system's hands, which outlive the process.
    connection.execute("PRAGMA synchronous=NORMAL")  # type: ignore[attr-defined]


def _begin_immediate(connection: Connection) -> None:
    """Take SQLite's write lock at once; a deferred one can fail when it is upgraded."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
