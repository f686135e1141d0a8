"""No secret in what is written for others: those of the settings, passwords in addresses, keys of the API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from pydantic import BaseModel, SecretStr

from telefine_assets.settings.addresses import addresses_of, in_text, secrets_in, without_password

if TYPE_CHECKING:
    from telefine_assets.settings.schema import Settings

MASK = "**********"
_API_KEY = re.compile(r"(telefine_[0-9a-f]{16}_)[0-9a-f]{64}")
_LIBPQ = re.compile(r"(\b(?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s'\"&]+)", re.IGNORECASE)
"""How libpq has it, https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE."""
_SHORTEST = 8
"""A shorter secret would make holes in every text, and keeps nothing secret."""


class Masker:
    """Hides what must not be told."""

    def __init__(self, secrets: Iterable[str] = (), addresses: Iterable[str] = ()) -> None:
        """Hide these wherever they stand, the longest first: one may be part of another.

        Args:
            secrets: what is hidden whole.
            addresses: what is shown without its passwords, which may be short or have blanks in them.
        """
        closed = [each for each in sorted(addresses, key=len, reverse=True) if secrets_in(each)]
        self._addresses = {
            form: shown
            for each in closed
            for form, shown in zip(_told(each), _told(without_password(each)), strict=True)
        }
        written = {form for each in secrets if len(each) >= _SHORTEST for form in _forms(each)}
        found = sorted(written, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, found))) if found else None

    @classmethod
    def of(cls, settings: Settings) -> Masker:
        """Hide the secrets of these settings."""
        addresses = [*addresses_of(settings).values()]
        hidden = [secret for each in addresses for secret in secrets_in(each)]
        # Of the web's addresses the user is hidden, too, and is no secret by itself.
        passwords = [secret.partition(":")[2] for secret in hidden]
        return cls([*_secrets_in(settings), *hidden, *passwords], addresses)

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        for address, shown in self._addresses.items():
            text = text.replace(address, shown)
        text = self._known.sub(MASK, text) if self._known else text
        text = _API_KEY.sub(rf"\1{MASK}", text)
        if "://" in text or "password" in text:
            text = in_text(text)
        return _LIBPQ.sub(rf"\1{MASK}", text)


def _forms(secret: str) -> set[str]:
    """How a text may have it: as it is, in a URL and out of one, in JSON, in what Python shows."""
    return {*_told(secret), quote(secret, safe=""), unquote(secret)}


def _told(text: str) -> tuple[str, str, str]:
    """As it is, in JSON, in what Python shows."""
    return text, json.dumps(text)[1:-1], repr(text)[1:-1]


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
