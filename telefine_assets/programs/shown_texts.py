"""Which of many texts stand in a prompt, kept as digests.

Optimisers show texts raw, as JSON, or as Python's ``repr``, indented and
requoted. Texts are therefore compared by their words: escapes, punctuation,
case and the kind of white space do not matter.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|[abfnrtv])")
_WORD = re.compile(r"\w+")
_HEAD = 4
ENOUGH_CHARACTERS = 20
"""A text of so many characters is known again by itself; a shorter one may stand anywhere by chance."""


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, the same for the text itself and for it as JSON or ``repr``."""
    unescaped = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)) if found[1] or found[2] else " ", text)
    # JSON escapes what lies beyond 16 bits as two halves.
    joined = unescaped.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", joined).casefold()))


class ShownTexts:
    """Texts that can be looked for, all of them at once.

    A text is found when all its words stand in a prompt, one after the other.
    Where its first words do is looked up, and the digest of as many words as it
    has is compared there: the time is that of one pass over the prompt,
    whatever the number of texts.
    """

    def __init__(self) -> None:
        """Start without texts."""
        self._lengths: dict[tuple[str, ...], set[int]] = {}
        self._digests: set[bytes] = set()

    def add(self, words: Sequence[str]) -> bytes:
        """Look for a text of at least one word from now on; returns its digest."""
        digest = _digest(words)
        self._digests.add(digest)
        self._lengths.setdefault(tuple(words[:_HEAD]), set()).add(len(words))
        return digest

    def found_in(self, prompt: Iterable[str]) -> set[bytes]:
        """The digests of the texts that stand in one of a prompt's parts."""
        return {digest for part in prompt for digest in self._candidates(words_of(part)) if digest in self._digests}

    def _candidates(self, words: tuple[str, ...]) -> Iterable[bytes]:
        for start in range(len(words)):
            heads = (words[start : start + size] for size in range(1, _HEAD + 1))
            lengths = {length for head in heads for length in self._lengths.get(head, ())}
            hasher, end = hashlib.sha256(), start
            # Each word is hashed once, however many texts begin alike.
            for length in sorted(length for length in lengths if start + length <= len(words)):
                hasher.update((" " if end > start else "").encode() + " ".join(words[end : start + length]).encode())
                end = start + length
                yield hasher.digest()


def _digest(words: Sequence[str]) -> bytes:
    return hashlib.sha256(" ".join(words).encode()).digest()
