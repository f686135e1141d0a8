"""The transparency log: the Merkle tree of RFC 6962, over leaf bytes.

A log that is only appended to has one root per size. An inclusion proof shows
that a leaf is in it, a consistency proof that a smaller log is the beginning of a
larger one: whoever keeps an old root notices a rewritten past.

Source: RFC 6962 section 2.1; the verification algorithms are those of RFC 9162
sections 2.1.3.2 and 2.1.4.2. The tree is the same in both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from telefine_assets.errors import TelefineError

EMPTY_ROOT = hashlib.sha256(b"").digest()


class LogError(TelefineError):
    """A proof was asked for that this log cannot give."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf: the prefix keeps it apart from every inner node."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleLog:
    """The tree over a growing list of leaf hashes, in memory.

    Holds the hash of every complete subtree, about two per leaf, so that a root
    or a proof for any size costs a few hundred hashes at most.
    """

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        """Start from the leaf hashes already in the log, in order."""
        # _levels[k][i] is the hash of leaves i * 2**k to (i + 1) * 2**k - 1.
        self._levels: list[list[bytes]] = [[]]
        for value in leaf_hashes:
            self.append(value)

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, hash_of_leaf: bytes) -> int:
        """Append a leaf by its hash.

        Returns:
            Its index, from 0.

        Raises:
            LogError: not 32 bytes.
        """
        if len(hash_of_leaf) != 32:
            raise LogError(f"A leaf hash has 32 bytes, found {len(hash_of_leaf)}. Pass leaf_hash(leaf).")
        index = len(self)
        level, value = 0, hash_of_leaf
        self._levels[0].append(value)
        while len(self._levels[level]) % 2 == 0:
            value = node_hash(self._levels[level][-2], value)
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(value)
        return index

    def root(self, size: int | None = None) -> bytes:
        """The root of the first ``size`` leaves; of all of them without ``size``."""
        size = self._size(size)
        return self._subtree(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """The audit path of leaf ``index`` in the log of ``size`` leaves (RFC 6962, 2.1.1).

        Raises:
            LogError: there is no such leaf or no such size.
        """
        size = self._size(size)
        if not 0 <= index < size:
            raise LogError(f"index {index}: the log of size {size} has no such leaf.")
        path: list[bytes] = []
        low, high = 0, size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._subtree(middle, high))
                high = middle
            else:
                path.append(self._subtree(low, middle))
                low = middle
        return path[::-1]

    def consistency_proof(self, old_size: int, size: int | None = None) -> list[bytes]:
        """The proof that the log of ``old_size`` begins the one of ``size`` (RFC 6962, 2.1.2).

        Raises:
            LogError: ``old_size`` is not within 1 to ``size``.
        """
        size = self._size(size)
        if not 1 <= old_size <= size:
            raise LogError(f"old_size: expected 1 to {size}, found {old_size}.")
        path: list[bytes] = []
        low, high, known = 0, size, True
        while high != old_size:
            middle = low + _split(high - low)
            if old_size <= middle:
                path.append(self._subtree(middle, high))
                high = middle
            else:
                path.append(self._subtree(low, middle))
                low, known = middle, False
        if not known:
            path.append(self._subtree(low, high))
        return path[::-1]

    def _size(self, size: int | None) -> int:
        if size is None:
            return len(self)
        if not 0 <= size <= len(self):
            raise LogError(f"size: the log has {len(self)} leaves, {size} were asked for.")
        return size

    def _subtree(self, low: int, high: int) -> bytes:
        """The hash of leaves low to high - 1; low is a multiple of a large enough power of two."""
        width = high - low
        level = width.bit_length() - 1
        if width == 1 << level:
            return self._levels[level][low >> level]
        middle = low + _split(width)
        return node_hash(self._subtree(low, middle), self._subtree(middle, high))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether ``proof`` shows leaf hash ``leaf`` at ``index`` in the log of ``size`` under ``root``."""
    if not 0 <= index < size or any(len(node) != 32 for node in (leaf, root, *proof)):
        return False
    fn, sn, value = index, size - 1, leaf
    for node in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            value = node_hash(node, value)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            value = node_hash(value, node)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and value == root


def verify_consistency(old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether ``proof`` shows that the log under ``old_root`` begins the one under ``root``.

    An empty log proves nothing about a later one: ``old_size`` is 1 or more.
    """
    if not 1 <= old_size <= size or any(len(node) != 32 for node in (old_root, root, *proof)):
        return False
    if old_size == size:
        return not proof and old_root == root
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        # A complete tree is a node of the larger one and is left out of the proof.
        path.insert(0, old_root)
    if not path:
        return False
    fn, sn = old_size - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old_value = value = path[0]
    for node in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old_value, value = node_hash(node, old_value), node_hash(node, value)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            value = node_hash(value, node)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and old_value == old_root and value == root


def _split(width: int) -> int:
    """The largest power of two below ``width``, which is 2 or more."""
    return 1 << ((width - 1).bit_length() - 1)
