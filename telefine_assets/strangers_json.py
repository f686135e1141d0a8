"""JSON that a stranger wrote, parsed without putting the process at risk.

``py_ecc``, which comes with eth-account, raises Python's recursion limit to
100,000: after that ``json.loads`` answers deep nesting with a crash, not with
an exception.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 200
# The closing quote may be missing: a string that never ends is then passed over once, not from each of its quotes.
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKETS = re.compile(r"[^\[\]{}]+")


def parse(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is no JSON, or nested more than ``MAX_DEPTH`` deep.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    # Only a text with many brackets can be deep, and few texts have many.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")
    return json.loads(text)


def _depth(text: str) -> int:
    """The deepest nesting; brackets within strings do not count."""
    depth = deepest = 0
    for bracket in _NO_BRACKETS.sub("", _STRING.sub("", text)):
        if bracket in "[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest
