"""Asking again what failed for a passing reason: exponential backoff with full jitter.

Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
A server's own word (``Retry-After``) goes before, and then holds for all threads.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from typing import Any

from telefine_assets.lm.budget import Budget

BASE_SECONDS = 0.5
LONGEST_SECONDS = 30.0
DOWN = 3
"""After so many questions in a row that no retry helped, the model is taken to be down, and each is tried once."""
LONGEST_HINT_SECONDS = 120.0
"""A longer ``Retry-After`` is cut to this: a wrong one must not stop a run for a day."""
NOTICE_SECONDS = 30.0
"""So long nothing more is said of a model that does not answer: many questions wait for it at once."""
_ERRNO = re.compile(r"^.*\[Errno -?\d+\] ", re.DOTALL)
_MOST_SAID = 200


class Notices:
    """Says that a model does not answer, at once and then now and then, and when it answers again."""

    def __init__(self, say: Callable[[str], None], model: str, clock: Callable[[], float]) -> None:
        """Say so of ``model`` with ``say``, which any thread may call, by ``clock`` (seconds)."""
        self._say, self._model, self._clock = say, model, clock
        self._lock = threading.Lock()
        self._next = 0.0
        self._down = False

    def missed(self, error: Exception, again: int, of: int) -> None:
        """An attempt failed, and number ``again`` of at most ``of`` further ones follows."""
        with self._lock:
            now = self._clock()
            if self._down and now < self._next:
                return
            self._down, self._next = True, now + NOTICE_SECONDS
        self._say(f"the model {self._model} does not answer ({_why(error)}); trying again, {again} of {of}")

    def answered(self) -> None:
        """An attempt brought an answer."""
        if not self._down:
            return
        with self._lock:
            before, self._down = self._down, False
        if before:
            self._say(f"the model {self._model} answers again")


def _why(error: Exception) -> str:
    """The innermost words of an error, in one line: ``connection refused``."""
    said = _ERRNO.sub("", " ".join(str(error).split())) or type(error).__name__
    return (said[:1].lower() + said[1:])[:_MOST_SAID]


class Gate:
    """When the next call may start, for all threads that call one model."""

    def __init__(self, calls_per_minute: int | None, budget: Budget) -> None:
        """Let calls through evenly, ``calls_per_minute`` at most; None: as they come."""
        self._interval = 60 / calls_per_minute if calls_per_minute else 0.0
        self._budget = budget
        self._lock = threading.Lock()
        self._held_until = 0.0
        self._next = 0.0

    def hold(self, seconds: float) -> None:
        """Let no call through for so long."""
        with self._lock:
            self._held_until = max(self._held_until, self._budget.clock() + seconds)

    def wait(self) -> None:
        """Wait for one's turn.

        Raises:
            DeadlinePassed: when the time is over before.
        """
        # Another thread may have been told to hold while this one waited.
        while (seconds := self._turn()) > 0:
            self._budget.wait(seconds)

    def _turn(self) -> float:
        """Seconds until one may try again; 0 is a turn, taken."""
        with self._lock:
            now = self._budget.clock()
            earliest = max(self._held_until, self._next)
            if earliest <= now:
                self._next = now + self._interval
                return 0.0
            return earliest - now


class Retrying:
    """Calls of one model, each tried ``attempts`` times at most."""

    def __init__(self, attempts: int, gate: Gate, budget: Budget, notices: Notices) -> None:
        """Wait by ``gate`` and not beyond the deadline of ``budget``; ``notices`` tell who looks on of the waiting."""
        self._attempts = attempts
        self._gate = gate
        self._budget = budget
        self._notices = notices
        self._given_up = 0

    def call(self, ask: Callable[[], Any], seed: str, on_retry: Callable[[], None]) -> Any:
        """The result of ``ask``, asked again after transient faults; ``seed`` decides the waiting times.

        Raises:
            dspy.utils.exceptions.LMError: the last attempt's, or one that no retry cures.
            DeadlinePassed: when the time is over while it waits.
        """
        from dspy.utils.exceptions import LMError, is_retryable_lm_error

        chance = random.Random(seed)  # noqa: S311 - spreads waiting times, keeps no secret
        attempts = self._attempts if self._given_up < DOWN else 1
        for attempt in range(attempts):
            if attempt:
                on_retry()
            self._gate.wait()
            try:
                answer = ask()
                self._given_up = 0
                self._notices.answered()
                return answer
            except LMError as error:
                if not is_retryable_lm_error(error):
                    raise
                if attempt + 1 == attempts:
                    self._given_up += 1
                    raise
                self._notices.missed(error, attempt + 1, attempts - 1)
                hint = min(error.retry_after or 0.0, LONGEST_HINT_SECONDS)
            if hint:
                self._gate.hold(hint)
            self._budget.wait(pause(attempt, hint, chance))
        raise AssertionError("attempts is at least 1")


def pause(attempt: int, hint: float, chance: random.Random) -> float:
    """Seconds to wait after attempt number ``attempt`` (from 0), not less than a server's ``hint``.

    After the first attempt a hint is believed; after that its doubt grows, so
    that a server that always says "at once" is not asked eight times in a second.
    """
    backoff = chance.uniform(0, min(LONGEST_SECONDS, BASE_SECONDS * 2**attempt))
    spread = hint * (1 + chance.random() / 4)
    return max(spread, backoff if attempt or not hint else 0.0)
