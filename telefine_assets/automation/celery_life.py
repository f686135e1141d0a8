"""A sign of life for each run that a Celery worker works at, given by the process that does the work.

A worker that is told to end (SIGTERM) finishes its run, and answers nobody meanwhile:
from its silence alone it could not be told from one that was killed. The sign is a key
in Redis, where the results are, which vanishes by itself when nobody renews it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LIFE_SECONDS = 20
"""How long a sign is seen after whoever gave it is gone."""
_RENEWED_SECONDS = 4.0
_GOODBYE_SECONDS = 2.0


def keeps_signs(app: Any) -> bool:
    """Whether the app's result backend can hold signs: Redis can."""
    from celery.backends.redis import RedisBackend  # type: ignore[import-untyped]

    return isinstance(app.backend, RedisBackend)


def living(app: Any, tasks: Sequence[str]) -> set[str]:
    """Those of ``tasks`` that gave a sign of life within ``LIFE_SECONDS``; none where nobody can give one.

    Raises:
        redis.exceptions.RedisError: the result backend cannot be asked.
    """
    if not tasks or not keeps_signs(app):
        return set()
    signs = app.backend.mget([_key(task) for task in tasks])
    return {task for task, sign in zip(tasks, signs, strict=True) if sign is not None}


def give_signs(app: Any) -> None:
    """Have this process, and those that it forks, give signs of the tasks they work at."""
    from celery.signals import task_postrun, task_prerun  # type: ignore[import-untyped]

    if keeps_signs(app):
        signs = Signs(app)
        task_prerun.connect(signs.begin, weak=False)
        task_postrun.connect(signs.end, weak=False)


class Signs:
    """Gives them, from a thread for each task."""

    def __init__(self, app: Any) -> None:
        """Give them in the app's result backend."""
        self._app = app
        self._going: dict[str, tuple[threading.Event, threading.Thread]] = {}

    def begin(self, task_id: str, **_: Any) -> None:
        """Give signs of a task from now on."""
        over = threading.Event()
        thread = threading.Thread(target=self._renew, args=(task_id, over), daemon=True)
        self._going[task_id] = (over, thread)
        thread.start()

    def end(self, task_id: str, **_: Any) -> None:
        """Give none any more, and take back the last."""
        over, thread = self._going.pop(task_id)
        over.set()
        thread.join(_GOODBYE_SECONDS)

    def _renew(self, task_id: str, over: threading.Event) -> None:
        from redis.exceptions import RedisError

        going = True
        while going:
            # While Redis is away nobody takes a run for lost either, and signs come again with it.
            with suppress(OSError, RedisError):
                self._app.backend.client.set(_key(task_id), 1, ex=LIFE_SECONDS)
            going = not over.wait(_RENEWED_SECONDS)
        with suppress(OSError, RedisError):
            self._app.backend.client.delete(_key(task_id))


def _key(task_id: str) -> str:
    return f"telefine-alive-{task_id}"
