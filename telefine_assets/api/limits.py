"""Limits of what is done at once, and of how often: places, and buckets of tokens."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock


class Places:
    """So many may do something at once; how many do is known."""

    def __init__(self, most: int) -> None:
        """Have ``most`` places."""
        self.most, self.taken, self._lock = most, 0, Lock()

    def take(self) -> bool:
        """Take a place; False when all are taken."""
        with self._lock:
            free = self.taken < self.most
            self.taken += free
        return free

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self.taken -= 1


class Buckets:
    """One bucket for each caller. The callers that were seen last are remembered, the others start afresh."""

    def __init__(self, per_second: float, burst: int, callers: int = 10_000) -> None:
        """Let each of ``callers`` take ``burst`` tokens at once and ``per_second`` a second."""
        self._rate, self._burst, self._callers = per_second, burst, callers
        self._lock = Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, tokens: int, now: float) -> float:
        """Take ``tokens``; returns 0, or the seconds to wait where there are not so many.

        ``now`` is in seconds; a clock that goes back fills nothing. What costs more than
        a whole bucket takes a whole one.
        """
        wanted = min(tokens, self._burst)
        with self._lock:
            left, then = self._left.pop(caller, (float(self._burst), now))
            left = min(float(self._burst), left + max(0.0, now - then) * self._rate)
            waits = max(0.0, (wanted - left) / self._rate)
            self._left[caller] = (left if waits else left - wanted, max(now, then))
            if len(self._left) > self._callers:
                self._left.popitem(last=False)
        return waits
