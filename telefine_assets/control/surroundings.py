"""What went wrong outside of Telefine: disks, permissions and databases, with what helps."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator

from telefine_assets.errors import TelefineError

_ROOM = "make room on the disk, or take a larger one"
_READ_ONLY = (
    "the disk is read-only: mount it so that it can be written, or set home, store.uri and ledger.url elsewhere"
)
_PERMISSION = "give this user the permission, or work as the user to whom it belongs"
_ERRNO = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EIO: "the disk fails: look at the system's log",
    errno.ENOTDIR: "a file stands where a folder must be: look at home, store.uri and ledger.url",
}
_SAID = {
    "disk is full": _ROOM,
    "No space left": _ROOM,
    "readonly database": _READ_ONLY,
    "disk I/O error": "the disk is full or fails: look at its room, and at the system's log",
    "unable to open database file": "look at its folder: the disk may be read-only or full, or belong to another user",
    "malformed": "the database is damaged: restore it from a backup (`telefine restore`)",
    "is not a database": "it is damaged, or another file: look at ledger.url, mlflow.tracking_uri and DAGSTER_HOME",
    "database is locked": "another process writes for long: try again",
}
"""What SQLite and PostgreSQL say, wherever they are asked from."""
_DATABASE = "`telefine doctor --no-lm` says which database it is, and what helps"


def cure_of(error: BaseException) -> str | None:
    """What helps against a failure of disk or database that ``error`` is or came from; None for all else."""
    for each in _causes(error):
        if isinstance(each, OSError) and each.errno in _ERRNO:
            return _ERRNO[each.errno]
        if _is_database(each):
            return _cure_of_database(str(getattr(each, "orig", each)), type(getattr(each, "orig", each)).__module__)
    return None


def told_of(error: Exception) -> str | None:
    """What is told of an error: of disks and databases with its cure; None for a defect, which keeps its traceback."""
    if isinstance(error, TelefineError):
        # A ledger that cannot be opened repeats what was said to it, and does not know what helps.
        cure = cure_of(error) if type(error).__name__ == "LedgerError" else None
        return str(error) if cure is None else f"{error}; {cure}"
    if not isinstance(error, OSError) and not _is_database(error):
        return None
    cure = cure_of(error)
    said = " ".join(str(getattr(error, "orig", error)).split())
    return None if cure is None else f"{said}; {cure}"


def _cure_of_database(said: str, driver: str) -> str | None:
    for known, cure in _SAID.items():
        if known in said:
            return cure
    # For SQLite a statement that it does not understand is such a failure too, and that is a defect.
    return None if driver == "sqlite3" else _DATABASE


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _is_database(error: BaseException) -> bool:
    # Whoever has not imported SQLAlchemy has none of its errors, and need not wait for it.
    found = sys.modules.get("sqlalchemy.exc")
    if found is None:
        return False
    return type(error) in (found.OperationalError, found.InternalError, found.DatabaseError)
