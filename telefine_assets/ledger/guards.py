"""What keeps a ledger's rows as they are: triggers in the database itself.

PostgreSQL's hold against whoever is neither the tables' owner nor a superuser: these can take them away. SQLite's hold
against UPDATE and DELETE by every program, and against INSERT OR REPLACE only on a connection that sets
``recursive_triggers``, as the one does by which Telefine writes what must last (``ledger.dialects``); by default SQLite
replaces a row without asking them, and whoever may write the file can drop them anyhow. Then only what is bound to
something else shows the change: a row of the audit log by its chain, a leaf of the log by every head that was kept.

Each is SQL by the name of the database that it is for. The schema and its revisions share them.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

Guards = Mapping[str, tuple[str, ...]]
"""Statements by the name of the dialect."""

FUNCTIONS: Guards = {
    "sqlite": (),
    "postgresql": (
        """
    CREATE OR REPLACE FUNCTION telefine_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only', ERRCODE = 'restrict_violation';
    END $$
""",
        """
    CREATE OR REPLACE FUNCTION telefine_erasable() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NOT EXISTS (SELECT 1 FROM erased WHERE kind = TG_TABLE_NAME AND name = to_jsonb(OLD) ->> TG_ARGV[0]) THEN
            RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only but for what is recorded as erased',
                ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END $$
""",
    ),
}
"""What PostgreSQL's triggers call."""


def append_only(table: str) -> Guards:
    """No row of the table is ever changed or removed."""
    return {
        "sqlite": tuple(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        ),
        "postgresql": (
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "EXECUTE FUNCTION telefine_append_only()",
        ),
    }


def erasable(table: str, key: str) -> Guards:
    """No row of the table is ever changed, and removed only once ``erased`` names it by its ``key``."""
    refuse_update, _ = append_only(table)["sqlite"]
    unknown = f"NOT EXISTS (SELECT 1 FROM erased WHERE kind = '{table}' AND name = OLD.{key})"  # noqa: S608 - our names
    return {
        "sqlite": (
            refuse_update,
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} WHEN {unknown} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only but for what is recorded as erased'); END",
        ),
        "postgresql": (
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR TRUNCATE ON {table} "
            "EXECUTE FUNCTION telefine_append_only()",
            f"CREATE TRIGGER {table}_erasable BEFORE DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION telefine_erasable('{key}')",
        ),
    }


def no_longer_append_only(table: str) -> Guards:
    """Takes away what ``append_only`` put in place, for other guards to take its place in the same transaction."""
    return {
        "sqlite": tuple(f"DROP TRIGGER {table}_no_{verb}" for verb in ("update", "delete")),
        "postgresql": (f"DROP TRIGGER {table}_append_only ON {table}",),
    }


def names_of(guards: Guards, dialect: str) -> set[str]:
    """Names of the triggers among guards."""
    return {each.split()[2] for each in guards[dialect]}


def guard(connection: Connection, guards: Guards) -> None:
    """Put guards in place, for the database that the connection is to."""
    for statement in guards[connection.dialect.name]:
        connection.exec_driver_sql(statement)
