"""A run that is stopped does stop, wherever in its work the one interruption finds it."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

AGAIN_SECONDS = 2.0


@contextmanager
def insisting(after: float = AGAIN_SECONDS) -> Iterator[None]:
    """Interrupt the block again if it still goes on so many seconds ``after`` it was, as if it had not been.

    Dagster interrupts a run once, by an exception out of a signal's handler. What
    Python calls by itself, a finalizer or the callback of a weak reference, cannot
    pass on an exception: one that is raised there is printed and lost, and the run
    would work to its end. While the block cleans up after the interruption it is
    left in peace.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    over, thread = threading.Event(), threading.get_ident()

    def insist(raised: BaseException) -> None:
        while not over.wait(after):
            if raised not in _active_in(thread):
                signal.pthread_kill(thread, signal.SIGINT)
                return

    def interrupt(number: int, frame: FrameType | None) -> None:
        try:
            handler(number, frame)
        except BaseException as raised:
            threading.Thread(target=insist, args=(raised,), name="insisting", daemon=True).start()
            raise

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        over.set()
        signal.signal(signal.SIGINT, handler)


def _active_in(thread: int) -> list[BaseException]:
    """The exceptions that a thread handles now: in an ``except``, a ``finally`` or the end of a ``with``."""
    found: list[BaseException] = []
    current: Any = sys._current_exceptions().get(thread)
    if isinstance(current, tuple):  # as Python 3.11 has it
        current = current[1]
    while current is not None and current not in found:
        found.append(current)
        current = current.__context__
    return found
