"""How long one waits before trying again, and what is raised when trying no longer helps."""

from __future__ import annotations

import random
from threading import Event

from telefine_assets.traces.sources.protocol import TraceSourceError

TRIES = 7
_FIRST_SECONDS, _LONGEST_SECONDS = 0.5, 30.0


class CannotSend(TraceSourceError):
    """MLflow is there, but fails at this request each time."""


class Interrupted(TraceSourceError):
    """Nobody waits for the answer any longer."""


class Patience:
    """Waits between attempts, until there is no one who wants the result."""

    def __init__(self) -> None:
        """Be patient until ``end`` is called."""
        self._ended = Event()

    def end(self) -> None:
        """Wait no longer, now and later."""
        self._ended.set()

    def wait(self, tried: int, what: str, asked_seconds: float = 0.0) -> None:
        """Wait after attempt number ``tried``: longer each time, and at least as long as the other side asks for.

        Readers of different things (``what``) do not come back at the same moment.

        Raises:
            Interrupted: ``end`` was called.
        """
        longest = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2 ** (tried - 1))
        seconds = longest * (0.5 + random.Random(f"{what} {tried}").random() / 2)  # noqa: S311 (no secret)
        if self._ended.wait(min(_LONGEST_SECONDS, max(seconds, asked_seconds))):
            raise Interrupted("reading was given up")
