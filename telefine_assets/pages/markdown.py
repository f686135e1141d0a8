"""A page as Markdown.

Text of programs stands in code spans on one line each, and names are escaped, so
that neither can become markup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from telefine_assets.pages import numbers
from telefine_assets.pages.page import (
    Bars,
    Block,
    Code,
    Example,
    Examples,
    Facts,
    Forest,
    Line,
    Page,
    Picture,
    Prose,
    Section,
    Table,
)


def markdown(page: Page) -> str:
    """Write a page as Markdown, ending with a newline. Pictures, and lists given in full, are in the HTML only."""
    blocks = [f"# {page.kind}: {_plain(page.program)}", f"**{page.verdict}.** {_plain(page.sentence)}"]
    if page.grade:
        blocks.append(_plain(page.grade))
    for section in page.sections:
        blocks += _section(section)
    return "\n\n".join(blocks) + "\n"


def _section(section: Section) -> list[str]:
    return [f"## {_plain(section.title)}", *(text for block in section.blocks if (text := _block(block)))]


def _block(block: Block) -> str:
    match block:
        case Prose(text):
            return _plain(text)
        case Facts(rows):
            return "\n".join(f"- {_plain(name)}: {_line(line)}" for name, line in rows)
        case Table(columns, rows):
            return _table(columns, rows)
        case Forest(marks):
            rows = tuple((mark.name, _interval(mark.lower_ppm, mark.upper_ppm), mark.text) for mark in marks)
            return _table(("", "Interval", "Gain"), rows)
        case Bars(rows, columns):
            return _table(columns, [(name, text) for name, _, text in rows])
        case Examples():
            return _examples(block)
        case Picture():
            return ""


def _interval(lower: int | None, upper: int | None) -> str:
    return "" if lower is None or upper is None else numbers.interval(lower, upper)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    numbers = "---:|" * (len(columns) - 1)
    return "\n".join((_row(columns), f"|---|{numbers}", *(_row(row) for row in rows)))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    """A cell; a bar would end it, even in a code span."""
    return code_span(text).replace("|", "\\|") if isinstance(text, Code) else _plain(text)


def _line(line: Line) -> str:
    return "".join(code_span(part) if isinstance(part, Code) else _plain(part) for part in line)


def _examples(block: Examples) -> str:
    heading = f"### {block.title} ({len(block.shown)} of {block.total:,})"
    return "\n".join((heading, "", *(_example(each) for each in block.shown)))


def _example(example: Example) -> str:
    lines = [f"- Asked {code_span(example.asked)}"]
    if example.right is not None:
        lines.append(f"  - right answer: {code_span(example.right)}")
    lines += [f"  - {who.lower()}: {_line((said,))} ({worth})" for who, said, worth in example.answers]
    return "\n".join(lines)


def code_span(text: str) -> str:
    """A code span that its own backticks cannot close."""
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    pad = " " if not text or text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _plain(text: str) -> str:
    """Words with the characters that Markdown and HTML would read escaped."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text)
