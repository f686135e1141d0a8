"""What differs between the databases that a ledger can be in: SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

_WRITING = 7_365_218_041
"""The advisory lock of whoever writes: any number that nothing else in the database takes."""


@dataclass(frozen=True)
class Dialect:
    """One kind of database. All of it is needed for the same promises."""

    name: Literal["sqlite", "postgresql"]
    options: Mapping[str, Any]
    """Of ``create_engine``."""
    careful: tuple[str, ...]
    """Sets up a session that writes what must outlive a power cut."""
    unhurried: tuple[str, ...]
    """Sets up a session that writes what could be had again."""
    begin_writing: str
    """The first statement of a transaction during which nobody else writes."""
    begin_reading: str
    """The first statement of a transaction that sees one moment."""
    insert: Callable[[Table], sqlite.Insert | postgresql.Insert]
    """An insert that knows ``on_conflict_do_nothing``."""


_SQLITE = Dialect(
    name="sqlite",
    options={"connect_args": {"timeout": 60}},
    careful=(
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        # Without it, INSERT OR REPLACE deletes a row behind the back of the append-only triggers.
        "PRAGMA recursive_triggers=ON",
    ),
    # With the write-ahead log a commit is then in the system's hands, which outlive the process.
    unhurried=("PRAGMA synchronous=NORMAL",),
    # A deferred lock can fail when it is upgraded.
    begin_writing="BEGIN IMMEDIATE",
    begin_reading="BEGIN",
    insert=sqlite.insert,
)

# Whoever waited for the lock must see what was committed meanwhile, whatever the database's default is.
_SEES_WHAT_IS_COMMITTED = "SET default_transaction_isolation = 'read committed'"

_POSTGRESQL = Dialect(
    name="postgresql",
    # A server that was started again must not fail a process that runs for weeks.
    options={"pool_pre_ping": True},
    careful=(_SEES_WHAT_IS_COMMITTED, "SET lock_timeout = '60s'"),
    unhurried=(_SEES_WHAT_IS_COMMITTED, "SET synchronous_commit = off"),
    begin_writing=f"SELECT pg_advisory_xact_lock({_WRITING})",
    begin_reading="SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    insert=postgresql.insert,
)

DIALECTS: Mapping[str, Dialect] = {"sqlite": _SQLITE, "postgresql+psycopg": _POSTGRESQL}
"""By what stands before ``://`` in the ledger's URL."""
