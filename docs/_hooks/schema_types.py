"""Types of JSON Schema in words, as settings and the API need them."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

Schema = dict[str, Any]

_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
_TYPES = {"integer": "integer", "number": "number", "boolean": "true or false", "string": "text"}


def name_of(value: Schema) -> str:
    """The name of the definition that a reference leads to."""
    return str(value["$ref"].rpartition("/")[2])


def by_name(value: Schema) -> Schema:
    """What stands under each name, where the names are the user's own."""
    under = [*value.get("patternProperties", {}).values(), value.get("additionalProperties")]
    return next((each for each in under if isinstance(each, dict)), {})


def type_of(value: Schema, definitions: Schema) -> str:
    """A type in words, with its bounds; groups as links to their sections."""
    kinds = [kind for kind in dict.fromkeys(_kinds(value, definitions)) if kind != "null"]
    return cell(" or ".join(kinds))


def cell(text: str) -> str:
    """Text on one line, as a table's cell holds it."""
    return " ".join(text.split())


def anchor(name: str) -> str:
    """The anchor of a definition's section; no heading's own, as those differ between GitHub and the site."""
    return f"of-{name.lower().strip('_').removesuffix('settings')}"


def anchored(name: str, heading: str) -> str:
    """A definition's heading, with its anchor before it."""
    return f'<a id="{anchor(name)}"></a>\n\n{heading}'


def _kinds(value: Schema, definitions: Schema) -> Iterator[str]:
    others = value.get("anyOf", []) + value.get("oneOf", [])
    if others:
        for other in others:
            yield from _kinds(other, definitions)
    elif "$ref" in value:
        below = definitions[name_of(value)]
        group = f"[{name_of(value).strip('_').removesuffix('Settings')}](#{anchor(name_of(value))})"
        yield group if "properties" in below else " or ".join(_kinds(below, definitions))
    elif "enum" in value or "const" in value:
        yield ", ".join(f"`{each}`" for each in value.get("enum", [value.get("const")]))
    elif value.get("type") == "array":
        yield "list of " + (type_of(value["items"], definitions) if "items" in value else "pairs")
    elif value.get("type") == "object":
        yield "by name: " + type_of(by_name(value), definitions)
    else:
        yield _plain(value)


def _plain(value: Schema) -> str:
    """A number with its bounds, or a text with its form."""
    if value.get("type") == "null":
        return "null"
    kind = {"path": "path", "date": "date"}.get(value.get("format", ""), _TYPES.get(value.get("type", ""), "any JSON"))
    bounds = [f"{word} {value[key]:,}" for key, word in _BOUNDS.items() if key in value]
    form = [f"form {_code(value['pattern'])}"] if "pattern" in value else []
    return ", ".join([kind, *bounds, *form])


def _code(text: str) -> str:
    """Code within a table: GitHub would end the cell at a bar, whatever is around it."""
    return f"<code>{escape(text).replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"
