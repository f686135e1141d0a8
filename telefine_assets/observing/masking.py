"""No secret in what is written for others: those of the settings, passwords in addresses, keys of the API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

from pydantic import BaseModel, SecretStr

from telefine_assets.settings.file import ADDRESSES, without_password

if TYPE_CHECKING:
    from telefine_assets.settings.schema import Settings

MASK = "**********"
_API_KEY = re.compile(r"(telefine_[0-9a-f]{16}_)[0-9a-f]{64}")
_WORD = re.compile(r"[^\s\"']+")
_LIBPQ = re.compile(r"(\b(?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s'\"&]+)", re.IGNORECASE)
"""How libpq has it, https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE."""
_SHORTEST = 8
"""A shorter secret would make holes in every text, and keeps nothing secret."""


class Masker:
    """Hides what must not be told."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Hide these wherever they stand, the longest first: one may be part of another."""
        written = {form for each in secrets if len(each) >= _SHORTEST for form in _forms(each)}
        found = sorted(written, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, found))) if found else None

    @classmethod
    def of(cls, settings: Settings) -> Masker:
        """Hide the secrets of these settings."""
        addresses = [getattr(getattr(settings, group), name) for group, name in ADDRESSES]
        return cls([*_secrets_in(settings), *filter(None, map(_password_of, addresses))])

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        text = self._known.sub(MASK, text) if self._known else text
        text = _API_KEY.sub(rf"\1{MASK}", text)
        if "://" in text or "password" in text:
            text = _WORD.sub(lambda word: without_password(word[0]), text)
        return _LIBPQ.sub(rf"\1{MASK}", text)


def _forms(secret: str) -> set[str]:
    """How a text may have it: as it is, in a URL and out of one, in JSON, in what Python shows."""
    return {secret, quote(secret, safe=""), unquote(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}


def _secrets_in(value: object) -> Iterator[str]:
    """Every ``SecretStr`` of a tree of settings."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        yield from _secrets_in([each for _, each in value])
    elif isinstance(value, dict):
        yield from _secrets_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _secrets_in(each)


def _password_of(address: str) -> str | None:
    """The password of a URL; None without one."""
    try:
        parts = urlsplit(address)
        return parts.password or next(iter(parse_qs(parts.query).get("password", [])), None)
    except ValueError:
        return None
