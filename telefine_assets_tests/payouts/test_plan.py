"""Plans: sums, escrow, dust."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.attribution.addresses import checksum_address
from telefine_assets.attribution.allocation import largest_remainder
from telefine_assets.attribution.records import RecordError
from telefine_assets.attribution.weights import FULL_PPM, EscrowLine, WeightLine, WeightTable
from telefine_assets.payouts.plan import HeldAmount, Payment, PayoutError, PayoutPlan, plan_payout


def wallet(i: int) -> str:
    return checksum_address((i + 1).to_bytes(20, "big"))


def table(shares: dict[int, int], escrow: dict[str, int] | None = None) -> WeightTable:
    """A table from proportions, by number of wallet and by reason."""
    keys = {f"{i:04}": share for i, share in shares.items()} | {f"e:{r}": s for r, s in (escrow or {}).items()}
    parts = largest_remainder(FULL_PPM, keys)
    lines = tuple(WeightLine(wallet(i), parts[f"{i:04}"], (f"c{i}",), ()) for i in sorted(shares) if parts[f"{i:04}"])
    held = tuple(EscrowLine(r, parts[f"e:{r}"], (r,), ()) for r in sorted(escrow or {}) if parts[f"e:{r}"])
    return WeightTable("usage", lines, held)


TABLES = st.builds(
    table,
    st.dictionaries(st.integers(0, 30), st.integers(1, 1000), min_size=1, max_size=12),
    st.dictionaries(st.sampled_from(["missing", "ens_name"]), st.integers(1, 1000)),
)


@given(st.integers(1, 10**30), TABLES, st.integers(0, 10**27))
def test_paid_and_escrow_sum_to_the_pool_or_nothing_is_given_out(pool, weights, floor):
    plan = plan_payout(pool, weights, floor)
    assert plan.paid + plan.held + plan.unpaid == pool
    assert plan.unpaid == 0 or (not plan.payments and not plan.escrow and plan.reason == "all_below_dust_floor")
    assert all(payment.amount >= floor for payment in plan.payments)
    assert {p.address for p in plan.payments} | set(plan.below_floor) == {line.address for line in weights.lines}


@given(st.integers(1, 10**30), TABLES)
def test_a_dust_floor_never_moves_anything_into_or_out_of_escrow(pool, weights):
    free = plan_payout(pool, weights)
    floor = min((payment.amount for payment in free.payments), default=0) + 1
    plan = plan_payout(pool, weights, floor)
    assert plan.unpaid == pool or plan.escrow == free.escrow


@given(st.integers(1, 10**30), TABLES)
def test_an_unresolved_wallet_changes_nobody_elses_amount_by_more_than_a_unit(pool, weights):
    lost, *kept = weights.lines
    if not kept or weights.escrow:
        return
    held = (EscrowLine("missing", lost.weight_ppm, lost.clusters, ()),)
    after = plan_payout(pool, WeightTable("usage", tuple(kept), held))
    before = {payment.address: payment.amount for payment in plan_payout(pool, weights).payments}
    for payment in after.payments:
        assert abs(payment.amount - before.get(payment.address, 0)) <= 1


def test_equal_wallets_at_the_floor_stay_or_go_together():
    # 10 in three parts is below 4 each; to keep two of three equals would be arbitrary.
    weights = WeightTable(
        "usage",
        (
            WeightLine(wallet(0), 333_334, ("a",), ()),
            WeightLine(wallet(1), 333_333, ("b",), ()),
            WeightLine(wallet(2), 333_333, ("c",), ()),
        ),
        (),
    )
    assert [p.address for p in plan_payout(10, weights, 4).payments] == [wallet(0)]
    assert len(plan_payout(12, weights, 3).payments) == 3


def test_no_more_wallets_are_dropped_than_must_be():
    # Without the smallest, the next one reaches the floor.
    plan = plan_payout(100, table({0: 50, 1: 45, 2: 5}), 10)
    assert plan.payments == (Payment(wallet(0), 53), Payment(wallet(1), 47))
    assert plan.below_floor == (wallet(2),)


def test_the_reasons_why_no_wallet_is_paid():
    empty = WeightTable("usage", (), (), "no_demo_used")
    assert plan_payout(5, empty).reason == "no_demo_used"
    assert plan_payout(5, empty).unpaid == 5
    assert plan_payout(0, table({0: 1})).reason == "empty_pool"
    assert plan_payout(5, table({0: 1, 1: 1}), 100).reason == "all_below_dust_floor"
    all_held = plan_payout(5, table({}, {"missing": 1}))
    assert (all_held.reason, all_held.escrow) == ("all_in_escrow", (HeldAmount("missing", 5),))


@given(st.integers(1, 10**30), TABLES, st.integers(0, 10**27))
def test_a_plan_reads_back_as_it_was(pool, weights, floor):
    plan = plan_payout(pool, weights, floor)
    assert PayoutPlan.from_record(json.loads(json.dumps(plan.to_record()))) == plan


@pytest.mark.parametrize(("pool", "floor"), [(-1, 0), (1.5, 0), (True, 0), (1, -1), (2**256, 0)])
def test_a_pool_that_is_no_amount_is_refused(pool, floor):
    with pytest.raises(PayoutError, match="smallest units"):
        plan_payout(pool, table({0: 1}), floor)


@pytest.mark.parametrize(
    "change",
    [{"pool": "8"}, {"pool": 7}, {"pool": "07"}, {"reason": "why"}, {"payments": []}, {"more": 1}],
)
def test_a_record_that_does_not_add_up_is_refused(change):
    record = plan_payout(7, table({0: 1, 1: 2})).to_record()
    with pytest.raises((RecordError, PayoutError)):
        PayoutPlan.from_record(record | change)
