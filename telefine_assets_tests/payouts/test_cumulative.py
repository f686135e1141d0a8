"""Totals ever earned: what a claim contract would pay from them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.canonical import canonical_json
from telefine_assets.payouts.cumulative import CumulativeTotals, add_payout, build_claims
from telefine_assets.payouts.exports import claims_document
from telefine_assets.payouts.merkle import ZERO_ROOT, verify_claim
from telefine_assets.payouts.plan import HeldAmount, Payment, PayoutError, PayoutPlan, plan_payout
from telefine_assets_tests.payouts.test_plan import TABLES, table, wallet

PLANS = st.lists(st.builds(plan_payout, st.integers(1, 10**24), TABLES), max_size=6)


class ClaimContract:
    """What the contract does: pay the proven total minus what was claimed."""

    def __init__(self) -> None:
        self.root = ZERO_ROOT
        self.claimed: dict[str, int] = {}

    def claim(self, address: str, total: int, proof: tuple[str, ...]) -> int:
        assert verify_claim(self.root, address, total, proof)
        paid = total - self.claimed.get(address, 0)
        self.claimed[address] = total
        return paid


def totals_after(plans: list[PayoutPlan]) -> CumulativeTotals:
    totals = CumulativeTotals()
    for plan in plans:
        totals = add_payout(totals, plan)
    return totals


@given(PLANS)
def test_totals_are_everything_that_the_plans_gave_out(plans):
    assert totals_after(plans).total == sum(plan.paid + plan.held for plan in plans)


@given(PLANS, st.randoms(use_true_random=False))
def test_the_order_of_the_plans_does_not_matter(plans, random):
    shuffled = list(plans)
    random.shuffle(shuffled)
    assert build_claims(totals_after(plans)) == build_claims(totals_after(shuffled))


@given(PLANS, st.data())
def test_whoever_skips_epochs_has_in_the_end_the_same(plans, data):
    contract, totals, received = ClaimContract(), CumulativeTotals(), {}
    for plan in plans:
        totals = add_payout(totals, plan)
        claims = build_claims(totals)
        contract.root = claims.root
        for claim in claims.claims():
            if data.draw(st.booleans()):
                paid = contract.claim(claim.address, claim.total, claim.proof)
                received[claim.address] = received.get(claim.address, 0) + paid
    for claim in build_claims(totals).claims():
        paid = contract.claim(claim.address, claim.total, claim.proof)
        assert received.get(claim.address, 0) + paid == claim.total


def test_a_skipped_epoch_survives_and_a_double_claim_pays_nothing():
    contract = ClaimContract()
    first = add_payout(CumulativeTotals(), plan_payout(90, table({0: 2, 1: 1})))
    second = add_payout(first, plan_payout(10, table({1: 1})))
    claims = build_claims(second)
    contract.root = claims.root
    claim = claims.claim(wallet(0))
    assert contract.claim(claim.address, claim.total, claim.proof) == 60
    assert contract.claim(claim.address, claim.total, claim.proof) == 0
    assert claims.claim(wallet(1)).total == 40


def test_nobody_has_a_claim_before_the_first_payout():
    claims = build_claims(CumulativeTotals())
    assert (claims.root, claims.dump_bytes(), list(claims.claims())) == (ZERO_ROOT, None, [])
    with pytest.raises(PayoutError, match="nobody has earned"):
        claims.claim(wallet(0))


@given(PLANS)
def test_totals_read_back_as_they_were(plans):
    totals = totals_after(plans)
    assert CumulativeTotals.from_record(json.loads(json.dumps(totals.to_record()))) == totals


def test_escrow_is_added_up_by_reason_and_is_in_no_tree():
    plan = plan_payout(10, table({0: 1}, {"missing": 1}))
    totals = totals_after([plan, plan])
    assert totals.escrow == (HeldAmount("missing", 10),)
    assert [claim.address for claim in build_claims(totals).claims()] == [wallet(0)]


def test_totals_out_of_order_or_range_are_refused():
    with pytest.raises(PayoutError, match="ascend"):
        CumulativeTotals((Payment(wallet(1), 1), Payment(wallet(0), 1)))
    with pytest.raises(PayoutError, match="within"):
        add_payout(CumulativeTotals((Payment(wallet(0), 2**256 - 1),)), plan_payout(1, table({0: 1})))


@given(PLANS)
def test_the_document_of_all_claims_is_canonical_json(plans):
    claims = build_claims(totals_after(plans))
    document = claims_document(claims)
    found = json.loads(document)
    assert canonical_json(found) == document
    assert (found["root"], found["totals"]) == (claims.root, claims.totals.to_record())
    assert [each["address"] for each in found["claims"]] == [each.address for each in claims.totals.wallets]
