"""JSON that anybody may have logged, read without ever failing."""

from __future__ import annotations

import json
from typing import Any, Final

from telefine_assets.strangers_json import parse
from telefine_assets.traces.records import json_text

MAX_DEPTH: Final = 100
"""Deeper nesting counts as unreadable: code that walks a value would run out of stack somewhere, sometime."""


class Unreadable:
    """What stands in place of a value that cannot be read."""


UNREADABLE: Final = Unreadable()


def read_json(text: str | None) -> Any:
    """The value of a JSON text, None for none, or :data:`UNREADABLE`.

    Halves of UTF-16 pairs, which JSON can spell and nothing can store, are replaced.
    """
    if text is None:
        return None
    try:
        value = parse(text)
    except (ValueError, RecursionError):
        return UNREADABLE
    # Brackets within strings count too: only a text that has many is worth a look.
    if text.count("[") + text.count("{") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        return UNREADABLE
    return json.loads(json_text(value)) if "\\ud" in text or "\\uD" in text else value


def read_said(text: str | None) -> Any:
    """The value of an assessment; what is no JSON is taken for the plain text that it is."""
    value = read_json(text)
    return text if value is UNREADABLE else value


def read_object(text: str | None) -> dict[str, Any]:
    """A JSON object; what is none is an empty one."""
    if text is None or text == "{}":
        return {}
    value = read_json(text)
    return value if isinstance(value, dict) else {}


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth + 1):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True
