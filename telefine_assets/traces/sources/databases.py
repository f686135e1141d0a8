"""MLflow's own database, SQLite or PostgreSQL, read only, as Arrow.

Only schema versions that are known are read: a column that changed its meaning
would give wrong traces without a word.

The driver brings a SQLite library of its own, and file locks do not hold between
two libraries of one process (sqlite.org/howtocorrupt.html, 2.2.1). So no other
thread of this process may write to the same file through MLflow meanwhile.
Other processes may, as always.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from telefine_assets.settings.addresses import without_password
from telefine_assets.traces.sources.pages import schemas
from telefine_assets.traces.sources.protocol import SourceUnreachable, TraceSourceError

if TYPE_CHECKING:
    import pyarrow as pa

KNOWN_SCHEMAS = {"dc11669786a5": "MLflow 3.17"}
"""Alembic revisions whose tables we have read and compared with what MLflow's client says."""

_BUSY_MS = 30_000
_ALL_ROWS = "1000000"
_IN_ONE_SNAPSHOT = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


class UnknownSchema(TraceSourceError):
    """The database is of an MLflow version that is not known here."""


@dataclass(frozen=True)
class Database:
    """Where an MLflow database is."""

    kind: Literal["sqlite", "postgresql"]
    address: str

    @property
    def where(self) -> str:
        """Its URI, without credentials."""
        if self.kind == "sqlite":
            return f"sqlite:///{self.address}"
        parts = urlsplit(self.address)
        return without_password(urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))

    def require(self) -> None:
        """Refuse a file that is not there: MLflow would make an empty one.

        Raises:
            TraceSourceError: naming it.
        """
        if self.kind == "sqlite" and not Path(self.address).is_file():
            raise TraceSourceError(
                f"there is no MLflow database at {self.address}; check mlflow.tracking_uri: {self.where} is asked"
            )

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection of its own.

        Raises:
            TraceSourceError: the database cannot be reached.
        """
        with _said(self):
            raw = _connect(self)
        connection = Connection(self, raw)
        try:
            connection.prepare()
            yield connection
        finally:
            connection.close()


def database_of(tracking_uri: str) -> Database | None:
    """The database behind a tracking URI, or None where there is none that can be read directly."""
    if tracking_uri.startswith("sqlite:///"):
        return Database("sqlite", tracking_uri.removeprefix("sqlite:///"))
    parts = urlsplit(tracking_uri)
    if parts.scheme.partition("+")[0] in ("postgresql", "postgres"):
        return Database("postgresql", urlunsplit(parts._replace(scheme="postgresql")))
    return None


class Connection:
    """Reads rows as Arrow tables. What is read between two ``release`` calls is of one moment."""

    def __init__(self, database: Database, raw: Any) -> None:
        """Wrap an ADBC connection."""
        self._database = database
        self.where = database.where
        self._raw = raw
        self._cursor = raw.cursor()

    def prepare(self) -> None:
        """Set up the session and refuse a schema that is not known."""
        if self._database.kind == "sqlite":
            for pragma in (f"busy_timeout = {_BUSY_MS}", "cache_size = -16384", "query_only = 1"):
                self._execute(f"PRAGMA {pragma}").fetchall()
            self._cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": _ALL_ROWS})
        else:
            self._execute(_IN_ONE_SNAPSHOT)
        self.release()
        found = self.column("SELECT version_num FROM alembic_version")
        self.release()
        if not set(found) <= set(KNOWN_SCHEMAS) or not found:
            raise UnknownSchema(
                f"the MLflow database has schema {', '.join(map(str, found)) or 'without a version'}, known are "
                f"{', '.join(f'{key} ({name})' for key, name in KNOWN_SCHEMAS.items())}; set mlflow.trace_source: api, "
                "or use an MLflow of a known version"
            )

    def table(self, name: str, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        """Rows of a query in the schema of the raw table ``name``; ``?`` is a value, ``<bytes>`` a collation.

        SQLite's types are those of the values that came: a column without any is
        of no type until it is cast.
        """
        return self.shaped(name, self.rows(sql, values))

    def rows(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        """Rows of a query as they come."""
        with _said(self._database):
            return self._execute(sql, values).fetch_arrow_table()

    @staticmethod
    def shaped(name: str, rows: pa.Table) -> pa.Table:
        """Rows in the schema of the raw table ``name``.

        Raises:
            TraceSourceError: a value is of another type; SQLite keeps any in any column.
        """
        import pyarrow as pa

        try:
            return rows.rename_columns(schemas()[name].names).cast(schemas()[name])
        except pa.ArrowInvalid as error:
            raise TraceSourceError(
                f"the MLflow database holds a value of the wrong type among the {name} of the traces: {error}; "
                "correct it there, and load again"
            ) from None

    def column(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """The first column of a query's rows."""
        return [row[0] for row in self._execute(sql, values).fetchall()]

    def release(self) -> None:
        """End the moment: others may write again, and what they wrote will be seen."""
        with _said(self._database):
            self._raw.rollback()

    def close(self) -> None:
        """Give the connection back; one that broke is only dropped."""
        self._cursor.close()
        self._raw.close()

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        if self._database.kind == "postgresql":
            sql = _numbered(sql).replace("<bytes>", 'COLLATE "C"')
        else:
            sql = sql.replace("<bytes>", "COLLATE BINARY")
        with _said(self._database):
            self._cursor.execute(sql, list(values) or None)
        return self._cursor


def _numbered(sql: str) -> str:
    """PostgreSQL's placeholders are numbered; no text of ours holds a question mark otherwise."""
    first, *rest = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))


def _connect(database: Database) -> Any:
    if database.kind == "sqlite":
        import adbc_driver_sqlite.dbapi as sqlite

        database.require()
        return sqlite.connect(f"file:{_escaped(database.address)}?mode=ro")
    try:
        import adbc_driver_postgresql.dbapi as postgresql
    except ImportError:
        raise TraceSourceError(
            "reading MLflow's PostgreSQL directly needs the package adbc-driver-postgresql "
            "(pip install 'telefine-assets[postgres]'); or set mlflow.trace_source: api"
        ) from None
    return postgresql.connect(database.address)


def _escaped(path: str) -> str:
    """A path as SQLite wants it in a URI."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


@contextmanager
def _said(database: Database) -> Iterator[None]:
    """A driver's error in words that say what to do; the address's password is not among them."""
    from adbc_driver_manager import Error

    try:
        yield
    except Error as error:
        text = " ".join(str(error).split())
        where = database.address if database.kind == "sqlite" else "PostgreSQL"
        if "locked" in text or "busy" in text:
            raise SourceUnreachable(
                f"the MLflow database {where} is locked by another process for longer than {_BUSY_MS // 1000} s; "
                "nothing was loaded, try again when it has finished"
            ) from None
        raise TraceSourceError(f"the MLflow database {where} cannot be read: {text}") from None
