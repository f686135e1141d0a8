"""Canonical bytes and their digests: one form for everything that is hashed.

JSON is canonical by RFC 8785 (JCS), so that a stranger's implementation gets
the same bytes. RFC 8785 refuses integers beyond 2**53: amounts, token ids and
decimals are therefore strings wherever they are hashed.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


def json_value(value: Any) -> Any:
    """``value`` as JSON that can be hashed, for what programs and models may make of any shape.

    Types that JSON lacks, numbers that RFC 8785 refuses and halves of UTF-16
    pairs become text. Everything else stays as it is.
    """
    return _hashable(json.loads(json.dumps(value, default=str)))


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        return {_hashable(key): _hashable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hashable(item) for item in value]
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, int) and abs(value) >= 2**53):
        return repr(value)
    return value


def canonical_json(value: Any) -> bytes:
    """Serialise ``value`` by RFC 8785.

    Raises:
        rfc8785.CanonicalizationError: for NaN, infinities, integers beyond
            2**53, keys that are not strings and types that JSON does not have.
    """
    import rfc8785

    return rfc8785.dumps(value)


def canonical_lines(rows: Iterable[Any]) -> bytes:
    """Serialise rows as JSON Lines, each line canonical and newline-ended."""
    return b"".join(canonical_json(row) + b"\n" for row in rows)


def sha256_hex(data: bytes) -> str:
    """SHA-256 of ``data`` as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of ``value``."""
    return sha256_hex(canonical_json(value))
