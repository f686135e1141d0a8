"""MinHash signatures (Broder 1997), computed by datasketch and kept to one byte a permutation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from telefine_assets.traces.clustering.shingles import hashed_shingles, multiply_shift, samples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PERMUTATIONS = 256
_SEED = 1
_CHANCE = 1 / 256
"""How often two different hashes share their byte (b-bit minwise hashing, Li and König 2010, b = 8)."""
_BATCH = 4096


@dataclass(frozen=True, eq=False)
class Signatures:
    """Signatures of texts, one a row; a long text has further ones, after all the first ones."""

    rows: NDArray[np.uint8]
    owners: NDArray[np.int64]
    """The number of the text to which each row belongs: 0, 1, 2 ... and then those of the further rows."""
    texts: int


def least_similarity(similarity_percent: int) -> float:
    """The estimated similarity from which two texts are near-copies.

    The estimate's standard error, 3 points at most, is taken off the wanted
    similarity: a copy that is overlooked can spoil the holdout, one too many
    found only costs a trace. At 100 % there is no error.
    """
    wanted = similarity_percent / 100
    return wanted - (wanted * (1 - wanted) / PERMUTATIONS) ** 0.5


def least_equal(similarity_percent: int) -> int:
    """How many bytes of two signatures must be equal for their texts to be near-copies."""
    import math

    similarity = least_similarity(similarity_percent)
    return math.ceil(PERMUTATIONS * (_CHANCE + (1 - _CHANCE) * similarity) - 1e-9)


def signatures_of(texts: Iterable[str], similarity: float) -> Signatures:
    """The signatures of ``texts``, for comparison with texts at least so similar."""
    import numpy as np

    owners: list[int] = []
    ranks: list[int] = []

    def sampled() -> Iterator[list[int]]:
        for number, hashes in enumerate(hashed_shingles(texts)):
            for rank, sample in enumerate(samples(hashes, similarity)):
                owners.append(number)
                ranks.append(rank)
                yield sample.tolist()

    signed = np.concatenate([np.empty((0, PERMUTATIONS), np.uint8), *_signed(sampled())])
    further, owner = np.array(ranks, np.int64) > 0, np.array(owners, np.int64)
    if further.any():
        order = np.argsort(further, kind="stable")
        signed, owner = signed[order], owner[order]
    return Signatures(signed, owner, ranks.count(0))


def _signed(shingled: Iterator[list[int]]) -> Iterator[NDArray[np.uint8]]:
    import numpy as np
    from datasketch import MinHash  # type: ignore[import-untyped]

    # The shingles are hashed already: int() leaves them as they are.
    # Making a sketch takes long, therefore one serves all.
    sketch = MinHash(num_perm=PERMUTATIONS, seed=_SEED, hashfunc=int, scheme="affine32")

    def digest(hashes: list[int]) -> NDArray[np.uint32]:
        sketch.clear()
        sketch.update_batch(hashes)
        minima: NDArray[np.uint32] = sketch.digest()
        return minima

    while batch := [digest(hashes) for hashes in islice(shingled, _BATCH)]:
        yield multiply_shift([np.stack(batch)], 8).astype(np.uint8)
