"""What several commands share: which program is meant, and how things are printed."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from telefine_assets.settings.schema import ProgramSettings, Settings

_ENDLESS = 1_000_000


def program_names() -> list[str]:
    """The programs of the settings file, to complete ``--program``; none where it cannot be read."""
    from telefine_assets.settings.file import SettingsError, config_path, read_document

    # Not by ``load_settings``, which takes half a second to import.
    try:
        values = read_document(config_path()).of(os.environ.get("TELEFINE_PROFILE"))
    except SettingsError:
        return []
    programs = values.get("programs")
    return [str(name) for name in programs] if isinstance(programs, dict) else []


Program = Annotated[
    str | None,
    typer.Option("--program", "-p", help="The program; needed where there are several.", autocompletion=program_names),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def chosen(program: str | None) -> tuple[Settings, str, ProgramSettings]:
    """The settings, and the program that is meant with its own.

    Raises:
        TelefineError: when there are several and none was named.
    """
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    if program is None and len(settings.programs) > 1:
        raise TelefineError(f"there are several programs: {', '.join(settings.programs)}; choose one with --program")
    name = program or next(iter(settings.programs))
    return settings, name, settings.program(name)


def tell(as_json: bool, facts: Any, lines: Iterable[str] = ()) -> None:
    """Print what is known or was done: the facts as JSON, or lines of text."""
    if as_json:
        print_json(facts)
    else:
        for line in lines:
            typer.echo(line)


def note(as_json: bool, text: str) -> None:
    """Say something beside the answer: with ``--json`` to standard error, where it is in nobody's way."""
    typer.echo(text, err=as_json)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    import json

    typer.echo(json.dumps(value, indent=2))


@contextmanager
def coded(as_json: bool) -> Iterator[None]:
    """With ``--json``, print the stable code of what fails in the block; its message is told as ever."""
    try:
        yield
    except TelefineError as error:
        code = getattr(error, "code", None)
        if as_json and code is not None:
            print_json({"valid": False, "code": code, "detail": short(str(error).removeprefix(f"{code}: "), 2000)})
        raise


@contextmanager
def hurried() -> Iterator[None]:
    """Collect no garbage in the block, and none of what it leaves when the process ends.

    Importing Dagster makes a million objects that stay. To look through them ever
    again, and once more at the end, takes half the time of a short command.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, as wide as it is; a terminal that is narrower folds it. Nothing is ever left out."""
    from rich.text import Text

    table = folding(*columns)
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    console().print(table)


def console() -> Console:
    """Where tables are printed: of a terminal's width; a pipe or file has none."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=_ENDLESS)


def folding(*columns: str) -> Table:
    """A table without lines, whose cells are folded where they are too long, and never cut."""
    from rich.table import Column, Table

    return Table(*(Column(each, overflow="fold") for each in columns), box=None, pad_edge=False)


def short(text: str | None, length: int = 60) -> str:
    """One line of at most ``length`` characters; nothing in it can steer a terminal."""
    line = plain(" ".join((text or "").split()))
    return line if len(line) <= length else line[: length - 1] + "…"


def plain(text: str) -> str:
    """The text in its lines; nothing else in it can steer a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)
