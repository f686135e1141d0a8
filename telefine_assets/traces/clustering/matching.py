"""Which signatures are alike, without comparing all with all: banding (Leskovec, Rajaraman, Ullman, section 3.4).

A signature is cut into bands of rows. Signatures that agree in all rows of a
band fall into one bucket, and only members of a bucket are compared. Where all
inputs share a long template, a bucket may hold them all; therefore a member is
compared with the bucket's first member, and with a few neighbours in the order
of the next band (near-copies agree in many bands and so lie side by side), not
with all. So the comparisons grow linearly with the texts, and what two texts
share is overlooked only if crowds come between them in every band.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from telefine_assets.traces.clustering.shingles import multiply_shift
from telefine_assets.traces.clustering.signatures import PERMUTATIONS, Signatures, least_equal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
    Keys = NDArray[np.uint64]

NEIGHBOURS = 6
"""With how many neighbours in its bucket a signature is compared."""
_BLOCK = 2048
_KEYS_BLOCK = 16_384
_FILTER_BITS = 26


def rows_per_band(similarity_percent: int) -> int:
    """The most rows with which a pair at the wanted similarity s shares a bucket with a probability of 0.99.

    Of 256 / r bands at least one agrees in its r rows with probability
    1 - (1 - s^r)^(256 / r).
    """
    shared = similarity_percent / 100
    return next(r for r in (16, 8, 4) if 1 - (1 - shared**r) ** (PERMUTATIONS // r) >= 0.99)


def band_keys(signatures: NDArray[np.uint8], rows: int) -> Keys:
    """For each signature and band the bucket (upper 32 bits) and its place there (the bucket in the next band)."""
    import numpy as np

    bands = PERMUTATIONS // rows
    keys = np.empty((len(signatures), bands), np.uint64)
    number = np.arange(bands, dtype=np.uint32)
    for start in range(0, len(keys), _KEYS_BLOCK):
        block = np.ascontiguousarray(signatures[start : start + _KEYS_BLOCK])
        words = block.view(np.uint32).reshape(-1, bands, rows // 4)
        numbers = np.broadcast_to(number, words.shape[:2])
        buckets = multiply_shift([numbers, *(words[:, :, at] for at in range(rows // 4))], 32)
        keys[start : start + _KEYS_BLOCK] = (buckets << np.uint64(32)) | np.roll(buckets, -1, axis=1)
    return keys


class Members(NamedTuple):
    """Members of buckets in the order of their keys, and the row of the signature that each is of."""

    keys: Keys
    rows: Rows


def members(keys: Keys, rows: Rows) -> Members:
    """Sort members by key, and members with one key by row."""
    import numpy as np

    order = np.argsort(keys, kind="stable")
    return Members(keys[order], rows[order])


class Pairs(NamedTuple):
    """Pairs of rows: of those that ask, and of those that are asked."""

    asking: Rows
    asked: Rows


@dataclass(frozen=True, eq=False)
class Graph:
    """Which texts of a day are near-copies of which."""

    starts: Rows
    others: Rows

    def of(self, number: int) -> list[int]:
        """The near-copies of a text, in ascending order."""
        found: list[int] = self.others[self.starts[number] : self.starts[number + 1]].tolist()
        return found


@dataclass
class Matcher:
    """Finds the near-copies of a day's texts, among themselves and among stored signatures."""

    day: Signatures
    similarity_percent: int
    compared: int = 0
    """How many pairs of signatures were compared."""
    _keys: Keys = field(init=False, repr=False)
    _all: Members | None = field(default=None, init=False, repr=False)
    _filter: NDArray[np.bool_] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rows_per_band = rows_per_band(self.similarity_percent)
        self._least = least_equal(self.similarity_percent)
        self._keys = band_keys(self.day.rows, self._rows_per_band)

    def among_themselves(self) -> Graph:
        """Which of the day's texts are near-copies of one another."""
        import numpy as np

        numbers = np.arange(len(self._keys))
        codes = [np.empty(0, np.int64)]
        for band in range(self._keys.shape[1]):
            column = members(self._keys[:, band], numbers)
            found = self._alike(column, column, self.day.rows, None)
            one, other = self.day.owners[found.asking], self.day.owners[found.asked]
            differ = one != other
            codes += [one[differ] * self.day.texts + other[differ], other[differ] * self.day.texts + one[differ]]
        asking, asked = np.divmod(np.unique(np.concatenate(codes)), max(1, self.day.texts))
        return Graph(np.searchsorted(asking, np.arange(self.day.texts + 1)), asked)

    def among(self, stored: NDArray[np.uint8], clusters: Rows) -> Pairs:
        """The near-copies of the day's texts in ``stored``: of each text, one row of each cluster.

        Args:
            stored: Signatures in order of arrival.
            clusters: The numbers of their clusters.
        """
        import numpy as np

        everyone = self._everyone()
        keys = band_keys(stored, self._rows_per_band)
        row, band = np.nonzero(self._filter[self._places(keys)])
        found = self._alike(everyone, members(keys[row, band], row), stored, clusters)
        owner, order = self.day.owners[found.asking], np.argsort(found.asked, kind="stable")
        codes = owner * (clusters.max(initial=0) + 1) + clusters[found.asked]
        _, first = np.unique(codes[order], return_index=True)
        return Pairs(owner[order[first]], found.asked[order[first]])

    def _everyone(self) -> Members:
        """The day's members of all buckets, with a filter that knows most buckets which have none."""
        import numpy as np

        if self._all is None:
            self._all = members(self._keys.ravel(), np.repeat(np.arange(len(self._keys)), self._keys.shape[1]))
            size = min(_FILTER_BITS, max(10, (16 * self._keys.size).bit_length()))
            self._filter = np.zeros(1 << size, np.bool_)
            self._filter[self._places(self._keys.ravel())] = True
        return self._all

    def _places(self, keys: Keys) -> Keys:
        import numpy as np

        return (keys >> np.uint64(32)) & np.uint64(len(self._filter) - 1)

    def _alike(self, asking: Members, asked: Members, stored: NDArray[np.uint8], clusters: Rows | None) -> Pairs:
        """Compare members of ``asking``, which are the day's, with those of ``asked`` in the same bucket.

        Each is compared with the first member, and then with neighbours unless
        that adds nothing to both being alike to the first: the bucket is of one
        cluster, or among themselves it is crowded.
        """
        import numpy as np

        buckets = _buckets(asked, asking, clusters)
        who, bucket = _expanded(buckets.asking_from, buckets.asking_to)
        firsts = Pairs(asking.rows[who], buckets.first[bucket])
        alike = self._compare(firsts, stored)
        found = [Pairs(firsts.asking[alike], firsts.asked[alike])]
        follows = alike & buckets.follow[bucket]
        following = np.ones(len(asked.keys), np.bool_)
        # Among themselves each is compared with those before it, and so with those after it too.
        place, steps = who, range(-NEIGHBOURS, 0)
        if asked is asking:
            following[who] = follows
        else:
            place, steps = np.searchsorted(asked.keys, asking.keys[who]), range(-NEIGHBOURS // 2, NEIGHBOURS // 2)
        for step in steps:
            at = place + step
            inside = (at >= buckets.start[bucket]) & (at < buckets.end[bucket])
            inside &= ~(follows & following[np.clip(at, 0, len(following) - 1)])
            pairs = Pairs(asking.rows[who[inside]], asked.rows[at[inside]])
            alike = self._compare(pairs, stored)
            found.append(Pairs(pairs.asking[alike], pairs.asked[alike]))
        return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def _compare(self, pairs: Pairs, stored: NDArray[np.uint8]) -> NDArray[np.bool_]:
        import numpy as np

        alike = np.empty(len(pairs.asking), np.bool_)
        for start in range(0, len(alike), _BLOCK):
            block = slice(start, start + _BLOCK)
            equal = self.day.rows[pairs.asking[block]] == stored[pairs.asked[block]]
            alike[block] = equal.sum(axis=1, dtype=np.uint16) >= self._least
        self.compared += len(alike)
        return alike


class _Buckets(NamedTuple):
    """The buckets that have members on both sides."""

    start: Rows
    end: Rows
    first: Rows
    """The lowest row among the asked members."""
    follow: NDArray[np.bool_]
    """Whether two that are alike to the first need not be compared with each other."""
    asking_from: Rows
    asking_to: Rows


def _buckets(asked: Members, asking: Members, clusters: Rows | None) -> _Buckets:
    """The buckets of ``asked`` that members of ``asking`` are in (more than one, if these are the same)."""
    import numpy as np

    names = asked.keys >> np.uint64(32)
    start = np.flatnonzero(np.r_[True, names[1:] != names[:-1]][: len(names)])
    end = np.r_[start[1:], len(names)][: len(start)]
    asking_from, asking_to = start, end
    if asked is not asking:
        asking_from = np.searchsorted(asking.keys, names[start] << np.uint64(32))
        asking_to = np.searchsorted(asking.keys, (names[start] << np.uint64(32)) | np.uint64(2**32 - 1), side="right")
    if not len(names):
        return _Buckets(start, end, start, start > 0, asking_from, asking_to)
    first, follow = np.minimum.reduceat(asked.rows, start), end - start > NEIGHBOURS + 1
    if clusters is not None:
        of = clusters[asked.rows]
        follow = np.minimum.reduceat(of, start) == np.maximum.reduceat(of, start)
    shared = asking_to - asking_from > (1 if asked is asking else 0)
    return _Buckets(start[shared], end[shared], first[shared], follow[shared], asking_from[shared], asking_to[shared])


def _expanded(start: Rows, end: Rows) -> tuple[Rows, Rows]:
    """The numbers from each start to its end, and which start each belongs to."""
    import numpy as np

    lengths = end - start
    which = np.repeat(np.arange(len(lengths)), lengths)
    before = np.cumsum(lengths) - lengths
    return np.arange(len(which)) - before[which] + start[which], which
