"""Several writes to MLflow's database in one transaction.

MLflow's store commits each trace by itself and looks its experiment up each time:
together that is two thirds of what a small trace costs it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from telefine_assets.errors import TelefineError


class NotTogether(TelefineError):
    """The writes cannot be one transaction; nothing of it was written."""


@contextmanager
def one_transaction(store: Any, experiment_id: str) -> Iterator[Any]:
    """MLflow's ``store``, of which all that is done in the block to one experiment is written at its end, or nothing.

    It is MLflow's own code that writes, with a session that outlives the single call
    (``SqlAlchemyStore.ManagedSessionMaker``, of a copy that nobody else has).

    Raises:
        NotTogether: the store is no database, or took back what was written before.
    """
    make_session = getattr(store, "ManagedSessionMaker", None)
    if make_session is None:
        raise NotTogether("MLflow's store has no sessions")
    experiment = store.get_experiment(experiment_id)
    with make_session(read_only=False) as session:
        taken_back = _rollbacks(session)

        @contextmanager
        def same_session(read_only: bool = True) -> Iterator[Any]:
            yield session

        together = copy.copy(store)
        together.ManagedSessionMaker, together.get_experiment = same_session, lambda _: experiment
        yield together
        if taken_back:
            raise NotTogether("a trace was there already")


def _rollbacks(session: Any) -> list[Any]:
    """Filled when the session is rolled back: MLflow does so where a trace is there already, and goes on."""
    from sqlalchemy import event

    seen: list[Any] = []
    event.listen(session, "after_rollback", seen.append)
    return seen
