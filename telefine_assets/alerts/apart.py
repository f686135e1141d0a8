"""Work in threads that nobody waits for: neither their caller beyond its patience, nor the end of the process.

Threads of an executor, and so those in which asyncio resolves names, are waited
for when the process ends, however long they hang.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from threading import Thread
from typing import Any, TypeVar

_T = TypeVar("_T")


def begun(work: Callable[[], _T], name: str) -> Future[_T]:
    """Work that goes on in a thread of this name, in the context of its caller; its result or what it raised."""
    done: Future[_T] = Future()
    # Whoever gives up cannot cancel it, and so it can always be ended.
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is for whoever waits
            done.set_exception(error)

    Thread(target=copy_context().run, args=(run,), name=name, daemon=True).start()
    return done


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose names are resolved apart: a resolver that hangs holds nobody up."""

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        """See :func:`socket.getaddrinfo`."""
        return await asyncio.wrap_future(begun(partial(socket.getaddrinfo, *args, **kwargs), "telefine-resolver"))
