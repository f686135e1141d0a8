"""The contract to claim from, on a real EVM: everyone gets what the tree says, once, and nobody gets more."""

import random

import pytest
from eth_tester.exceptions import TransactionFailed
from web3.logs import DISCARD

from telefine_assets.onchain.distributor import distributor
from telefine_assets.payouts.merkle import StandardMerkleTree
from telefine_assets_tests.onchain.evm import Evm
from telefine_assets_tests.payouts.test_plan import wallet

SUPPLY = 10**30
ALICE, BOB, CAROL = wallet(100), wallet(101), wallet(102)
ZERO = "0x" + "0" * 40
MONDAY = StandardMerkleTree([(ALICE, 70), (BOB, 30)])
TUESDAY = StandardMerkleTree([(ALICE, 170), (BOB, 30), (CAROL, 5)])


class Deployed:
    """A funded distributor."""

    def __init__(self, evm: Evm, token: str = "token") -> None:
        self.evm, self.token = evm, evm.deploy(token, SUPPLY)
        self.contract = evm.deploy("distributor", self.token.address, evm.owner)
        self.functions = self.contract.functions
        evm.run(self.token.functions.transfer(self.contract.address, SUPPLY))

    def set_root(self, tree: StandardMerkleTree, epoch: int):
        return self.evm.run(self.functions.set_root(bytes.fromhex(tree.root[2:]), epoch))

    def claim(self, tree: StandardMerkleTree, who: str, amount: int | None = None, proof_of: str | None = None):
        proof = [bytes.fromhex(each[2:]) for each in tree.proof(proof_of or who)]
        return self.functions.claim(who, tree.amount(who) if amount is None else amount, proof)

    def paid(self, who: str) -> int:
        return self.token.functions.balanceOf(who).call()


@pytest.fixture
def deployed(evm):
    return Deployed(evm)


def test_a_claim_skipped_is_in_the_next_tree_and_a_claim_made_is_not_paid_again(evm, deployed):
    deployed.set_root(MONDAY, 1)
    evm.run(deployed.claim(MONDAY, BOB), evm.stranger)
    deployed.set_root(TUESDAY, 2)
    evm.run(deployed.claim(TUESDAY, ALICE))
    assert "nothing to claim" in evm.refusal(deployed.claim(TUESDAY, BOB))
    assert "nothing to claim" in evm.refusal(deployed.claim(TUESDAY, ALICE))
    assert (deployed.paid(ALICE), deployed.paid(BOB), deployed.paid(evm.stranger)) == (170, 30, 0)
    assert deployed.functions.total_claimed().call() == 200


def test_a_claim_says_whom_it_paid_how_much(evm, deployed):
    deployed.set_root(MONDAY, 1)
    evm.run(deployed.claim(MONDAY, ALICE))
    deployed.set_root(TUESDAY, 2)
    receipt = evm.run(deployed.claim(TUESDAY, ALICE))
    (event,) = deployed.contract.events.Claimed().process_receipt(receipt, errors=DISCARD)
    assert dict(event["args"]) == {"account": ALICE, "amount": 100, "total": 170}
    assert deployed.functions.claimed(ALICE).call() == 170


def test_no_proof_but_ones_own_for_ones_own_total_pays(evm, deployed):
    deployed.set_root(TUESDAY, 1)
    for forged in (
        deployed.claim(TUESDAY, ALICE, amount=171),
        deployed.claim(TUESDAY, ALICE, amount=0),
        deployed.claim(TUESDAY, ALICE, proof_of=BOB),
        deployed.functions.claim(evm.stranger, 170, [bytes.fromhex(each[2:]) for each in TUESDAY.proof(ALICE)]),
        deployed.functions.claim(ALICE, 170, []),
        deployed.claim(MONDAY, ALICE),
    ):
        assert "bad proof" in evm.refusal(forged)
    assert deployed.functions.total_claimed().call() == 0


def test_an_inner_node_is_no_leaf(evm, deployed):
    """Two nodes below the root, read as (account, total), would be 64 bytes that hash to it."""
    deployed.set_root(TUESDAY, 1)
    left, right = (bytes.fromhex(each[2:]) for each in TUESDAY.dump()["tree"][1:3])
    low, high = sorted((left, right))
    account = evm.web3.to_checksum_address(low[12:])
    assert "bad proof" in evm.refusal(deployed.functions.claim(account, int.from_bytes(high, "big"), []))


def test_before_the_first_root_and_with_endless_proofs_nothing_is_paid(evm, deployed):
    assert "bad proof" in evm.refusal(deployed.claim(MONDAY, ALICE))
    evm.refusal(deployed.functions.claim(ALICE, 70, [bytes(32)] * 65))


def test_a_root_is_set_by_the_owner_for_the_next_epoch_only(evm, deployed):
    root = bytes.fromhex(MONDAY.root[2:])
    set_root = deployed.functions.set_root
    assert "not the owner" in evm.refusal(set_root(root, 1), evm.stranger)
    assert "root is zero" in evm.refusal(set_root(bytes(32), 1))
    (event,) = deployed.contract.events.RootSet().process_receipt(deployed.set_root(MONDAY, 1))
    assert dict(event["args"]) == {"epoch": 1, "root": root}
    deployed.set_root(TUESDAY, 2)
    for stale in (0, 1, 2, 4):
        assert "not the next epoch" in evm.refusal(set_root(root, stale))
    assert (deployed.functions.root().call().hex(), deployed.functions.epoch().call()) == (TUESDAY.root[2:], 2)


def test_a_root_that_lowers_a_total_takes_nothing_back_and_a_wrong_root_can_be_taken_back(evm, deployed):
    wrong = StandardMerkleTree([(ALICE, 1000), (BOB, 1)])
    deployed.set_root(MONDAY, 1)
    evm.run(deployed.claim(MONDAY, BOB))
    deployed.set_root(wrong, 2)
    assert "nothing to claim" in evm.refusal(deployed.claim(wrong, BOB))
    deployed.set_root(MONDAY, 3)
    evm.run(deployed.claim(MONDAY, ALICE))
    assert (deployed.paid(ALICE), deployed.paid(BOB)) == (70, 30)


def test_who_offers_the_contract_keeps_it_until_the_offer_is_accepted(evm, deployed):
    offer, accept, set_root = (
        deployed.functions.transfer_ownership,
        deployed.functions.accept_ownership(),
        deployed.functions.set_root(bytes.fromhex(MONDAY.root[2:]), 1),
    )
    assert "not the owner" in evm.refusal(offer(evm.stranger), evm.stranger)
    assert "not the pending owner" in evm.refusal(accept, evm.stranger)
    evm.run(offer(evm.stranger))
    assert "not the owner" in evm.refusal(set_root, evm.stranger)
    evm.run(offer(ZERO))
    assert "not the pending owner" in evm.refusal(accept, evm.stranger)
    evm.run(offer(evm.stranger))
    evm.run(accept, evm.stranger)
    assert "not the owner" in evm.refusal(set_root)
    assert "not the pending owner" in evm.refusal(accept, evm.stranger)
    evm.run(set_root, evm.stranger)


def test_it_is_not_deployed_without_a_token_or_an_owner(evm, deployed):
    made = evm.web3.eth.contract(abi=distributor().abi, bytecode=distributor().bytecode)
    no_token, no_owner = made.constructor(evm.stranger, evm.owner), made.constructor(deployed.token.address, ZERO)
    for constructor, reason in ((no_token, "token is no contract"), (no_owner, "owner is zero")):
        with pytest.raises(TransactionFailed, match=reason):
            constructor.estimate_gas()


def test_a_token_that_calls_back_is_paid_out_once(evm, deployed):
    deployed.set_root(TUESDAY, 1)
    for who in (ALICE, BOB):
        data = deployed.claim(TUESDAY, who)._encode_transaction_data()
        evm.run(deployed.token.functions.call_back(deployed.contract.address, bytes.fromhex(data[2:])))
        refused = deployed.token.functions.refused().call()
        evm.run(deployed.claim(TUESDAY, ALICE if who == ALICE else CAROL))
        assert deployed.token.functions.refused().call() == refused + 1
    assert (deployed.paid(ALICE), deployed.paid(BOB), deployed.paid(CAROL)) == (170, 0, 5)
    assert deployed.functions.total_claimed().call() == 175


def test_a_token_that_says_no_has_not_paid_and_one_that_says_nothing_has(evm, deployed):
    deployed.set_root(MONDAY, 1)
    evm.run(deployed.token.functions.lie())
    assert "transfer failed" in evm.refusal(deployed.claim(MONDAY, ALICE))
    assert deployed.functions.claimed(ALICE).call() == 0
    silent = Deployed(evm, "silent_token")
    silent.set_root(MONDAY, 1)
    evm.run(silent.claim(MONDAY, ALICE))
    assert silent.paid(ALICE) == 70


def test_what_cannot_be_paid_stays_owed(evm, deployed):
    poor = StandardMerkleTree([(ALICE, SUPPLY + 1), (BOB, 2**256 - 1)])
    deployed.set_root(poor, 1)
    for who in (ALICE, BOB):
        evm.refusal(deployed.claim(poor, who))
        assert deployed.functions.claimed(who).call() == 0


def test_every_wallet_of_every_tree_of_1_to_64_claims_and_the_sum_is_the_totals(evm, deployed):
    """One epoch per size; in each, some claim and the others wait; in the last, all."""
    draw, totals = random.Random(64), {}
    for size in range(1, 65):
        totals[wallet(1000 + size)] = 0
        totals = {who: total + draw.choice([1, 7, 10**18]) for who, total in totals.items()}
        tree = StandardMerkleTree(totals.items())
        deployed.set_root(tree, size)
        for who in totals if size == 64 else [draw.choice(sorted(totals))]:
            evm.run(deployed.claim(tree, who))
    assert {who: deployed.paid(who) for who in totals} == totals
    assert (
        deployed.functions.total_claimed().call()
        == sum(totals.values())
        == SUPPLY - deployed.paid(deployed.contract.address)
    )
