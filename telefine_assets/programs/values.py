"""The JSON form of what programs read and write, whatever its Python type."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from telefine_assets.canonical import canonical_json, digest_of, json_value

if TYPE_CHECKING:
    from telefine_assets.traces.cleaning.annotations import FieldTypes


def plain(value: Any) -> Any:
    """``value`` as the JSON that is stored and hashed; models, enums and dates as pydantic writes them.

    DSPy's adapters show a value by this same form, so a prompt with the JSON in
    it reads as one with the value. Two things RFC 8785 stores otherwise, and so
    they are here from the start: 1.0 is 1, which ``typed_again`` undoes, and the
    keys of a mapping are sorted, unless it is a model.
    """
    from pydantic_core import to_jsonable_python

    if type(value) is str:  # Nearly all values are, and a witness looks at those of every call.
        return json_value(value)
    stored = canonical_json(json_value(to_jsonable_python(value, fallback=str)))
    return json_value(json.loads(stored))


def plain_fields(names: Iterable[str], values: Any) -> dict[str, Any]:
    """Those of the named fields that ``values`` (a mapping or ``dspy.Example``) has, as JSON values."""
    return {name: plain(values[name]) for name in names if name in values}


def typed_again(values: Mapping[str, Any], types: FieldTypes) -> dict[str, Any]:
    """Stored values as the types that they were, where storing these again gives the same."""
    typed = {name: types.typed(name, value) for name, value in values.items()}
    return {name: value if plain(value) == values[name] else values[name] for name, value in typed.items()}


def demo_digest(demo: Mapping[str, Any]) -> str:
    """SHA-256 of what a demo shows: its fields as JSON values, and not how it came about."""
    return digest_of({name: value for name, value in demo.items() if name != "augmented"})


def leaves(value: Any) -> Iterator[Any]:
    """The values inside a JSON value that are neither lists nor objects."""
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value
