"""Ticks are seen like runs: what nobody expected is reported, beside what Dagster keeps of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from telefine_assets.observing.observer import Observer

Asked = ParamSpec("Asked")
Said = TypeVar("Said")


def observed_tick(observer: Observer, name: str) -> Callable[[Callable[Asked, Said]], Callable[Asked, Said]]:
    """Have what a schedule or sensor does at a tick be seen; Dagster still finds its own parameters."""

    def around(evaluate: Callable[Asked, Said]) -> Callable[Asked, Said]:
        @wraps(evaluate)
        def seen(*asked: Asked.args, **named: Asked.kwargs) -> Said:
            with observer.tick(name):
                return evaluate(*asked, **named)

        return seen

    return around
