"""What is read next, and in what order it is handed out: work in several threads, results in one order.

A span of time is cut into windows that hold about one page each: how long they
are is learnt from the pages that came. Only the first few pieces of the plan
are under way, so that memory does not depend on how much there is to read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from telefine_assets.traces.sources.api_rows import Info
from telefine_assets.traces.sources.pages import RawPage

_AHEAD = 8
# A window that holds more than a page costs a second request: aim below it.
_FILLED = 0.85
_GROW = 4
_SPANS_AT_ONCE = 25
_MANY_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Window:
    """A span of time ``[start_ms, end_ms)`` in which traces are still to be found."""

    start_ms: int
    end_ms: int

    def cut(self, length: int) -> list[Window]:
        """The first ``length`` milliseconds, and the rest if there is any."""
        middle = min(self.end_ms, self.start_ms + length)
        return [Window(self.start_ms, middle), Window(middle, self.end_ms)][: 1 + (middle < self.end_ms)]


@dataclass(frozen=True)
class Found:
    """Traces of a window; those in ``lacking`` need their spans."""

    window: Window
    infos: Sequence[Info]
    lacking: frozenset[str]
    rest: Window | None = None
    """What of the window did not go into the answer."""

    def cut(self, lacking: int) -> list[Found]:
        """The first traces, of which at most ``lacking`` need their spans, and the others if there are any."""
        seen = 0
        for place, info in enumerate(self.infos):
            seen += info.trace_id in self.lacking
            if seen > lacking:
                return [replace(self, infos=self.infos[:place]), replace(self, infos=self.infos[place:])]
        return [self]

    @property
    def needs_spans(self) -> bool:
        """Whether any of the traces needs its spans."""
        return any(info.trace_id in self.lacking for info in self.infos)


Item = Window | Found | RawPage


class Plan:
    """The pieces that are still to be read, in the order in which they are handed out."""

    def __init__(
        self,
        search: Callable[[Window], Found],
        read: Callable[[Found], RawPage],
        stop: Callable[[], None],
        threads: int,
        page: int,
    ) -> None:
        """``search`` finds the traces of a window, ``read`` brings them with their spans, both in other threads.

        ``stop`` is called when nothing more is wanted: what is under way need not be finished.
        """
        self._search, self._read, self._stop, self._threads = search, read, stop, threads
        self._target = page * _FILLED
        self._length = 0
        self._large = _SPANS_AT_ONCE
        self._items: deque[Item | Future[Found] | Future[RawPage]] = deque()

    def pages(self, window: Window) -> Iterator[RawPage]:
        """All pages of a span of time, in order."""
        self._items, self._length = deque([window]), max(1, window.end_ms - window.start_ms)
        with ThreadPoolExecutor(self._threads, thread_name_prefix="telefine-traces") as pool:
            try:
                while self._items:
                    self._start(pool)
                    item = self._items.popleft()
                    done = item.result() if isinstance(item, Future) else item
                    if isinstance(done, Found):
                        self._items.extendleft(reversed(self._learnt(done)))
                    elif isinstance(done, RawPage):
                        if isinstance(item, Future):
                            self._weigh(done)
                        yield done
            finally:
                self._stop()
                for item in self._items:
                    if isinstance(item, Future):
                        item.cancel()

    def _start(self, pool: ThreadPoolExecutor) -> None:
        """Have the first pieces under way."""
        place = 0
        while place < min(len(self._items), self._threads + _AHEAD):
            item = self._items[place]
            if isinstance(item, Window):
                self._replace(place, item.cut(self._length))
                self._items[place] = pool.submit(self._search, self._items[place])  # type: ignore[arg-type]
            elif isinstance(item, Found):
                self._replace(place, item.cut(self._large))
                self._items[place] = self._begun(pool, self._items[place])  # type: ignore[arg-type]
            place += 1

    def _begun(self, pool: ThreadPoolExecutor, found: Found) -> RawPage | Future[RawPage]:
        """Nothing need be fetched for most pages: they do not wait in the pool."""
        return pool.submit(self._read, found) if found.needs_spans else self._read(found)

    def _replace(self, place: int, items: Sequence[Window | Found]) -> None:
        self._items[place] = items[0]
        for item in reversed(items[1:]):
            self._items.insert(place + 1, item)

    def _learnt(self, found: Found) -> list[Item | Future[Found] | Future[RawPage]]:
        """The found traces and what is left of their window; later windows are cut by what was found."""
        if found.rest is not None and found.infos:
            taken = found.rest.start_ms - found.infos[0].request_time_ms
            self._length = max(1, int(taken * self._target / len(found.infos)))
        elif (taken := found.window.end_ms - found.window.start_ms) * 2 >= self._length:
            wanted = int(taken * self._target / max(1, len(found.infos)))
            self._length = max(1, min(self._length * _GROW, wanted))
        items: list[Item | Future[Found] | Future[RawPage]] = []
        if found.infos:
            items.append(replace(found, rest=None))
        if found.rest is not None and found.rest.start_ms < found.rest.end_ms:
            items.append(found.rest)
        return items

    def _weigh(self, page: RawPage) -> None:
        """How many traces of unknown size are read at once, by the size of those that came."""
        many = page.spans.nbytes > _MANY_BYTES
        self._large = max(1, self._large // 2) if many else min(_SPANS_AT_ONCE, self._large * 2)
