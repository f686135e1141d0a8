"""What OpenAPI says of the application, beyond what FastAPI finds out by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from telefine_assets.api.problems import ProblemBody
from telefine_assets.api.security import NEEDED
from telefine_assets.ledger.api_keys import Scope


def describe(app: FastAPI, routes: Iterable[Any]) -> None:
    """Have OpenAPI know the schema of problems, which no route returns by name, and which scope a key needs."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        own = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= own.pop("$defs") | {"Problem": own}
        for operation, scope in _guarded(routes, document):
            # OpenAPI 3.1 lists a key's roles. The empty requirement, beside that of a key: either will do.
            operation["security"] = [{}, {"key": []}] if scope is None else [{"key": [scope.value]}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _guarded(routes: Iterable[Any], document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Scope | None]]:
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for scope in _needed(route.dependant):
                for method in route.methods or ():
                    yield document["paths"][route.path_format][method.lower()], scope


def _needed(dependant: Dependant) -> Iterator[Scope | None]:
    if dependant.call in NEEDED:
        yield NEEDED[dependant.call]
    for below in dependant.dependencies:
        yield from _needed(below)
