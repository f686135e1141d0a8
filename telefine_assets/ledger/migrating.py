"""Bringing a ledger of an older schema to this Telefine's: see ``ledger.migrations`` for the revisions.

It is never done by itself: whoever opens an older ledger is told what to do, since
processes of the older Telefine may still be writing to it.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert

from telefine_assets.ledger import migrations
from telefine_assets.ledger.audit import append_to
from telefine_assets.ledger.connection import Ledger, is_made
from telefine_assets.ledger.errors import LedgerError
from telefine_assets.ledger.records import AuditEntry
from telefine_assets.ledger.schema import SCHEMA_VERSION, versions
from telefine_assets.ledger.versions import require_known, version_of

if TYPE_CHECKING:
    from alembic.script import Script


@dataclass(frozen=True)
class Step:
    """A revision.

    Attributes:
        version: the schema that it leads to.
        what: what it does, in a line.
    """

    version: int
    what: str


@dataclass(frozen=True)
class Standing:
    """Where a ledger stands.

    Attributes:
        found: its schema; None where there is no ledger yet.
        known: this Telefine's.
        steps: the revisions that lead from the one to the other, in order.
    """

    found: int | None
    known: int
    steps: tuple[Step, ...]


def standing(url: str) -> Standing:
    """Where the ledger stands; nothing is changed.

    Raises:
        LedgerError: it cannot be opened, or no revision leads from its schema to this Telefine's.
    """
    if not is_made(url):
        return _standing(None)
    with closing(Ledger(url, lambda _: None)) as ledger, ledger.reading() as connection:
        return _standing(version_of(connection))


def migrate(url: str, by: str, at: datetime) -> Standing:
    """Bring the ledger to this Telefine's schema: all of it in one transaction, or nothing.

    Of two processes that begin at once, the second finds nothing left to do.

    Args:
        url: the ledger's.
        by: who does it, for the audit log.
        at: now, with a time zone.

    Returns:
        Where the ledger stood before.

    Raises:
        LedgerError: there is no ledger, it cannot be opened, or no revision leads from its schema to this Telefine's.
    """
    if standing(url).found is None:
        raise LedgerError("there is no ledger yet; it is made with the newest schema when it is first used")
    with closing(Ledger(url, lambda _: None)) as ledger, ledger.writing() as connection:
        before = _standing(version_of(connection))
        if before.steps:
            upgrade(connection, before.found)
            entry = AuditEntry(by, "migrated the ledger", "ledger", {"from": before.found, "to": before.known})
            append_to(connection, entry, at)
        return before


def upgrade(connection: Connection, found: int | None) -> None:
    """Run the revisions after ``found``, all of them by default, within a transaction that writes."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    with Operations.context(MigrationContext.configure(connection)):
        for script in _scripts(found):
            script.module.upgrade()
            connection.execute(insert(versions).values(version=int(script.revision)))


def _standing(found: int | None) -> Standing:
    if found is None or found == SCHEMA_VERSION:
        return Standing(found, SCHEMA_VERSION, ())
    require_known(found)
    return Standing(found, SCHEMA_VERSION, tuple(Step(int(each.revision), each.doc) for each in _scripts(found)))


def _scripts(found: int | None) -> list[Script]:
    """The revisions after ``found``, oldest first."""
    from alembic.script import ScriptDirectory

    folder = str(Path(migrations.__file__).parent)
    directory = ScriptDirectory(folder, version_locations=[folder])
    newest_first = directory.iterate_revisions(str(SCHEMA_VERSION), "base" if found is None else str(found))
    return list(newest_first)[::-1]
