"""Two connections to two workers of a tracking server.

A connection stays with the worker process that accepted it, and a worker does
one thing at a time: when both connections are with the same worker, the other
one is idle and everything takes twice as long. Which worker it is cannot be
asked. So the first request of a kind goes alone, to see how long it takes; a
later one that takes much longer has met another at its worker, and its
connection is opened anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_MUCH_LONGER = 1.5
_MOST_MOVES = 8
"""A server may have one worker only, or no time: then no connection is better than another."""


class Workers:
    """Where the connections of one reading should go; they are MLflow's, in a pool that its threads share."""

    def __init__(self) -> None:
        """Nothing is known at first."""
        self._least: dict[str, float] = {}
        self._moves = 0
        self._move = False
        self._lock = Lock()

    @contextmanager
    def first_alone(self, kind: str) -> Iterator[None]:
        """Around a request: the first of its kind has no other of its kind beside it."""
        if kind in self._least:
            yield
            return
        with self._lock:
            try:
                yield
            finally:
                self._least.setdefault(kind, float("inf"))

    def learn(self, kind: str, seconds: float, traces: int, few: int) -> None:
        """A request took so long for so many traces; of ``few`` or less, nothing is learnt."""
        if traces <= few:
            return
        least = self._least.get(kind, float("inf"))
        if seconds / traces > least * _MUCH_LONGER and self._moves < _MOST_MOVES:
            self._moves += 1
            self._move = True
        self._least[kind] = min(least, seconds / traces)

    def headers(self) -> dict[str, str]:
        """What the next request says: ``close`` ends its connection after the answer."""
        if not self._move:
            return {}
        self._move = False
        return {"Connection": "close"}
