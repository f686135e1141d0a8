"""What optimisers print goes to the log, and nowhere else.

DSPy's optimisers print, and draw progress bars, on the process's standard output.
Redirecting that for the process would swallow what other threads say, a compile of
another program among them. So a switch stands in its place while any strategy runs,
and sends on what is written by a context that has an ear of its own.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_EAR: ContextVar[Log | None] = ContextVar("ear", default=None)
_LOCK = threading.Lock()
_USERS = 0


class Log:
    """Writes whole lines to a logger, at level DEBUG."""

    def __init__(self, logger: logging.Logger, name: str) -> None:
        self._logger = logger
        self._name = name
        self._rest = ""

    def write(self, text: str) -> int:
        """Log the lines that ``text`` completes; a progress bar's carriage return ends one, too."""
        *lines, self._rest = (self._rest + text).replace("\r", "\n").split("\n")
        for line in filter(str.strip, lines):
            self._logger.debug("%s: %s", self._name, line)
        return len(text)


class _Switch:
    """A standard stream that leaves what is said in a context with an ear to that ear."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return int((_EAR.get() or self._stream).write(text))

    def flush(self) -> None:
        if _EAR.get() is None:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def said_to(log: Log) -> Iterator[None]:
    """Send what this context writes to standard output and error to ``log``; other threads are left alone."""
    _install(+1)
    token = _EAR.set(log)
    try:
        yield
    finally:
        _EAR.reset(token)
        _install(-1)


def _install(change: int) -> None:
    """Put the switches in place with the first user, and take them away with the last."""
    global _USERS
    with _LOCK:
        _USERS += change
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if _USERS and not isinstance(stream, _Switch):
                setattr(sys, name, _Switch(stream))
            elif not _USERS and isinstance(stream, _Switch):
                setattr(sys, name, stream._stream)
