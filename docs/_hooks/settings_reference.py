"""The reference of all settings, as Markdown, from the schema that ``telefine config schema`` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schema_types import Schema, anchored, by_name, cell, name_of, type_of


@dataclass(frozen=True)
class Group:
    """A group of settings: the definition that describes it, and where it stands first."""

    name: str
    path: str
    schema: Schema


def markdown(schema: Schema) -> str:
    """One section for each group of settings: its keys with variable, type, bounds, default and meaning.

    Raises:
        ValueError: a key has no description; the message names all of those.
    """
    definitions = schema["$defs"]
    groups = list(_groups(Group("top", "", schema), definitions, set()))
    if nameless := [f"{each.path}.{key}" for each in groups for key in _undescribed(each, definitions)]:
        raise ValueError(f"settings without a description: {', '.join(nameless)}")
    return "\n".join(_section(each, definitions) for each in groups)


def _groups(group: Group, definitions: Schema, seen: set[str]) -> Iterator[Group]:
    yield group
    for key, value in group.schema["properties"].items():
        for mark, name in _references(value):
            if "properties" in definitions[name] and name not in seen:
                seen.add(name)
                path = f"{group.path}.{key}{mark}".removeprefix(".")
                yield from _groups(Group(name, path, definitions[name]), definitions, seen)


def _references(value: Schema, mark: str = "") -> Iterator[tuple[str, str]]:
    """The definitions that a value may be of, each with what stands between the key and it: a name, or a list."""
    if "$ref" in value:
        yield mark, name_of(value)
    for other in value.get("anyOf", []) + value.get("oneOf", []):
        yield from _references(other, mark)
    if more := by_name(value):
        yield from _references(more, f"{mark}.NAME")
    if "items" in value:
        yield from _references(value["items"], f"{mark}[]")


def _undescribed(group: Group, definitions: Schema) -> Iterator[str]:
    for key, value in group.schema["properties"].items():
        if not ("const" in value or _meaning(value, definitions)):
            yield key


def _section(group: Group, definitions: Schema) -> str:
    properties = group.schema["properties"]
    kinds = [f" with `{key}: {value['const']}`" for key, value in properties.items() if "const" in value]
    title = (f"`{group.path}`" if group.path else "Top level") + "".join(kinds)
    rows = [_row(group, key, value, definitions) for key, value in properties.items() if "const" not in value]
    head = "| key and variable | type | default | meaning |\n| --- | --- | --- | --- |"
    table = "\n".join([head, *rows]) if rows else "It has no keys of its own."
    return f"{anchored(group.name, f'## {title}')}\n\n{_first_paragraph(group.schema)}\n\n{table}\n"


def _row(group: Group, key: str, value: Schema, definitions: Schema) -> str:
    secret = " **Secret.**" if _is_secret(value) else ""
    default = "required" if key in group.schema.get("required", []) else _default(value.get("default"))
    cells = [
        f"`{key}`{_variable(group.path, key)}",
        type_of(value, definitions),
        default,
        _meaning(value, definitions) + secret,
    ]
    return f"| {' | '.join(cells)} |"


def _variable(path: str, key: str) -> str:
    """The variable of the environment; what stands in a list has none of its own."""
    if "[]" in path:
        return ""
    parts = [*path.split("."), key] if path else [key]
    return f"<br>`TELEFINE_{'__'.join(parts).upper()}`"


def _meaning(value: Schema, definitions: Schema) -> str:
    """What the key says of itself, or the one group that it holds."""
    abouts = [_first_paragraph(definitions[name]) for _, name in _references(value)]
    told = value.get("description") or (abouts[0] if len(abouts) == 1 else "")
    if not told and abouts:
        told = "One of these groups."
    return re.sub(r"(?<!`)(TELEFINE_[A-Z_<>]+)", r"`\1`", cell(told))


def _first_paragraph(schema: Schema) -> str:
    return cell(schema.get("description", "").split("\n\n")[0].replace("``", "`"))


def _default(value: Any) -> str:
    if value is None:
        return "none"
    return "as its keys" if isinstance(value, dict) and value else f"`{json.dumps(value)}`"


def _is_secret(value: Schema) -> bool:
    return bool(value.get("writeOnly")) or any(map(_is_secret, value.get("anyOf", [])))
