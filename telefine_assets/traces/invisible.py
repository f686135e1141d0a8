"""Characters that nobody sees: with them strewn in, a copy of a text looks like the text and is not equal to it."""

from __future__ import annotations

import re

DEFAULT_IGNORABLE = (
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors and vowel separator
    (0x200B, 0x200F),  # zero width space, joiners, marks of direction
    (0x202A, 0x202E),  # embeddings and overrides of direction
    (0x2060, 0x206F),  # word joiner, invisible operators, isolates
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),  # zero width no-break space
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF0, 0xFFF8),  # reserved
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE0FFF),  # tags, further variation selectors, reserved
)
"""First and last code points of ``Default_Ignorable_Code_Point`` (Unicode 16, DerivedCoreProperties.txt).

A table of our own: what is one input must not hang on the Unicode version of
the Python that reads it. Ranges for characters to come are in it already.
"""
CONTROLS = (
    (0x0000, 0x0008),
    (0x000E, 0x001F),
    (0x007F, 0x0084),
    (0x0086, 0x009F),
    (0xFFF9, 0xFFFB),
)
"""Those that show no more, without being default-ignorable: control characters but for tabs and the ends of lines,
and the marks of interlinear annotations."""

_INVISIBLE = re.compile(f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in DEFAULT_IGNORABLE + CONTROLS)}]+")


def visible(text: str) -> str:
    """The text without its invisible characters.

    NFKC_Casefold leaves out the default-ignorable ones too (Unicode Standard,
    section 3.13). A sequence of emoji is then the same with and without joiners.
    """
    return _INVISIBLE.sub("", text)
