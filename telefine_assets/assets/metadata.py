"""Metadata that a person wants to look at in the Dagster UI."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    import pyarrow as pa

USABLE = "usable_traces"
"""Of a compile: how many usable traces each day of its window had."""


def table_of(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """A Markdown table; rows of values in the order of the columns."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def picture(png: bytes, alt: str) -> dg.MarkdownMetadataValue:
    """A picture that needs no file: PNG bytes inside the Markdown."""
    return dg.MetadataValue.md(f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode()})")


def link(url: str | None, otherwise: str) -> Any:
    """A link, or words where the settings name no address."""
    return dg.MetadataValue.url(url) if url else otherwise


def parquet(rows: int, schema: pa.Schema, path: str) -> dict[str, Any]:
    """Row count, columns and place of a stored table, under the names that the UI knows."""
    columns = [dg.TableColumn(field.name, str(field.type)) for field in schema]
    return {
        "dagster/row_count": rows,
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "path": dg.MetadataValue.path(path),
    }


def counts(values: Mapping[str, int], what: str) -> dg.MarkdownMetadataValue:
    """A table of counts by name."""
    return table_of([what, "count"], values.items())


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
