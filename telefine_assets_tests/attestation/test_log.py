"""The Merkle log against the recursive definitions of RFC 6962, for every size up to 200."""

import hashlib
import random

import pytest

from telefine_assets.attestation.log import (
    EMPTY_ROOT,
    LogError,
    MerkleLog,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [b"leaf %d" % i for i in range(200)]
LOG = MerkleLog(leaf_hash(leaf) for leaf in LEAVES)
_MTH: dict[tuple[int, int], bytes] = {}


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(low: int, high: int) -> bytes:
    """RFC 6962, 2.1, word for word (remembered, or 200 sizes would take minutes)."""
    if high == low:
        return hashlib.sha256(b"").digest()
    if (low, high) not in _MTH:
        if high - low == 1:
            _MTH[low, high] = hashlib.sha256(b"\x00" + LEAVES[low]).digest()
        else:
            k = split(high - low)
            _MTH[low, high] = hashlib.sha256(b"\x01" + mth(low, low + k) + mth(low + k, high)).digest()
    return _MTH[low, high]


def path(m: int, low: int, high: int) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if high - low == 1:
        return []
    k = split(high - low)
    if m < k:
        return [*path(m, low, low + k), mth(low + k, high)]
    return [*path(m - k, low + k, high), mth(low, low + k)]


def subproof(m: int, low: int, high: int, known: bool) -> list[bytes]:
    """RFC 6962, 2.1.2."""
    if m == high - low:
        return [] if known else [mth(low, high)]
    k = split(high - low)
    if m <= k:
        return [*subproof(m, low, low + k, known), mth(low + k, high)]
    return [*subproof(m - k, low + k, high, False), mth(low, low + k)]


def test_roots_of_all_sizes_are_those_of_the_rfc():
    assert LOG.root(0) == EMPTY_ROOT
    for size in range(201):
        assert LOG.root(size) == mth(0, size)


def test_inclusion_proofs_of_all_leaves_of_all_sizes_are_those_of_the_rfc_and_verify():
    for size in range(1, 201):
        root = LOG.root(size)
        for index in range(size):
            proof = LOG.inclusion_proof(index, size)
            assert proof == path(index, 0, size)
            assert verify_inclusion(leaf_hash(LEAVES[index]), index, size, proof, root)


def test_consistency_proofs_of_all_pairs_of_sizes_are_those_of_the_rfc_and_verify():
    for size in range(1, 201):
        root = LOG.root(size)
        for old in range(1, size + 1):
            proof = LOG.consistency_proof(old, size)
            assert proof == subproof(old, 0, size, True)
            assert verify_consistency(old, size, LOG.root(old), root, proof)


def test_the_known_answers_of_certificate_transparency():
    # The leaves and roots of the reference implementation's merkletree tests.
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    log = MerkleLog(leaf_hash(bytes.fromhex(leaf)) for leaf in leaves)
    assert log.root(1).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert log.root(8).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_a_changed_proof_root_leaf_index_or_size_is_refused():
    rng = random.Random(7)
    for _ in range(600):
        size = rng.randrange(2, 201)
        index = rng.randrange(size)
        leaf, root, proof = leaf_hash(LEAVES[index]), LOG.root(size), LOG.inclusion_proof(index, size)
        other = rng.choice([i for i in range(size) if i != index])
        i = rng.randrange(len(proof))
        assert not verify_inclusion(leaf, other, size, proof, root)
        assert not verify_inclusion(leaf_hash(b"?"), index, size, proof, root)
        assert not verify_inclusion(leaf, index, size, proof, leaf_hash(b"?"))
        assert not verify_inclusion(leaf, index, size, proof[:-1], root)
        assert not verify_inclusion(leaf, index, size, [*proof, root], root)
        assert not verify_inclusion(leaf, index, size, [*proof[:i], leaf_hash(b"?"), *proof[i + 1 :]], root)


def test_a_rewritten_past_is_refused():
    rng = random.Random(8)
    for _ in range(600):
        size = rng.randrange(2, 201)
        old = rng.randrange(1, size)
        old_root, root, proof = LOG.root(old), LOG.root(size), LOG.consistency_proof(old, size)
        bad = leaf_hash(b"?")
        i = rng.randrange(len(proof))
        assert not verify_consistency(old, size, bad, root, proof)
        assert not verify_consistency(old, size, old_root, bad, proof)
        assert not verify_consistency(old, size, old_root, root, proof[:-1])
        assert not verify_consistency(old, size, old_root, root, [*proof, bad])
        assert not verify_consistency(old, size, old_root, root, [*proof[:i], bad, *proof[i + 1 :]])
        assert not verify_consistency(size, old, root, old_root, proof)


def test_edges_of_consistency():
    root = LOG.root(5)
    assert verify_consistency(5, 5, root, root, [])
    assert not verify_consistency(5, 5, root, root, [root])
    assert not verify_consistency(5, 5, root, LOG.root(6), [])
    assert not verify_consistency(0, 5, EMPTY_ROOT, root, [])
    assert not verify_consistency(3, 5, LOG.root(3), root, [])


def test_leaves_and_nodes_cannot_be_taken_for_each_other():
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: LOG.root(201),
        lambda: LOG.root(-1),
        lambda: LOG.inclusion_proof(5, 5),
        lambda: LOG.inclusion_proof(-1, 5),
        lambda: LOG.consistency_proof(0, 5),
        lambda: LOG.consistency_proof(6, 5),
        lambda: MerkleLog([b"short"]),
    ],
)
def test_what_the_log_does_not_hold_is_refused(ask):
    with pytest.raises(LogError):
        ask()
