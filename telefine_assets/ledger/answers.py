"""Answers of language models, kept so that none is asked for twice."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext

from sqlalchemy import bindparam, select

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.schema import answers

# Statements are made once: making one costs more than running it.
_FIND = select(answers.c.response).where(answers.c.request_key == bindparam("key"))


class Answers:
    """A journal from the digest of a request to the response's JSON text.

    An answer is in the database when ``keep`` returns, and survives whatever
    happens to this process. A power cut may lose the last ones, which are then
    asked for again: waiting for the disk at each call would cost several times
    what the rest of the bookkeeping does.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._engine = ledger.unhurried
        new = ledger.dialect.insert(answers).values(request_key=bindparam("key"), response=bindparam("answer"))
        self._keep = new.on_conflict_do_nothing().returning(answers.c.request_key)
        # SQLite's own waiting for a writer is by naps of milliseconds; PostgreSQL has many writers.
        self._writing: AbstractContextManager[object] = (
            threading.Lock() if ledger.dialect.name == "sqlite" else nullcontext()
        )

    def find(self, request_key: str) -> str | None:
        """The answer to a request, or None when it was never answered."""
        with self._engine.connect() as connection:
            return connection.scalar(_FIND, {"key": request_key})

    def keep(self, request_key: str, response: str) -> str:
        """Keep an answer and return the one that stands: the first, if two came at once."""
        with self._writing, self._engine.connect() as connection:
            added = connection.scalar(self._keep, {"key": request_key, "answer": response})
            return response if added else str(connection.scalar(_FIND, {"key": request_key}))
