"""Turns: so many at once may do something, and the others wait.

A turn ends with its block, and with its process, however that ends: the operating
system lets go of a dead process's locks on files, and PostgreSQL of those of a
session that is gone. Nothing has to be freed by hand.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from time import sleep
from typing import Protocol
from urllib.parse import quote

from filelock import FileLock, Timeout
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

from telefine_assets.ledger.connection import Ledger, LedgerError

_NAP_SECONDS = 0.25


class TurnGivenUp(LedgerError):
    """Whoever waited for a turn is to wait no longer."""


class _Places(Protocol):
    def take(self) -> bool:
        """Take a place if one is free."""

    def holders(self) -> list[str]:
        """Who has them."""

    def close(self) -> None:
        """Leave."""


@contextmanager
def turn(
    ledger: Ledger, name: str, seats: int, say: Callable[[str], None], stop: Event | None = None
) -> Iterator[None]:
    """Hold one of the ``seats`` turns at ``name`` during the block; wait until one is free.

    Those who wait are not served in order. Threads are separate holders; so is
    a second turn within the block of the first, which therefore waits for itself
    where there is one seat.

    Args:
        ledger: whoever shares its database shares its turns.
        name: what is done in turn.
        seats: how many may do it at once; all should say the same number.
        say: told once whom this one waits for, and if the turn was lost while it was held.
        stop: who waits gives up once it is set.

    Raises:
        TurnGivenUp: ``stop`` was set before a turn was free.
        LedgerError: when the ledger is in memory, where no other process can be waited for.
        ValueError: when ``seats`` is below one.
    """
    if seats < 1:
        raise ValueError(f"turns at {name!r}: seats = {seats}: must be at least 1")
    with closing(_places(ledger, name, seats, say)) as places:
        if not places.take():
            say(f"waiting for a turn at {name!r}, which {' and '.join(places.holders()) or 'another process'} has")
            while not places.take():
                if stop is not None and stop.is_set():
                    raise TurnGivenUp(f"no turn at {name!r} was free before this process was told to stop")
                sleep(_NAP_SECONDS)
        yield


def _places(ledger: Ledger, name: str, seats: int, say: Callable[[str], None]) -> _Places:
    if ledger.dialect.name == "postgresql":
        return _Sessions(ledger, name, seats, say)
    if ledger.file is None:
        raise LedgerError("turns need a ledger that other processes can open: ledger.url names one in memory")
    return _Files(ledger.file.parent / "turns", name, seats)


def _myself() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


class _Files:
    """Places as locked files beside the ledger's own. Their text says who locked them last."""

    def __init__(self, folder: Path, name: str, seats: int) -> None:
        paths = [folder / f"{quote(name, safe='')}.{seat}.lock" for seat in range(seats)]
        # A file that merely exists would outlive its process: without real locks there are no turns.
        self._locks = [
            FileLock(path, thread_local=False, fallback_to_soft=False, on_acquired=_sign_file) for path in paths
        ]

    def take(self) -> bool:
        return any(_locked(lock) for lock in self._locks)

    def holders(self) -> list[str]:
        return sorted({Path(lock.lock_file).read_text(encoding="utf-8") for lock in self._locks} - {""})

    def close(self) -> None:
        for lock in self._locks:
            lock.release(force=True)


def _locked(lock: FileLock) -> bool:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


def _sign_file(file: int) -> None:
    os.write(file, _myself().encode())


# A session is quiet for as long as its turn lasts, and must be gone soon after its machine is.
_SIGN_SESSION = text("""
    SELECT set_config(name, wanted, false) FROM pg_settings JOIN (VALUES
        ('application_name', :myself), ('idle_session_timeout', '0'),
        ('tcp_keepalives_idle', '60'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '6')
    ) AS own (name, wanted) USING (name)
""")
_HOLDERS = text("""
    SELECT DISTINCT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid::bigint = :key
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY application_name
""")


class _Sessions:
    """Places as advisory locks of a PostgreSQL session."""

    def __init__(self, ledger: Ledger, name: str, seats: int, say: Callable[[str], None]) -> None:
        self._ledger, self._name, self._seats, self._say = ledger, name, seats, say
        # The locks of a pair of integers have nothing to do with that of whoever writes, which is of one.
        self._key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1
        self._connection = self._session()

    def _session(self) -> Connection:
        connection = self._ledger.apart()
        connection.execute(_SIGN_SESSION, {"myself": _myself()})
        return connection

    def take(self) -> bool:
        try:
            return self._tried()
        except DBAPIError as error:
            # The server may only have been started anew; who still holds a place there has another session.
            self._say(f"waiting for a turn at {self._name!r}: the connection was lost ({error.orig})")
            self._connection.invalidate()
            self._connection.close()
            try:
                self._connection = self._session()
                return self._tried()
            except DBAPIError as again:
                raise LedgerError(f"the ledger was lost while waiting for {self._name!r}: {again.orig}") from again

    def _tried(self) -> bool:
        tries = (select(func.pg_try_advisory_lock(self._key, seat)) for seat in range(self._seats))
        return any(self._connection.scalar(each) for each in tries)

    def holders(self) -> list[str]:
        return list(self._connection.scalars(_HOLDERS, {"key": self._key}))

    def close(self) -> None:
        with closing(self._connection):
            try:
                self._connection.execute(select(func.pg_advisory_unlock_all()))
            except DBAPIError as error:
                cause = " ".join(str(error.orig).split())
                self._say(f"the connection for turns at {self._name!r} was lost; others may have come in: {cause}")
