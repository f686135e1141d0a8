"""What every request passes before and after the API: limits, plain addresses, headers, and the last resort."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telefine_assets.api.problems import Problem, internal, logger, not_found
from telefine_assets.api.seen import Seen
from telefine_assets.api.surface import Surface
from telefine_assets.settings.api import ApiSettings

Charge = Callable[[HTTPConnection, float], None]
"""Has the address that asks pay; raises a 429 where it cannot."""
MAX_ADDRESS, MAX_HEADERS = 4_096, 32_768
_BATCH = re.compile(r"/v1/programs/[^/]+/traces")
# Control characters, and what undecodable bytes become.
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]")
_HIDDEN_STEP = re.compile(rb"(?i)%2f|%5c")
# What asks nobody who he is, and so takes no tokens by itself.
_OPEN = re.compile(r"(/static/)|/verify\Z|/v1/openapi\.json\Z")
FILE_COST = 0.02
"""A page has up to thirty files, and a browser asks for them again whenever it shows the page."""
_ONCE = (b"authorization", b"content-type", b"content-length", b"host")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Accept-Ranges": "none",
}


class Guard:
    """ASGI middleware around all of the API."""

    def __init__(self, app: ASGIApp, settings: ApiSettings, surface: Surface, seen: Seen, charge: Charge) -> None:
        """Guard ``app``, whose routes are those of ``surface``; every request is ``seen``.

        What is refused here has cost a token by ``charge``, and so has what no route charges for.
        """
        self._app, self._settings, self._surface, self._seen = app, settings, surface, seen
        self._charge = charge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope.setdefault("state", {})["request_id"] = uuid4().hex
        answer = _Answer(send, request_id, scope["method"] == "HEAD")
        with self._seen.request(scope, request_id, lambda: answer.status):
            await self._answered_somehow(scope, receive, answer, request_id)

    async def _answered_somehow(self, scope: Scope, receive: Receive, answer: _Answer, request_id: str) -> None:
        try:
            await self._answered(scope, _limited(receive, self._limit(scope["path"])), answer)
        except ClientDisconnect:
            pass
        except Exception as error:  # noqa: BLE001 - the last resort: a stranger must not see more than an id
            if answer.status is not None:
                # A HEAD that has its answer, or a client that left.
                if not isinstance(error, OSError):
                    logger.exception("request %s broke off", request_id)
                    self._seen.report(error, scope, request_id)
                return
            await self._refused(error, scope, request_id)(scope, receive, answer)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            allowed = self._allowed(scope)
        except Problem:
            self._charge(HTTPConnection(scope), 1)
            raise
        if scope["method"] == "OPTIONS":
            await Response(None, 204, allowed)(scope, receive, send)
            return
        if found := _OPEN.match(scope["path"]):
            self._charge(HTTPConnection(scope), FILE_COST if found[1] else 1)
        # The same scope, so that the route that was found can be logged.
        scope["method"] = "GET" if scope["method"] == "HEAD" else scope["method"]
        await self._app(scope, receive, send)

    def _allowed(self, scope: Scope) -> dict[str, str]:
        """Say what is allowed at this address, in a header, if what is asked is part of it.

        Raises:
            Problem: it is not.
        """
        asked, method = _asked(scope), scope["method"]
        _check_headers(scope, self._limit(scope["path"]))
        known = self._surface.at(scope["path"])
        if not known:
            raise not_found("there is nothing at this address")
        allowed = {"Allow": ", ".join(sorted({*known, "OPTIONS"}))}
        if method not in (*known, "OPTIONS"):
            raise Problem(405, "method_not_allowed", f"this address knows {allowed['Allow']}", allowed)
        if method in known and not asked <= known[method]:
            told = ", ".join(sorted(known[method])) or "none"
            raise Problem(400, "unknown_parameter", f"a query parameter is unknown; known here: {told}")
        return allowed

    def _limit(self, path: str) -> int:
        return self._settings.max_batch_bytes if _BATCH.fullmatch(path) else self._settings.max_body_bytes

    def _refused(self, error: Exception, scope: Scope, request_id: str) -> Response:
        if isinstance(error, Problem):
            return error.response()
        logger.error("request %s failed", request_id, exc_info=error)
        self._seen.report(error, scope, request_id)
        return internal(request_id).response()


class _Answer:
    """Sends, with the headers that every answer has; of a HEAD, no body."""

    def __init__(self, send: Send, request_id: str, head: bool) -> None:
        self._send, self._request_id, self._head = send, request_id, head
        self.status: int | None = None
        self._done = False

    async def __call__(self, message: Message) -> None:
        if self._done:
            raise OSError("the answer is complete")
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=message["headers"])
            headers["X-Request-Id"] = self._request_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        elif self._head:
            message, self._done = {"type": "http.response.body", "body": b"", "more_body": False}, True
        await self._send(message)


def _asked(scope: Scope) -> set[str]:
    """The names of the query's parameters."""
    query = scope["query_string"].decode("latin-1")
    raw_path = scope.get("raw_path") or b""
    if len(raw_path) + len(query) > MAX_ADDRESS:
        raise Problem(414, "address_too_long", f"path and query may have {MAX_ADDRESS} characters")
    try:
        asked = parse_qsl(query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise Problem(400, "bad_request", "the query has more than 50 parameters") from None
    if _ODD.search(scope["path"]) or any(_ODD.search(each) for pair in asked for each in pair):
        raise Problem(400, "bad_request", "the address has a control character, or is not UTF-8")
    if _HIDDEN_STEP.search(raw_path):
        raise Problem(400, "bad_request", "the path has an encoded slash or backslash, which is in no name here")
    names = {name for name, _ in asked}
    if len(names) < len(asked):
        raise Problem(400, "repeated_parameter", "a query parameter is given twice; give it once")
    return names


def _check_headers(scope: Scope, limit: int) -> None:
    names = [name for name, _ in scope["headers"]]
    for name in _ONCE:
        if names.count(name) > 1:
            raise Problem(400, "repeated_header", f"the header {name.decode()} is given twice; give it once")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADERS:
        raise Problem(431, "headers_too_large", f"the headers may have {MAX_HEADERS} bytes", {"Connection": "close"})
    if b"content-length" in names and b"transfer-encoding" in names:
        # Two readers of the same bytes could see two requests in them (RFC 9112, section 6.1).
        raise Problem(400, "bad_request", "give content-length or transfer-encoding", {"Connection": "close"})
    length = Headers(scope=scope).get("content-length", "0")
    if not re.fullmatch("[0-9]{1,15}", length):
        raise Problem(400, "bad_request", "content-length is no number")
    if int(length) > limit:
        raise _too_large(limit)


def _limited(receive: Receive, limit: int) -> Receive:
    """``receive`` of a body that may have ``limit`` bytes, whatever it said of its length."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return limited


def _too_large(limit: int) -> Problem:
    return Problem(413, "too_large", f"a body may have {limit} bytes here", {"Connection": "close"})
