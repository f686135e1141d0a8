"""Something that takes long to read: read again by a thread, while what was read before is told."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Thread
from typing import Generic, TypeVar

Found = TypeVar("Found")
AGAIN_SECONDS = 15.0
"""For how long what was read is good enough."""
_FIRST_SECONDS = 5.0
_TIMES = 4
"""After so many times this long, what was read is too old to be told."""


class NotYet(Exception):
    """It is being read for the first time, or again for so long that what was read before is too old."""


class Behind(Generic[Found]):
    """What a slow reader found last. Threads may share one."""

    def __init__(self, read: Callable[[], Found], monotonic: Callable[[], float]) -> None:
        """Have ``read`` read; ``monotonic`` is a clock that only goes forward, in seconds."""
        self._read, self._monotonic, self._lock = read, monotonic, Lock()
        self._until = -1.0
        # What was found, and when.
        self._found: tuple[Found, float] | None = None
        self._error: Exception | None = None
        self._thread: Thread | None = None

    def get(self) -> Found:
        """What was found last; whoever asks first, or after a long time, waits for it a little.

        Raises:
            NotYet: nothing was found yet, or nothing for long.
        """
        begun = None
        with self._lock:
            if self._monotonic() >= self._until and (self._thread is None or not self._thread.is_alive()):
                begun = self._thread = Thread(target=self._refresh, daemon=True)
                begun.start()
        if begun is not None and self._recent() is None:
            begun.join(_FIRST_SECONDS)
        if self._error is not None:
            raise self._error
        recent = self._recent()
        if recent is None:
            raise NotYet
        return recent[0]

    def _recent(self) -> tuple[Found, float] | None:
        """What was found last and when; None where it is too old, for a read may hang."""
        found = self._found
        return found if found is not None and self._monotonic() - found[1] <= _TIMES * AGAIN_SECONDS else None

    def _refresh(self) -> None:
        try:
            self._found, self._error = (self._read(), self._monotonic()), None
        except Exception as error:  # noqa: BLE001 - it is told to whoever asks
            self._error = error
        self._until = self._monotonic() + AGAIN_SECONDS
