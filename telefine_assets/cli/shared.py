"""What several commands share: which program is meant, and how things are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.settings import ProgramSettings, Settings

Program = Annotated[str | None, typer.Option("--program", "-p", help="The program; needed where there are several.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def chosen(program: str | None) -> tuple[Settings, str, ProgramSettings]:
    """The settings, and the program that is meant with its own.

    Raises:
        TelefineError: when there are several and none was named.
    """
    from telefine_assets.settings import load_settings

    settings = load_settings()
    if program is None and len(settings.programs) > 1:
        raise TelefineError(f"there are several programs: {', '.join(settings.programs)}; choose one with --program")
    name = program or next(iter(settings.programs))
    return settings, name, settings.program(name)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row))
    Console().print(table)


def short(text: str | None, length: int = 60) -> str:
    """One line of at most ``length`` characters; nothing in it can steer a terminal."""
    line = plain(" ".join((text or "").split()))
    return line if len(line) <= length else line[: length - 1] + "…"


def plain(text: str) -> str:
    """The text in its lines; nothing else in it can steer a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)
