"""What a stage asks of one language model, counted and traced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from telefine_assets.lm.budget import Spent
from telefine_assets.observing.tracing import Tracing

if TYPE_CHECKING:
    from telefine_assets.observing.counting import Counts

ANSWERED = "answered"


class Watched:
    """See :class:`telefine_assets.lm.watching.Watch`. Threads share one."""

    def __init__(self, counts: Counts, tracing: Tracing, program: str, stage: str, model: str) -> None:
        """Count under these names; ``model`` is ``lm``, or a name of ``lms``."""
        self._counts, self._tracing, self._lock = counts, tracing, Lock()
        self._labels = (program, stage, model)
        self._model, self._attempts, self._remembered = model, 0, 0
        # What did not happen is 0: nobody could tell a missing series from one that is not counted.
        for counter in (counts.retries, counts.remembered):
            counter.labels(*self._labels)

    def attempted(self, seconds: float, error: str | None, spent: Spent | None) -> None:
        """A request was sent."""
        with self._lock:
            self._attempts += 1
        self._counts.attempts.labels(*self._labels, error or ANSWERED).inc()
        self._counts.attempt_seconds.labels(*self._labels).observe(seconds)
        for direction in ("input", "output") if spent else ():
            self._counts.tokens.labels(*self._labels, direction).inc(getattr(spent, f"{direction}_tokens") or 0)

    def retried(self) -> None:
        """A request is sent again."""
        self._counts.retries.labels(*self._labels).inc()

    def remembered(self) -> None:
        """The journal answered."""
        with self._lock:
            self._remembered += 1
        self._counts.remembered.labels(*self._labels).inc()

    @contextmanager
    def batch(self, label: str) -> Iterator[None]:
        """A span of the questions that are counted under a label, such as a contender's."""
        before = self._attempts, self._remembered
        with self._tracing.span("questions", counted_under=label, model=self._model) as span:
            try:
                yield
            finally:
                self._counts.batches.labels(*self._labels).inc()
                span.set_attribute("telefine.requests", self._attempts - before[0])
                span.set_attribute("telefine.remembered", self._remembered - before[1])
