"""Token buckets: so many requests at once, and so many a second after that."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock


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
