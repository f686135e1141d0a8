"""Every change of one place in a JSON value, for the tamper matrix."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from telefine_assets_tests.attestation.example import ALICE, BOB

Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that holds no others, with its path."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = False
    for key, child in children:
        found = True
        yield from leaves(child, (*path, key))
    if not found:
        yield path, value


def containers(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every object and list, with its path."""
    if isinstance(value, dict | list):
        yield path, value
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from containers(child, (*path, key))


def put(value: Any, path: Path, new: Any) -> Any:
    """A copy of ``value`` with ``new`` at ``path``."""
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = put(value[path[0]], path[1:], new)
    return changed


def other_values(value: Any) -> list[Any]:
    """What somebody might put in a leaf's place: near values, other types, other spellings."""
    if isinstance(value, bool):
        return [not value, int(value), None]
    if isinstance(value, int):
        return [value + 1, -value - 1, float(value), None]
    if isinstance(value, str):
        flipped = value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
        others = [flipped, "", None, value + " "]
        if value.startswith("0x"):
            others += [value.upper(), value[:-2], value + "00", value[2:], "0x" + "0" * (len(value) - 2)]
        if value in (ALICE, BOB):
            others.append(BOB if value == ALICE else ALICE)
        if value.isdigit():
            others += [str(int(value) + 1), "0" + value, value + ".0"]
        return others
    return [1, "x", {}, []] if value is None else [None, 1]


def tampered(part: Any) -> Iterator[tuple[Path, str, Any]]:
    """Every change of one place: where, what, and the changed part."""
    for path, value in leaves(part):
        for new in other_values(value):
            if not (new == value and type(new) is type(value)):
                yield path, f"= {new!r}", put(part, path, new)
    for path, value in containers(part):
        if isinstance(value, dict):
            yield path, "+ field", put(part, path, value | {"unknown": 1})
            for key in value:
                yield path, f"- {key}", put(part, path, {k: v for k, v in value.items() if k != key})
        else:
            yield path, "+ item", put(part, path, [*value, value[-1] if value else 1])
            if value:
                yield path, "- item", put(part, path, value[:-1])
            if len(value) > 1:
                yield path, "reversed", put(part, path, value[::-1])
