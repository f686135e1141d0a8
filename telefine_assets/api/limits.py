"""Limits of what is done at once, and of how often: places, and buckets of tokens."""

from __future__ import annotations

from collections import Counter, OrderedDict
from threading import Lock


class Places:
    """So many may do something at once, and one of them a fifth of it at most; how many do is known."""

    def __init__(self, most: int) -> None:
        """Have ``most`` places."""
        self._most, self._of_one, self._lock = most, max(1, most // 5), Lock()
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many places are taken."""
        with self._lock:
            return self._taken.total()

    def take(self, who: str) -> bool:
        """Take a place for somebody; False when all are taken, or all that one may have."""
        with self._lock:
            free = self._taken.total() < self._most and self._taken[who] < self._of_one
            if free:
                self._taken[who] += 1
        return free

    def leave(self, who: str) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[who] -= 1
            if not self._taken[who]:
                del self._taken[who]


class Buckets:
    """One bucket for each caller. The callers that were seen last are remembered, the others start afresh."""

    def __init__(self, per_second: float, burst: int, callers: int = 10_000) -> None:
        """Let each of ``callers`` take ``burst`` tokens at once and ``per_second`` a second."""
        self._rate, self._burst, self._callers = per_second, burst, callers
        self._lock = Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, tokens: float, now: float) -> float:
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
