"""Which schema a ledger has, and whether this Telefine can use it. A fresh one is made here."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, inspect, select

from telefine_assets.ledger import schema
from telefine_assets.ledger.errors import LedgerError

FIRST_RELEASED = 6
"""No Telefine that was released wrote an older schema."""


def version_of(connection: Connection) -> int | None:
    """The schema of a ledger; None where there is none yet."""
    if not inspect(connection).has_table(schema.versions.name):
        return None
    # Rows are only added, so a newer schema's version stands beside the older one's.
    return connection.scalar(select(func.max(schema.versions.c.version)))


def make_or_require(connection: Connection) -> None:
    """Make the tables where there are none; else require that they are this Telefine's.

    Raises:
        LedgerError: the ledger has another schema.
    """
    found = version_of(connection)
    if found is None:
        schema.metadata.create_all(connection)
        connection.execute(insert(schema.versions).values(version=schema.SCHEMA_VERSION))
        return
    require_known(found)
    if found < schema.SCHEMA_VERSION:
        raise LedgerError(
            f"the ledger has schema {found}, this Telefine needs {schema.SCHEMA_VERSION}: stop everything that works "
            "with the deployment, back it up with the Telefine that wrote it, and run: telefine ledger migrate"
        )


def require_known(found: int) -> None:
    """Refuse a schema from which no revision leads to this Telefine's.

    Raises:
        LedgerError: it is newer, or was never released.
    """
    if found > schema.SCHEMA_VERSION:
        raise LedgerError(
            f"the ledger has schema {found}, this Telefine knows {schema.SCHEMA_VERSION}: "
            "use the Telefine that wrote it"
        )
    if found < FIRST_RELEASED:
        raise LedgerError(
            f"the ledger has schema {found}, which was never released (the first is {FIRST_RELEASED}): "
            "nothing brings it forward; set ledger.url to a new ledger"
        )
