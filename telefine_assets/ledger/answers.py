"""Answers of language models, kept so that none is asked for twice."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.schema import answers


class Answers:
    """A journal from the digest of a request to the response's JSON text."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def find(self, request_key: str) -> str | None:
        """The answer to a request, or None when it was never answered."""
        query = select(answers.c.response).where(answers.c.request_key == request_key)
        with self._ledger.reading() as connection:
            return connection.scalar(query)

    def keep(self, request_key: str, response: str) -> str:
        """Keep an answer and return the one that stands: the first, if two came at once."""
        statement = insert(answers).values(request_key=request_key, response=response)
        with self._ledger.writing() as connection:
            connection.execute(statement.on_conflict_do_nothing())
            standing = select(answers.c.response).where(answers.c.request_key == request_key)
            return str(connection.scalar(standing))
