"""How ``telefine programs`` shows a version, and what differs between two."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from telefine_assets.cli.shared import short

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from telefine_assets.programs.diffing import DemoChange, PredictorDiff, VersionDiff

_LONG = 400
_MARKS = {"same": "=", "moved": ">", "changed": "~", "added": "+", "removed": "-"}
_COLOURS = {"same": "dim", "moved": "cyan", "changed": "yellow", "added": "green", "removed": "red"}


def print_version(found: Mapping[str, Any]) -> None:
    """Print what ``programs.catalogue.described`` found."""
    typer.echo(f"{found['program']} {found['version']}{', which serves' if found['serves'] else ''}")
    for name, value in (
        ("day", found["day"] or "none: the program's own code makes it"),
        ("strategy", _settings(found["strategy"])),
        ("model", _settings(found["lm"])),
        ("trainset", found["trainset"] or "none"),
        ("lineage", " from ".join(each[:12] for each in found["lineage"])),
    ):
        typer.echo(f"  {name:<10} {short(value, _LONG)}")
    for name, predictor in found["predictors"].items():
        typer.echo(f"\n{name}: {len(predictor['demos'])} demos")
        for line in predictor["instructions"].splitlines():
            typer.echo(f"  | {short(line, 10_000)}")
        for position, demo in enumerate(predictor["demos"]):
            typer.echo(f"  {position:>3}  {_fields(demo['inputs'])}  ->  {_fields(demo['outputs'])}")
            typer.echo(f"       {_where_from(demo)}")


def print_diff(found: VersionDiff) -> None:
    """Print a diff: side by side in a terminal, else in lines that start with what happened."""
    from rich.console import Console

    console = Console()
    if not found.differs:
        typer.echo(f"no difference between {found.a[:12]} and {found.b[:12]}")
    elif console.is_terminal:
        _print_beside(console, found)
    else:
        _print_lines(found)


def _print_lines(found: VersionDiff) -> None:
    typer.echo(f"- {found.a}\n+ {found.b}")
    for name, a, b in found.settings:
        typer.echo(f"~ {name}: {_value(a)} -> {_value(b)}")
    for each in found.predictors:
        typer.echo(f"\n{each.name}: instructions")
        marked = "".join(
            {"both": "{}", "a": "[-{}-]", "b": "{{+{}+}}"}[piece.side].format(piece.text) for piece in each.instructions
        )
        for line in marked.splitlines():
            typer.echo(f"  {short(line, 10_000)}")
        for a, b in each.fields:
            typer.echo(f"  ~ field {_value(a)} -> {_value(b)}")
        typer.echo(f"{each.name}: demos")
        for demo in each.demos:
            typer.echo(f"  {_MARKS[demo.fate]} {_demo_line(demo)}")


def _demo_line(demo: DemoChange) -> str:
    place = " -> ".join(str(at) for at in (demo.at_a, demo.at_b) if at is not None)
    if demo.fate == "changed":
        return f"{place}: {_fields(demo.a)}  =>  {_fields(demo.b)}"
    return f"{place}: {_fields(demo.b or demo.a)}"


def _print_beside(console: Console, found: VersionDiff) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    columns = (Column(each, overflow="fold") for each in ("", found.a[:12], found.b[:12]))
    table = Table(*columns, show_lines=True, expand=True)
    for name, a, b in found.settings:
        table.add_row(Text(short(name)), Text(_value(a)), Text(_value(b)))
    for each in found.predictors:
        table.add_row(Text(f"{each.name}\ninstructions"), _instructions(each, "a"), _instructions(each, "b"))
        for a, b in each.fields:
            table.add_row(Text(f"{each.name}\nfield"), Text(_value(a)), Text(_value(b)))
        for demo in each.demos:
            colour = _COLOURS[demo.fate]
            cells = (
                Text("" if shown is None else f"{at}: {_fields(shown)}", colour)
                for at, shown in ((demo.at_a, demo.a), (demo.at_b, demo.b))
            )
            table.add_row(Text(f"{each.name}\ndemo {demo.fate}", colour), *cells)
    console.print(table)


def _instructions(predictor: PredictorDiff, side: str) -> Text:
    from rich.text import Text

    text = Text()
    for piece in predictor.instructions:
        if piece.side in ("both", side):
            shown = "\n".join(_printable(line) for line in piece.text.split("\n"))
            text.append(shown, {"both": None, "a": "red", "b": "green"}[piece.side])
    return text


def _printable(line: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)


def _fields(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{short(name)}={_value(value)}" for name, value in (values or {}).items())


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items() if value is not None)


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else "-" if value is None else json.dumps(value, ensure_ascii=False)
    return short(text, _LONG)


def _where_from(demo: Mapping[str, Any]) -> str:
    if demo["trace_id"] is None:
        return "from the program's own code, or from an earlier version"
    made = "the program's own answer" if demo["augmented"] else "the label"
    return short(f"trace {demo['trace_id']}, by {demo['contributor'] or 'nobody known'}; the output is {made}", _LONG)
