"""Reading JSON records strictly: every field known, present and of its type.

What is signed and paid for is read back from JSON that somebody else may have
written. A lenient reader (an extra field ignored, a number in a string, a
boolean for a one) lets two readers see two things in one record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from telefine_assets.errors import TelefineError

_DECIMAL = re.compile(r"0|[1-9][0-9]*")


class RecordError(TelefineError):
    """A record is not what it should be.

    Attributes:
        field: where in the record, as a dotted path.
        problem: what is wrong there.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}. Take the record as it was written, or write it anew.")
        self.field = field
        self.problem = problem


def load_json(data: bytes, where: str) -> Any:
    """Parse JSON from a stranger.

    ``json`` alone would not do: of a repeated key it keeps the last, where
    another reader keeps the first. And it crashes the process on deep nesting,
    since ``py_ecc``, which comes with eth-account, raises Python's recursion
    limit to 100,000; the first parser stops at a depth of 200.

    Raises:
        RecordError: no JSON, nested too deeply, or a key repeated in an object.
    """
    from pydantic_core import from_json

    try:
        from_json(data, allow_inf_nan=False)
        return json.loads(data, object_pairs_hook=_no_repeats)
    except ValueError as error:
        raise RecordError(where, f"cannot be read as JSON ({error})") from None


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is repeated in one object")
    return value


class Fields:
    """One JSON object, read field by field; ``done`` refuses what was not read."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, Mapping):
            raise RecordError(where, f"expected an object, found {type(value).__name__}")
        self._left: dict[Any, Any] = dict(value)
        self.where = where

    def path(self, name: str) -> str:
        """The dotted path of field ``name``."""
        return f"{self.where}.{name}"

    def take(self, name: str) -> Any:
        """The raw value of ``name``, which must be present."""
        if name not in self._left:
            raise RecordError(self.path(name), "is missing")
        return self._left.pop(name)

    def text(self, name: str, pattern: re.Pattern[str] | None = None, what: str = "text") -> str:
        """A non-empty string, wholly matched by ``pattern`` if there is one."""
        value = self.take(name)
        if not isinstance(value, str) or not value:
            raise RecordError(self.path(name), f"expected {what}, found {value!r}")
        if pattern is not None and not pattern.fullmatch(value):
            raise RecordError(self.path(name), f"expected {what}, found {value!r}")
        return value

    def text_or_none(self, name: str) -> str | None:
        """A string (it may be empty) or null."""
        value = self.take(name)
        if value is not None and not isinstance(value, str):
            raise RecordError(self.path(name), f"expected text or null, found {value!r}")
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        """A JSON integer in ``low..high``; a boolean or a float is none."""
        return whole(self.take(name), self.path(name), low, high)

    def decimal_integer(self, name: str, low: int, high: int) -> int:
        """An integer as a JSON integer or as its one decimal string."""
        value = self.take(name)
        if isinstance(value, str) and _DECIMAL.fullmatch(value) and len(value) <= 78:
            value = int(value)
        return whole(value, self.path(name), low, high)

    def boolean(self, name: str) -> bool:
        """A JSON true or false."""
        value = self.take(name)
        if not isinstance(value, bool):
            raise RecordError(self.path(name), f"expected true or false, found {value!r}")
        return value

    def items(self, name: str) -> list[Any]:
        """A JSON array."""
        value = self.take(name)
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise RecordError(self.path(name), f"expected a list, found {type(value).__name__}")
        return list(value)

    def objects(self, name: str) -> list[Fields]:
        """A JSON array of objects."""
        return [Fields(item, f"{self.path(name)}[{i}]") for i, item in enumerate(self.items(name))]

    def texts(self, name: str) -> tuple[str, ...]:
        """A JSON array of non-empty strings."""
        values = self.items(name)
        for value in values:
            if not isinstance(value, str) or not value:
                raise RecordError(self.path(name), f"expected a list of texts, found {value!r} in it")
        return tuple(values)

    def some_texts(self, name: str) -> tuple[str, ...]:
        """An array of texts that stands here only where it holds any: none where there is no such field."""
        if name not in self._left:
            return ()
        values = self.texts(name)
        if not values:
            raise RecordError(self.path(name), "is empty; leave it out")
        return values

    def child(self, name: str) -> Fields:
        """A nested object."""
        return Fields(self.take(name), self.path(name))

    def constant(self, name: str, expected: str | int) -> None:
        """A field that can have one value only."""
        value = self.take(name)
        if type(value) is not type(expected) or value != expected:
            raise RecordError(self.path(name), f"expected {expected!r}, found {value!r}")

    def done(self) -> None:
        """Refuse fields that nobody asked for."""
        if self._left:
            raise RecordError(self.path(str(min(map(str, self._left)))), "is not a field of this record")


def whole(value: object, where: str, low: int, high: int) -> int:
    """``value`` as an integer in ``low..high``.

    Raises:
        RecordError: it is no integer (a boolean is none) or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise RecordError(where, f"expected an integer, found {value!r}")
    if not low <= value <= high:
        raise RecordError(where, f"expected {low} to {high}, found {value}")
    return value
