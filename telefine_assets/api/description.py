"""What OpenAPI says of the application, beyond what FastAPI finds out by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from telefine_assets.api.problems import ProblemBody
from telefine_assets.api.security import OPEN_TO_ALL


def describe(app: FastAPI, routes: Iterable[Any]) -> None:
    """Have OpenAPI know the schema of problems, which no route returns by name, and where no key is needed."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        own = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= own.pop("$defs") | {"Problem": own}
        for operation in _without_key(routes, document):
            # The empty requirement, beside that of a key: either will do.
            operation["security"] = [{}, *(each for each in operation["security"] if each)]
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _without_key(routes: Iterable[Any], document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema and _is_open(route.dependant):
            yield from (document["paths"][route.path_format][method.lower()] for method in route.methods or ())


def _is_open(dependant: Dependant) -> bool:
    return dependant.call in OPEN_TO_ALL or any(map(_is_open, dependant.dependencies))
