"""The Merkle tree that a claim contract checks: OpenZeppelin's StandardMerkleTree.

Leaves are ``keccak(keccak(abi.encode(address, uint256)))``, hashed twice so that
no inner node can be passed off as a leaf; leaves are sorted by hash, inner nodes
hash their children in sorted order. Roots, proofs and dumps equal those of npm's
``@openzeppelin/merkle-tree`` 1.0.8 byte for byte.

Source: https://github.com/OpenZeppelin/merkle-tree (core.ts, merkletree.ts)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial, reduce
from typing import Any

from telefine_assets.attribution.addresses import AddressError, require_wallet
from telefine_assets.attribution.keccak import Hasher, keccak_hasher
from telefine_assets.attribution.records import Fields, RecordError
from telefine_assets.payouts.plan import MAX_UINT256, PayoutError, read_amount

LEAF_ENCODING = ("address", "uint256")
_WORD = re.compile(r"0x[0-9a-f]{64}")

ZERO_ROOT = "0x" + "0" * 64
"""The root of no leaves: OpenZeppelin has none; a contract reads it as "nothing to claim"."""


def shares_root(shares: Iterable[tuple[str, int]]) -> str:
    """The root over wallets with their parts per million: what an attestation commits to.

    The amounts of a payout depend on a pool that is set later; the proportions
    do not. ``ZERO_ROOT`` when no wallet has a share.
    """
    entries = tuple(shares)
    return StandardMerkleTree(entries).root if entries else ZERO_ROOT


class StandardMerkleTree:
    """A tree over (wallet, amount) pairs.

    The nodes lie in one list, the root first, the children of node ``i`` at
    ``2i + 1`` and ``2i + 2``, the leaves last, in descending order of hash.
    """

    def __init__(self, entries: Iterable[tuple[str, int]]) -> None:
        """Build the tree.

        Args:
            entries: wallets (EIP-55) with amounts (0 to 2**256 - 1), each
                wallet once. Their order is kept in the dump; it does not
                change the root.

        Raises:
            PayoutError: no entries, a wallet twice, an amount out of range.
            AddressError: an address that is no checksummed wallet.
        """
        self.entries = tuple(entries)
        self._position = _positions(self.entries)
        keccak = keccak_hasher()
        hashes = [_leaf(keccak, address, amount) for address, amount in self.entries]
        order = sorted(range(len(hashes)), key=hashes.__getitem__)
        count = len(hashes)
        nodes = [b""] * (2 * count - 1)
        self._tree_index = [0] * count
        for rank, value_index in enumerate(order):
            nodes[-1 - rank] = hashes[value_index]
            self._tree_index[value_index] = 2 * count - 2 - rank
        for i in range(count - 2, -1, -1):
            nodes[i] = _node(keccak, nodes[2 * i + 1], nodes[2 * i + 2])
        # As text, once: every proof of 100,000 names the upper nodes again.
        self._nodes = ["0x" + node.hex() for node in nodes]

    @property
    def root(self) -> str:
        """The root, 0x and 64 digits."""
        return self._nodes[0]

    def amount(self, address: str) -> int:
        """The amount under a wallet's leaf.

        Raises:
            PayoutError: the wallet is not in the tree.
        """
        return self.entries[self._at(address)][1]

    def proof(self, address: str) -> list[str]:
        """The siblings from a wallet's leaf up to the root.

        Raises:
            PayoutError: the wallet is not in the tree.
        """
        index = self._tree_index[self._at(address)]
        proof = []
        while index:
            sibling = index + 1 if index % 2 else index - 1
            proof.append(self._nodes[sibling])
            index = (index - 1) // 2
        return proof

    def _at(self, address: str) -> int:
        if address not in self._position:
            raise PayoutError(f"{address} is not in this tree. Look the claim up in the newest one.")
        return self._position[address]

    def dump(self) -> dict[str, Any]:
        """The tree in OpenZeppelin's ``standard-v1`` form, keys in its order."""
        return {
            "format": "standard-v1",
            "leafEncoding": list(LEAF_ENCODING),
            "tree": list(self._nodes),
            "values": [
                {"value": [address, str(amount)], "treeIndex": index}
                for (address, amount), index in zip(self.entries, self._tree_index, strict=True)
            ],
        }

    def dump_bytes(self) -> bytes:
        """The dump as JavaScript's ``JSON.stringify(tree.dump())`` writes it."""
        return json.dumps(self.dump(), separators=(",", ":")).encode("ascii")

    @classmethod
    def load(cls, dump: Mapping[str, Any]) -> StandardMerkleTree:
        """Rebuild a tree from its dump and check every node of the dump against it.

        Raises:
            RecordError: the dump is not of this form, or its nodes are not
                those of its values.
        """
        fields = Fields(dump, "tree")
        fields.constant("format", "standard-v1")
        if fields.texts("leafEncoding") != LEAF_ENCODING:
            raise RecordError("tree.leafEncoding", f"expected {list(LEAF_ENCODING)}")
        nodes, values = fields.items("tree"), fields.objects("values")
        fields.done()
        tree = cls(_read_value(row) for row in values)
        rebuilt = tree.dump()
        if rebuilt["tree"] != nodes or rebuilt["values"] != list(dump["values"]):
            raise RecordError("tree.tree", "its nodes are not those of its values")
        return tree


class ClaimHasher:
    """Hashes leaves, and nodes with their siblings.

    It remembers the nodes: proofs of one tree share them, so that all of them
    together cost about as much as the tree.
    """

    def __init__(self) -> None:
        keccak = keccak_hasher()
        self.leaf: Callable[[str, int], bytes] = partial(_leaf, keccak)
        self.parent: Callable[[bytes, str], bytes] = cache(partial(_parent, keccak))


def verify_claim(root: str, address: str, amount: int, proof: Sequence[str], hasher: ClaimHasher | None = None) -> bool:
    """Whether ``proof`` shows that the tree under ``root`` pays ``amount`` to ``address``.

    Anything malformed is false, as it would be to the contract. ``hasher`` is
    for who verifies many proofs of one tree.
    """
    hasher = hasher or ClaimHasher()
    try:
        require_wallet(address, "address")
        _check_amount(amount, address)
        return reduce(hasher.parent, proof, hasher.leaf(address, amount)) == _word(root)
    except (AddressError, PayoutError, TypeError, ValueError):
        return False


def _word(text: str) -> bytes:
    """The 32 bytes of 0x and 64 lower-case digits.

    Raises:
        ValueError: the text is anything else.
    """
    if not isinstance(text, str) or not _WORD.fullmatch(text):
        raise ValueError("not 32 bytes in hexadecimal")
    return bytes.fromhex(text[2:])


def _positions(entries: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Where each wallet stands, after checking all entries."""
    if not entries:
        raise PayoutError("A Merkle tree needs at least one entry. Without any, the root is ZERO_ROOT.")
    positions: dict[str, int] = {}
    for position, (address, amount) in enumerate(entries):
        require_wallet(address, f"entries[{position}]")
        _check_amount(amount, address)
        if positions.setdefault(address, position) != position:
            raise PayoutError(f"entries: {address} is listed twice. Add its amounts up first.")
    return positions


def _check_amount(amount: object, address: str) -> None:
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 <= amount <= MAX_UINT256:
        raise PayoutError(f"entries: amount of {address}: expected 0 to 2**256 - 1, found {amount!r}.")


def _leaf(keccak: Hasher, address: str, amount: int) -> bytes:
    """The twice-hashed leaf of one entry."""
    # abi.encode of two static types: each left-padded to 32 bytes.
    word = bytes(12) + bytes.fromhex(address[2:]) + amount.to_bytes(32, "big")
    return keccak(keccak(word))


def _node(keccak: Hasher, a: bytes, b: bytes) -> bytes:
    return keccak(a + b if a < b else b + a)


def _parent(keccak: Hasher, node: bytes, sibling: str) -> bytes:
    """The parent of a node and of a sibling in the spelling of a proof."""
    return _node(keccak, node, _word(sibling))


def _read_value(row: Fields) -> tuple[str, int]:
    """One value of a dump; its place in the tree is checked by rebuilding."""
    value = row.items("value")
    row.take("treeIndex")
    row.done()
    if len(value) != 2:
        raise RecordError(row.path("value"), f"expected an address and an amount, found {value!r}")
    return value[0], read_amount(Fields({"amount": value[1]}, row.path("value")), "amount")
