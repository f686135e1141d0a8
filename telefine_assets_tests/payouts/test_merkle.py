"""The tree is OpenZeppelin's: against murky-tree, and against a known dump of theirs."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from murky_tree import StandardMerkleTree as MurkyTree

from telefine_assets.attribution.addresses import AddressError, checksum_address
from telefine_assets.attribution.records import RecordError
from telefine_assets.canonical import sha256_hex
from telefine_assets.payouts.merkle import ZERO_ROOT, StandardMerkleTree, shares_root, verify_claim
from telefine_assets.payouts.plan import PayoutError


def wallet(i: int) -> str:
    return checksum_address((i + 1).to_bytes(20, "big"))


ENTRIES = st.dictionaries(st.integers(0, 2**160 - 2), st.integers(0, 2**256 - 1), min_size=1, max_size=20).map(
    lambda amounts: [(wallet(i), amount) for i, amount in amounts.items()]
)


@given(ENTRIES)
@settings(max_examples=40)
def test_root_dump_and_proofs_equal_murky_trees(entries):
    tree = StandardMerkleTree(entries)
    murky = MurkyTree.of([[address, amount] for address, amount in entries], ["address", "uint256"])
    assert tree.root == murky.root
    assert tree.dump()["tree"] == ["0x" + node.hex() for node in murky.tree]
    for i, (address, amount) in enumerate(entries):
        assert tree.proof(address) == murky.get_proof(i)
        assert verify_claim(tree.root, address, amount, tree.proof(address))


def test_the_dump_is_that_of_openzeppelins_library_to_the_byte():
    # Made once by npm's @openzeppelin/merkle-tree 1.0.8: root, and sha256 of JSON.stringify(tree.dump()).
    tree = StandardMerkleTree((checksum_address(bytes([i]) * 20), 10**18 * i) for i in range(1, 6))
    assert tree.root == "0xfa0a862875ee76743dd0249c5103a1749eb91ba697f1588dcc64bb72aa834c5e"
    dump = "cfc31e8903192ef9737047848dd4bc6d7d8c67501ecade920e60dce107033920"
    assert sha256_hex(tree.dump_bytes()) == dump


@given(ENTRIES, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_the_root_does_not_depend_on_the_order_of_the_entries(entries, random):
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert StandardMerkleTree(shuffled).root == StandardMerkleTree(entries).root


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 33])
def test_a_wrong_amount_wallet_or_proof_is_refused(count):
    tree = StandardMerkleTree((wallet(i), 10 + i) for i in range(count))
    proof = tree.proof(wallet(0))
    assert verify_claim(tree.root, wallet(0), 10, proof)
    assert not verify_claim(tree.root, wallet(0), 11, proof)
    assert not verify_claim(tree.root, wallet(count), 10, proof)
    assert not verify_claim(tree.root, wallet(0), 10, [*proof, "0x" + "1" * 64])
    assert not verify_claim(tree.root, wallet(0), 10, [*proof, "0x12"])
    assert not verify_claim(tree.root, wallet(0), -1, proof)
    assert not verify_claim(tree.root, "nobody", 10, proof)


def test_a_dump_reads_back_and_a_changed_one_does_not():
    tree = StandardMerkleTree([(wallet(0), 2**200), (wallet(1), 0), (wallet(2), 3)])
    dump = json.loads(tree.dump_bytes())
    assert StandardMerkleTree.load(dump).root == tree.root
    for change in (
        {"format": "simple-v1"},
        {"leafEncoding": ["address", "uint128"]},
        {"tree": dump["tree"][:-1]},
        {"values": dump["values"][::-1][:2]},
        {"tree": ["0x" + "0" * 64, *dump["tree"][1:]]},
    ):
        with pytest.raises(RecordError):
            StandardMerkleTree.load(dump | change)


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        ([], PayoutError),
        ([(wallet(0), 1), (wallet(0), 2)], PayoutError),
        ([(wallet(0), 2**256)], PayoutError),
        ([(wallet(0), 1.0)], PayoutError),
        ([("0x" + "ab" * 20, 1)], AddressError),
        ([("0x" + "0" * 40, 1)], AddressError),
    ],
)
def test_entries_that_cannot_be_claimed_are_refused(entries, error):
    with pytest.raises(error):
        StandardMerkleTree(entries)


def test_no_shares_have_the_zero_root():
    assert shares_root([]) == ZERO_ROOT
    assert shares_root([(wallet(0), 5)]) == StandardMerkleTree([(wallet(0), 5)]).root


def test_a_wallet_that_is_not_in_the_tree_has_no_proof():
    with pytest.raises(PayoutError, match="not in this tree"):
        StandardMerkleTree([(wallet(0), 1)]).proof(wallet(1))
