"""Answers: JSON with a strong ETag, pages of a list with an opaque cursor, and JSON bodies read strictly."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.responses import Response

from telefine_assets.api.problems import Problem, invalid
from telefine_assets.attribution.records import RecordError, load_json
from telefine_assets.canonical import sha256_hex

Item = TypeVar("Item")
_VERSION = 1
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e]*")')
PUBLIC, PRIVATE = "public, no-cache", "private, no-cache"
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Cut(Generic[Item]):
    """A part of a list, which ``stored`` can send."""

    items: list[Item]
    next: str | None


class Page(BaseModel, Generic[Item]):
    """A part of a list, as it is described."""

    items: list[Item]
    next: str | None = Field(None, description="The cursor of the next part; null at the end.")


def stored(
    request: Request,
    content: Any,
    media_type: str = "application/json",
    caching: str = PRIVATE,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer made of what is stored, or 304 when the caller has it already.

    The ETag is strong: the SHA-256 of the bytes (RFC 9110, section 8.8.3).
    ``content`` is bytes, or a value that JSON has.
    """
    body = content if isinstance(content, bytes) else orjson.dumps(content, option=orjson.OPT_SERIALIZE_DATACLASS)
    tag = f'"{sha256_hex(body)}"'
    own = {"ETag": tag, "Cache-Control": caching, "Vary": "Authorization", **(headers or {})}
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in _TAG.findall(known):
        return Response(None, 304, own)
    return Response(body, 200, own, media_type)


class Part:
    """Which part of a list is asked for."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=200, description="How many at most.", examples=[50])] = 50,
        cursor: Annotated[
            str | None,
            Query(
                max_length=1_024,
                pattern="^[A-Za-z0-9_-]+$",
                description="`next` of the part before; without it, the first.",
            ),
        ] = None,
    ) -> None:
        self.limit, self._cursor = limit, cursor

    def after(self, listing: str, key: Any) -> Any:
        """The key of the last item that was seen, None at the start.

        Args:
            listing: the list; a cursor of another one is refused.
            key: the type of its keys.
        """
        return None if self._cursor is None else _opened(self._cursor, listing, key)

    def page(self, listing: str, found: Sequence[Item], key: Callable[[Item], Any]) -> Cut[Item]:
        """A page of ``found``, which holds ``limit`` items and one more if there are more."""
        shown = list(found[: self.limit])
        return Cut(shown, _closed(listing, key(shown[-1])) if len(found) > self.limit else None)

    def of(self, listing: str, items: Sequence[Item], key: Callable[[Item], Any], kind: Any) -> Cut[Item]:
        """The part of a whole list that is in the order of its ``key``, whose type is ``kind``."""
        after = self.after(listing, kind)
        left = items if after is None else [each for each in items if key(each) > after]
        return self.page(listing, left[: self.limit + 1], key)


Asked = Annotated[Part, Depends(Part)]


def _closed(listing: str, key: Any) -> str:
    content = orjson.dumps([_VERSION, listing, key])
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _opened(cursor: str, listing: str, kind: Any) -> Any:
    """What is in a cursor: nothing but a place in the list, so that one made up by hand shows nothing more."""
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        version, made_for, key = load_json(content, "cursor")
        if (version, made_for) != (_VERSION, listing):
            raise ValueError("of another list")
        return TypeAdapter(kind).validate_json(orjson.dumps(key), strict=True)
    except (binascii.Error, RecordError, ValueError, TypeError):
        raise Problem(400, "bad_cursor", "the cursor is not one of this list; begin without it") from None


def documented_file(media_type: str) -> dict[int | str, dict[str, Any]]:
    """How OpenAPI describes an answer that is no JSON."""
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}}}


def json_body(model: type[BaseModel], example: Mapping[str, Any]) -> dict[str, Any]:
    """How OpenAPI describes a body that ``read_body`` reads."""
    content = {"schema": model.model_json_schema(), "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


Model = TypeVar("Model", bound=BaseModel)


async def raw_body(request: Request) -> bytes:
    """The bytes of a JSON body, read when the caller was let in: FastAPI would read it before.

    Raises:
        Problem: 413 or 415.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "not_json", "send Content-Type: application/json")
    return await request.body()


def parsed(body: bytes, model: type[Model]) -> Model:
    """What a body says. It is strict JSON from a stranger: no repeated keys, no deep nesting, no NaN.

    Raises:
        Problem: 400 or 422.
    """
    try:
        load_json(body, "body")
        return model.model_validate_json(body, strict=True)
    except RecordError as error:
        raise Problem(400, "not_json", f"the body is no JSON that is read here: {_reason(error)}") from None
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise invalid([{**each, "loc": ("body", *each["loc"])} for each in found]) from None


def _reason(error: RecordError) -> str:
    return error.problem.encode("utf-8", "replace").decode()[:300]
