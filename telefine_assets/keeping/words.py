"""A person's words, and whether they stand somewhere, in whatever form they were written down.

Words are the texts among a trace's values. One that somebody else's traces have as
well (a label, a greeting) is nobody's own; ids identify no person. A long one is found wherever it stands in a value,
a short one only as a whole JSON text: elsewhere it would be found in others' words.
Names in JSON are never anybody's words.
"""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from telefine_assets.strangers_json import parse

TAKEN_OUT = "(erased)"
_SHORTEST, _LONG = 3, 24
_JSON_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?')
_ID = re.compile(r"0x[0-9a-fA-F]{24,}|(tr-)?[0-9a-f]{24,}")
_DEEP = 3
"""How often a text that is quoted may have been written as JSON or HTML: JSON in JSON in HTML is three times."""


class Words:
    """One person's own words."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Know ``texts``; those of less than three characters say nothing, and digests, wallets and ids are public."""
        self._whole = {text for text in texts if len(text) >= _SHORTEST and not _ID.fullmatch(text)}
        self._by_start: dict[str, set[tuple[str, str]]] | None = None

    def __len__(self) -> int:
        return len(self._whole)

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def forget(self, texts: Iterable[str]) -> None:
        """Others say these as well."""
        self._whole.difference_update(texts)
        self._by_start = None

    def forget_within(self, texts: Iterable[str]) -> None:
        """These are nobody's own, and neither is any part of them that is long enough to be found as one."""
        said = {text for text in texts if not _ID.fullmatch(text)}
        self.forget(said)
        self.forget({word for text in said for at, form, word in self._begun_in(text) if text.startswith(form, at)})

    def are_in(self, content: bytes) -> bool:
        """Whether any of them stands in a file, or in a text of the ledger."""
        value = parsed(content)
        if value is not None:
            # The names and the punctuation between values are nobody's words.
            return any(each in self._whole or self.are_quoted_in(each) for each in texts_in(value))
        text = content.decode("utf-8", "replace")
        return any(each in self._whole for each in _json_texts(text)) or self.are_quoted_in(text)

    def are_quoted_in(self, text: str, cut: bool = False) -> bool:
        """Whether any of the long ones stands in a text, as it is or as JSON or HTML write it.

        With ``cut``, the beginning of one is enough.
        """
        return any(cut or text.startswith(form, at) for at, form, _ in self._begun_in(text))

    def taken_out_of(self, value: Any) -> Any:
        """A JSON value with every text in which any of them stands replaced by ``TAKEN_OUT``."""
        if isinstance(value, dict):
            return {name: self.taken_out_of(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.taken_out_of(each) for each in value]
        said = isinstance(value, str) and (
            any(each in self._whole for each in (value, *texts_in(value))) or self.are_quoted_in(value)
        )
        return TAKEN_OUT if said else value

    def _begun_in(self, text: str) -> Iterator[tuple[int, str, str]]:
        """Where in a text a long one begins, the form in which it would go on, and which it is."""
        if self._by_start is None:
            self._by_start = _by_start(self._whole)
        for at in range(len(text) - _LONG + 1 if self._by_start else 0):
            for form, word in self._by_start.get(text[at : at + _LONG], ()):
                yield at, form, word


def parsed(content: bytes) -> Any:
    """What a file says as JSON, or a list of what each of its lines says; None where it is neither."""
    for form in (content, b"[" + b",".join(content.splitlines()) + b"]"):
        with suppress(ValueError):
            return parse(form.decode(json.detect_encoding(form)))
    return None


def texts_in(value: Any) -> Iterator[str]:
    """Every text among a JSON value's values, those in JSON texts too."""
    # Without recursion: JSON in JSON in JSON is deeper than each of them may be.
    left = [value]
    while left:
        each = left.pop()
        inner = _json_in(each) if isinstance(each, str) else each
        if inner is None and each is not None:
            yield each
        elif isinstance(inner, str):
            left.append(inner)
        elif isinstance(inner, dict | list):
            left += reversed(inner.values() if isinstance(inner, dict) else inner)


def names_in(value: Any) -> Iterator[str]:
    """Every name in a JSON value."""
    if isinstance(value, dict):
        yield from value
        value = [*value.values()]
    if isinstance(value, list):
        for each in value:
            yield from names_in(each)


def _json_in(text: str) -> Any:
    """What a text says as JSON, where it is an object, a list or a text; else None."""
    if text[:1] not in ("{", "[", '"'):
        return None
    try:
        return parse(text)
    except ValueError:
        return None


def _json_texts(text: str) -> Iterator[str]:
    for found in _JSON_TEXT.finditer(text):
        if found[2]:
            continue
        if "\\" not in found[1]:
            yield found[1]
            continue
        try:
            inner = json.loads(f'"{found[1]}"', strict=False)
        except ValueError:
            continue
        yield inner
        # MLflow writes JSON as a text in JSON.
        yield from texts_in(inner)


def _by_start(texts: Iterable[str]) -> dict[str, set[tuple[str, str]]]:
    """The forms of the long ones, each with its text, by how they begin."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for text in texts:
        if len(text) >= _LONG:
            for form in _forms(text):
                found[form[:_LONG]].add((form, text))
    return found


def _forms(text: str) -> set[str]:
    """A text as it is, and as JSON and HTML write it, one in the other too."""
    forms = {text}
    for _ in range(_DEEP):
        as_json = {json.dumps(each, ensure_ascii=plain)[1:-1] for each in forms for plain in (True, False)}
        forms |= as_json | {html.escape(each) for each in forms}
    return forms
