"""Texts as sets of hashed shingles: every run of five characters (Broder 1997; Leskovec et al., section 3.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEPARATOR = "\x1f"
"""Stands between the fields of an input. Normalising leaves it out as invisible, so no field contains it."""
WIDTH = 5
MOST = 2048
"""The most distinct shingles of a text that are looked at; of a longer text a sample is."""
_PAD = SEPARATOR * (WIDTH - 1)
_BATCH_CHARACTERS = 1 << 20


def multiply_shift(words: Sequence[NDArray[np.uint32]], bits: int) -> NDArray[np.uint64]:
    """Hash vectors of 32-bit words, given by position, to ``bits`` of at most 32 bits.

    Vector multiply-shift (Thorup 2015, arXiv 1504.06804): the sum of the words
    times random 64-bit numbers, of which the upper bits are kept. The random
    numbers are digests, so that they never change.
    """
    import numpy as np

    total = np.full(words[0].shape, _random(0), np.uint64)
    for position, word in enumerate(words, 1):
        total += word * _random(position)
    return total >> np.uint64(64 - bits)


def _random(number: int) -> np.uint64:
    import numpy as np

    digest = hashlib.sha256(f"telefine.clustering/{number}".encode()).digest()
    return np.uint64(int.from_bytes(digest[:8], "big") | 1)


def hashed_shingles(texts: Iterable[str]) -> Iterator[NDArray[np.uint32]]:
    """For each text the hashes of its shingles, in the order of the text, repetitions included.

    A text is framed by ``SEPARATOR``, as wide as a shingle less one character,
    and its separators are widened likewise. So no shingle spans two fields, a
    text that is shorter than a shingle has shingles too, and the empty text
    has one.
    """
    batch: list[str] = []
    characters = 0
    for text in texts:
        batch.append(_PAD + text.replace(SEPARATOR, _PAD) + _PAD)
        characters += len(batch[-1])
        if characters >= _BATCH_CHARACTERS:
            yield from _hashed(batch)
            batch, characters = [], 0
    yield from _hashed(batch)


def _hashed(framed: list[str]) -> Iterator[NDArray[np.uint32]]:
    import numpy as np

    if not framed:
        return
    code_points = np.frombuffer("".join(framed).encode("utf-32-le", "surrogatepass"), "<u4")
    windows = len(code_points) - WIDTH + 1
    hashes = multiply_shift([code_points[at : at + windows] for at in range(WIDTH)], 32).astype(np.uint32)
    start = 0
    for text in framed:
        yield hashes[start : start + len(text) - WIDTH + 1]
        start += len(text)


def samples(hashes: NDArray[np.uint32], similarity: float) -> list[NDArray[np.uint32]]:
    """The sets by which a text is compared; the first of them is the one to be stored.

    A short text is the set of all its shingles. Of a longer one those are
    taken whose hash starts with so many zero bits that about ``MOST`` remain at
    most (Broder 1997: a sample by content, the same shingles of every text), so
    that the work is bounded and the similarity of two samples is that of the
    texts. Samples are comparable when they took the same
    number of zero bits; a text is therefore sampled also as the texts are
    that are as much longer or shorter as ``similarity`` allows.
    """
    import numpy as np

    if len(hashes) <= MOST * similarity:
        return [hashes]
    distinct = np.unique(hashes)
    own = _level(len(distinct))
    others = {_level(int(len(distinct) * similarity)), _level(int(len(distinct) / similarity))} - {own}
    return [_sample(distinct, level) for level in (own, *sorted(others))]


def _level(count: int) -> int:
    return max(0, (count - 1) // MOST).bit_length()


def _sample(distinct: NDArray[np.uint32], level: int) -> NDArray[np.uint32]:
    """The hashes, which are in ascending order, below 2 to the power of 32 - ``level``."""
    import numpy as np

    return distinct[: np.searchsorted(distinct, 1 << (32 - level))]
