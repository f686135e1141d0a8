"""Everything that goes wrong, as ``application/problem+json``: what is wrong and what would cure it, no internals.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from telefine_assets.errors import TelefineError
from telefine_assets.store.records import BrokenRecord

MEDIA_TYPE = "application/problem+json"
logger = logging.getLogger("telefine.api")

_TITLES = {
    400: "The request cannot be understood",
    401: "A key is needed",
    403: "The key does not open this",
    404: "There is no such thing",
    405: "The method is not for this",
    409: "The request contradicts an earlier one",
    410: "It was erased",
    413: "The request is too large",
    414: "The address is too long",
    415: "The body is of a kind that is not read here",
    422: "The request says something that cannot be",
    429: "Too many requests",
    431: "The headers are too large",
    500: "Something is wrong with the server",
    503: "The server cannot answer this now",
}
_TOLD, _IN_DETAIL = 100, 10
"""Of how many mistakes a problem tells, and of how many in its detail."""
_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}


class Problem(TelefineError):
    """An answer that says what is wrong.

    Attributes:
        status: the HTTP status.
        code: stable, for programs.
        detail: for people; it names no internals and quotes no key.
        headers: that go with it.
        more: further members.
    """

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.more = dict(headers or {}), more

    def response(self) -> Response:
        """The answer."""
        content = {
            "type": f"urn:telefine:problem:{self.code}",
            "title": _TITLES.get(self.status, "The request was refused"),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        headers = {"Cache-Control": "no-store"} | self.headers
        return Response(orjson.dumps(content | self.more), self.status, headers, MEDIA_TYPE)


class Mistake(BaseModel):
    """One thing that is wrong in a request."""

    where: str = Field(description="The part and the field.", examples=["query.limit"])
    problem: str = Field(examples=["Input should be less than or equal to 200"])


class ProblemBody(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(examples=["urn:telefine:problem:not_found"])
    title: str = Field(examples=["There is no such thing"])
    status: int = Field(examples=[404])
    code: str = Field(description="Stable, for programs.", examples=["not_found"])
    detail: str = Field(description="For people.", examples=["there is no program 'tickets'"])
    id: str | None = Field(None, description="Of a 500 or 503: what the server's log knows it by.")
    errors: list[Mistake] | None = Field(None, description="Of a 422; 100 at most.")
    errors_left_out: int | None = Field(None, description="Of a 422: how many there are beside those.")


def not_found(what: str) -> Problem:
    """There is no such thing."""
    return Problem(404, "not_found", what)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How OpenAPI describes these answers."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _TITLES[status], "content": content} for status in statuses}


def internal(request_id: str) -> Problem:
    """A defect; what it was is in the log, under this id."""
    return Problem(
        500, "internal", f"Tell the operator the id {request_id}; the server's log has the rest.", id=request_id
    )


def explain_problems(app: FastAPI) -> None:
    """Have ``app`` answer every error with a problem; what nobody expected is for ``Guard``."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        code = _CODES.get(error.status_code, "refused")
        detail = "there is nothing at this address" if error.status_code == 404 else str(error.detail)
        return Problem(error.status_code, code, detail, error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        return invalid(error.errors()).response()

    @app.exception_handler(BrokenRecord)
    async def _broken(request: Request, error: BrokenRecord) -> Response:
        request_id = request.state.request_id
        logger.error("request %s: %s", request_id, error)
        told = str(error) if getattr(request.state, "reads", False) else "Tell the operator"
        return Problem(503, "stored_record_broken", f"{told} (id {request_id}).", id=request_id).response()

    @app.exception_handler(TelefineError)
    async def _telefine(request: Request, error: TelefineError) -> Response:
        request_id = request.state.request_id
        logger.error("request %s: %s: %s", request_id, type(error).__name__, error)
        detail = f"Something that the server needs is missing or wrong; its log says what, under the id {request_id}."
        return Problem(503, "unavailable", detail, id=request_id).response()


def invalid(errors: Sequence[Any]) -> Problem:
    """What pydantic found, as far as anybody reads it; what was sent is not repeated."""
    told = errors[:_TOLD]
    mistakes = [{"where": ".".join(map(_plain, each["loc"])), "problem": _plain(each["msg"])} for each in told]
    detail = "; ".join(f"{each['where']}: {each['problem']}" for each in mistakes[:_IN_DETAIL])
    if len(errors) > _IN_DETAIL:
        detail += f"; and {len(errors) - _IN_DETAIL} more"
    return Problem(422, "invalid", detail, errors=mistakes, errors_left_out=len(errors) - len(told))


def _plain(value: object) -> str:
    """Text that can be sent: a stranger's half of a UTF-16 pair cannot."""
    return str(value).encode("utf-8", "replace").decode()[:500]
