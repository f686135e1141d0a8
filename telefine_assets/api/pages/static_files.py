"""The pages' own files: their style, mark and scripts. They are in memory, and no path is made of what is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import Response

from telefine_assets.api.answers import FOREVER, PUBLIC, stored
from telefine_assets.canonical import sha256_hex

router = APIRouter(include_in_schema=False)
TYPES = {
    "pages.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
}


@cache
def content(name: str) -> bytes:
    """The bytes of one of the files."""
    return (files("telefine_assets.api.pages") / "static" / name).read_bytes()


@cache
def address(name: str) -> str:
    """Where a page finds the file: with its digest, so that a browser may keep it for ever."""
    return f"/static/{name}?v={_version(name)}"


@cache
def _version(name: str) -> str:
    return sha256_hex(content(name))[:16]


def _serving(name: str) -> Callable[[Request, str | None], Awaitable[Response]]:
    async def serve(request: Request, v: str | None = None) -> Response:
        return stored(request, content(name), TYPES[name], FOREVER if v == _version(name) else PUBLIC)

    return serve


for _name in TYPES:
    router.add_api_route(f"/static/{_name}", _serving(_name), methods=["GET"])
