"""A report as plain text and numbers, before it is Markdown or HTML.

Renderers only lay out what stands here. Text of programs, models and people is
``Code``: shown as it is and never read as markup. It is made by ``quoted``, and
names by ``named``, which leave nothing in it that could steer a terminal or turn
the direction of a line.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from telefine_assets.pages.numbers import whole_points

LONGEST = 400
"""Characters after which a quoted text is cut."""

_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


class Code(str):
    """Text that Telefine did not write."""

    __slots__ = ()


Line = tuple[str, ...]
"""Words and ``Code`` in one line."""


@dataclass(frozen=True)
class Prose:
    """A paragraph; ``quiet`` for what is said beside the matter."""

    text: str
    quiet: bool = False


@dataclass(frozen=True)
class Facts:
    """Names with what is to say of them."""

    rows: tuple[tuple[str, Line], ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells under columns; the first column is text, the rest are numbers or short words."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Mark:
    """A row of a forest plot: a gain in ppm with its interval, and what stands beside it.

    ``kind`` is ``overall``, ``slice`` or ``guardrail``. A row without a gain has only words.
    ``held`` says whether a guardrail held.
    """

    kind: str
    name: str
    text: str
    gain_ppm: int | None = None
    lower_ppm: int | None = None
    upper_ppm: int | None = None
    held: bool | None = None


@dataclass(frozen=True)
class Forest:
    """Gains beside the lines of no change and of the threshold."""

    marks: tuple[Mark, ...]
    threshold_ppm: int

    @property
    def ends(self) -> tuple[int, int]:
        """Left and right end of the axis in ppm, with a margin."""
        drawn = [0, self.threshold_ppm]
        for mark in self.marks:
            drawn += [each for each in (mark.gain_ppm, mark.lower_ppm, mark.upper_ppm) if each is not None]
        margin = (max(drawn) - min(drawn)) * 6 // 100
        return min(drawn) - margin, max(drawn) + margin

    def at(self, ppm: int) -> str:
        """Place of a gain on the axis, as a percentage of its width."""
        left, right = self.ends
        return f"{100 * (ppm - left) / (right - left):.2f}"

    def from_right(self, ppm: int) -> str:
        """The same, counted from the right."""
        left, right = self.ends
        return f"{100 * (right - ppm) / (right - left):.2f}"

    @property
    def threshold(self) -> str:
        """The threshold in percentage points."""
        return whole_points(self.threshold_ppm)

    def wide(self, lower_ppm: int, upper_ppm: int) -> str:
        """Width of an interval as a percentage of the axis."""
        left, right = self.ends
        return f"{100 * (upper_ppm - lower_ppm) / (right - left):.2f}"


@dataclass(frozen=True)
class Bars:
    """Shares as bars: what, how much in ppm, and in words; ``columns`` name the first and the last in a table."""

    rows: tuple[tuple[str, int, str], ...]
    columns: tuple[str, str]


@dataclass(frozen=True)
class Example:
    """One item: what was asked, what is right, and what each program said with what that was worth."""

    asked: Code
    right: Code | None
    answers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Examples:
    """Items of one kind, ``shown`` of ``total``; the list of all stands in ``every`` where it is given in full."""

    title: str
    total: int
    shown: tuple[Example, ...]
    every: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A PNG for light and one for dark surroundings, with words for who sees neither; ``wide`` ones fill the page."""

    light: bytes
    dark: bytes
    alt: str
    wide: bool = False


Block = Prose | Facts | Table | Forest | Bars | Examples | Picture


@dataclass(frozen=True)
class Section:
    """Blocks under a heading; ``folded`` when only some readers want them."""

    title: str
    blocks: tuple[Block, ...]
    folded: bool = False


@dataclass(frozen=True)
class Number:
    """One of the numbers at the top."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Page:
    """A report.

    ``kind`` says of what, such as ``DeltaOne``; ``verdict`` what came of it, in two
    words, and ``mood`` the same as ``good``, ``open`` or ``none``.
    """

    kind: str
    program: str
    verdict: str
    mood: str
    headline: str
    sentence: str
    grade: str
    numbers: tuple[Number, ...]
    sections: tuple[Section, ...]


def quoted(value: Any, longest: int = LONGEST) -> Code:
    """A value in one line of at most ``longest`` characters: an only text as it is, anything else as JSON."""
    if isinstance(value, Mapping) and len(value) == 1 and isinstance(only := next(iter(value.values())), str):
        value = only
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return Code(named(text, longest))


def named(text: str, longest: int = LONGEST) -> str:
    """``text`` in one line, cut to length; what cannot be seen, and could mislead, is marked as such."""
    # Twice the length is enough to cut from, and a megabyte is not walked through.
    line = " ".join(text[: 2 * longest + 1000].split())
    line = line if len(line) <= longest else line[: longest - 1] + "…"
    return "".join("\N{REPLACEMENT CHARACTER}" if _misleads(each) else each for each in line)


def _misleads(character: str) -> bool:
    """Control characters, halves of UTF-16 pairs, and what turns the direction of all that follows."""
    return unicodedata.category(character) in ("Cc", "Cs") or bool(_TURNS.match(character))
