"""The reference of the REST API, as Markdown, from the OpenAPI document that the server itself answers with."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from schema_types import Schema, anchored, cell, type_of

Operation = tuple[str, str, Schema]


def markdown(document: Schema) -> str:
    """A section for each group of operations, then one for each schema that they name."""
    definitions = document["components"]["schemas"]
    operations = [(method, path, each) for path, item in document["paths"].items() for method, each in item.items()]
    parts: list[str] = []
    for tag, group in groupby(operations, key=lambda operation: operation[2]["tags"][0]):
        parts += [f"## {tag[0].upper()}{tag[1:]}", *(_operation(each, definitions) for each in group)]
    parts += ["## Schemas", *(_schema(name, each, definitions) for name, each in sorted(definitions.items()))]
    return "\n\n".join(parts) + "\n"


def _operation(operation: Operation, definitions: Schema) -> str:
    method, path, told = operation
    parts = [f"### `{method.upper()} {path}`", told["description"].strip(), _who(told)]
    if parameters := told.get("parameters"):
        parts.append(_table(list(map(_parameter, parameters)), definitions))
    if body := told.get("requestBody"):
        parts.append(_body(body, definitions))
    return "\n\n".join([*parts, _answer(told, definitions)])


def _who(told: Schema) -> str:
    scopes = [scope for each in told.get("security", []) for scope in each.get("key", [])]
    if scopes:
        return f"Needs a key with the scope `{scopes[0]}`."
    return (
        "A key is optional, or needed where the settings do not open it." if told.get("security") else "Needs no key."
    )


def _parameter(parameter: Schema) -> tuple[str, Schema, bool]:
    value = parameter["schema"] | {"description": f"{parameter.get('description', '')} In the {parameter['in']}."}
    return parameter["name"], value, parameter.get("required", False)


def _body(body: Schema, definitions: Schema) -> str:
    kinds = []
    for kind, content in body["content"].items():
        told = _table(list(_properties(content["schema"])), definitions) if "properties" in content["schema"] else ""
        kinds.append(f"Body: `{kind}`.\n\n{told}".strip())
    return "\n\n".join(kinds)


def _answer(told: Schema, definitions: Schema) -> str:
    answers = []
    for status, answer in told["responses"].items():
        for kind, content in answer.get("content", {}).items() if status.startswith("2") else ():
            schema = content.get("schema", {})
            what = f": {type_of(schema, definitions)}" if "$ref" in schema else ""
            answers.append(f"`{status}` with `{kind}`{what}")
    return f"Answers {' or '.join(answers)}." if answers else "Answers without a body."


def _schema(name: str, schema: Schema, definitions: Schema) -> str:
    told = cell(schema.get("description", "").split("\n\n")[0].replace("``", "`"))
    rows = _table(list(_properties(schema)), definitions) if "properties" in schema else ""
    values = ", ".join(f"`{each}`" for each in schema.get("enum", []))
    heading = anchored(name, f"### {name.strip('_')}")
    return "\n\n".join(each for each in (heading, told, rows, values) if each)


def _properties(schema: Schema) -> Iterator[tuple[str, Schema, bool]]:
    for key, value in schema["properties"].items():
        yield key, value, key in schema.get("required", [])


def _table(rows: list[tuple[str, Any, bool]], definitions: Schema) -> str:
    head = "| name | type | required | meaning |\n| --- | --- | --- | --- |"
    cells = (
        f"| `{name}` | {type_of(value, definitions)} | {'yes' if required else 'no'} | {_told(value)} |"
        for name, value, required in rows
    )
    return "\n".join([head, *cells])


def _told(value: Schema) -> str:
    return cell(value.get("description", ""))
