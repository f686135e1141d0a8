"""Which addresses there are, with the methods and query parameters that each knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute


@dataclass(frozen=True)
class Known:
    """One route."""

    path: re.Pattern[str]
    method: str
    parameters: Set[str]


class Surface:
    """All routes of an application."""

    def __init__(self, routes: Iterable[Any], plain: Iterable[str]) -> None:
        """Know ``routes``, and the ``plain`` addresses that answer GET and take no parameters."""
        self._known = [
            Known(route.path_regex, method, frozenset(_parameters(route.dependant)))
            for route in routes
            if isinstance(route, APIRoute)
            for method in sorted(route.methods or ())
        ] + [Known(re.compile(re.escape(path) + r"\Z"), "GET", frozenset()) for path in plain]

    def at(self, path: str) -> dict[str, Set[str]]:
        """Query parameters by method; empty where there is nothing. What can be had can be asked about (HEAD)."""
        found = {known.method: known.parameters for known in self._known if known.path.match(path)}
        return found | {"HEAD": found["GET"]} if "GET" in found else found


def _parameters(dependant: Dependant) -> Iterator[str]:
    yield from (each.alias for each in dependant.query_params)
    for below in dependant.dependencies:
        yield from _parameters(below)
