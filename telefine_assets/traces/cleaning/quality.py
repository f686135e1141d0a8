"""What a trace is worth as a demo."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from telefine_assets.traces.cleaning.outcomes import PPM


class Curve:
    """From an output's score to its worth: points joined by straight lines, in whole parts per million."""

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        """A curve through points that go up from score 0 to score 1."""
        rounded = [(round(at * PPM), round(worth * PPM)) for at, worth in points]
        # Points that are closer than a millionth fall together; the later one decides.
        self._points = sorted(dict(rounded).items())

    def __call__(self, score_ppm: int) -> int:
        """The worth, rounded down, of a score between 0 and a million."""
        after = bisect_right(self._points, score_ppm, key=lambda point: point[0])
        if after == len(self._points):
            return self._points[-1][1]
        (left, low), (right, high) = self._points[after - 1], self._points[after]
        return low + (high - low) * (score_ppm - left) // (right - left)
