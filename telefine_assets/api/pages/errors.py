"""What went wrong, as a page for people: a browser at an address of the pages gets no JSON."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telefine_assets.api.pages.rendering import HEADERS, HTML, render
from telefine_assets.api.problems import MEDIA_TYPE


class ErrorPages:
    """ASGI middleware around all else: turns problems into pages where a person looks at them."""

    def __init__(self, app: ASGIApp, deployment: str) -> None:
        """Stand around ``app``; ``deployment`` is named on the pages."""
        self._app, self._deployment = app, deployment

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        people = scope["type"] == "http" and _looks_a_person(scope)
        await self._app(scope, receive, _Dressed(send, self._deployment) if people else send)


class _Dressed:
    """Sends everything as it is, but a problem as a page."""

    def __init__(self, send: Send, deployment: str) -> None:
        self._send, self._deployment = send, deployment
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_problem(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._sent(self._start)

    async def _sent(self, start: Message) -> None:
        # Of a HEAD there is no body to dress.
        content = self._page(orjson.loads(self._body)) if self._body else b""
        headers = MutableHeaders(raw=start["headers"])
        for name, value in (HEADERS | {"Content-Type": HTML, "Content-Length": str(len(content))}).items():
            headers[name] = value
        await self._send(start)
        await self._send({"type": "http.response.body", "body": content})

    def _page(self, problem: dict[str, Any]) -> bytes:
        told = {name: problem[name] for name in ("status", "title", "detail", "code")}
        return render("error", self._deployment, None, **told | {"detail": told["detail"].rstrip(".")})


def _looks_a_person(scope: Scope) -> bool:
    return not f"{scope['path']}/".startswith("/v1/") and "text/html" in Headers(scope=scope).get("accept", "")


def _is_problem(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type") == MEDIA_TYPE
