"""Reading ahead: one thread fetches the next page while this one works on the last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")
_LOOK_EVERY_SECONDS = 0.1


def prefetched(items: Iterable[Item], ahead: int = 1) -> Iterator[Item]:
    """The same items in the same order, made in another thread, at most ``ahead`` of them waiting.

    An exception there is raised here. When this iterator is closed early, the
    thread stops before its next item.
    """
    queue: Queue[tuple[Item | None, BaseException | None]] = Queue(ahead)
    stopped = Event()

    def put(item: Item | None, error: BaseException | None) -> None:
        while not stopped.is_set():
            try:
                queue.put((item, error), timeout=_LOOK_EVERY_SECONDS)
            except Full:
                continue
            return

    def work() -> None:
        failed: BaseException | None = None
        iterator = iter(items)
        try:
            for item in iterator:
                put(item, None)
                if stopped.is_set():
                    break
        except BaseException as error:  # noqa: BLE001 (raised again in the thread that asked)
            failed = error
        finally:
            if hasattr(iterator, "close"):
                iterator.close()
        put(None, failed or StopIteration())

    thread = Thread(target=work, name="telefine-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = queue.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
