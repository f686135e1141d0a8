"""10,000 sets of contributors: parts, basis points and token amounts add up, whatever the order and the spelling."""

from dataclasses import replace
from functools import cache
from random import Random

import pytest

from telefine_assets.attribution.addresses import checksum_address
from telefine_assets.attribution.usage import Arrival, UsedDemo, usage_weights
from telefine_assets.attribution.weights import FULL_PPM
from telefine_assets.payouts.minting import contributors_of
from telefine_assets.payouts.plan import plan_payout

SETS = 10_000
TAGS = (None, "", "carol.eth", "nobody", "0x" + "0" * 40)
ESCROW_WALLET = checksum_address(b"\xee" * 20)


@cache
def wallet(number: int) -> str:
    return checksum_address(((number + 1) * 0x1111111111111111).to_bytes(20, "big"))


def spelt(random: Random, address: str) -> str:
    return random.choice((address, address.lower(), "0x" + address[2:].upper(), f"  {address} "))


def contributors(random: Random) -> tuple[list[UsedDemo], list[Arrival]]:
    """One to eight demos of one to six wallets, each spelt in any way, and of people without one."""
    demos, arrivals = [], []
    for number in range(random.randint(1, 8)):
        who = random.choice(TAGS) if random.random() < 0.15 else spelt(random, wallet(random.randint(0, 5)))
        quality = random.choice((1, FULL_PPM, random.randint(0, FULL_PPM)))
        demos.append(UsedDemo(f"c{number}", f"t{number}", quality))
        arrivals.append(Arrival(f"c{number}", f"t{number}", who, None, random.randint(0, 5)))
    return demos, arrivals


def parts(table) -> dict[str, int]:
    return {line.address: line.weight_ppm for line in table.lines}


@pytest.mark.parametrize("quarter", range(4))
def test_ten_thousand_sets_of_contributors(quarter):
    for number in range(quarter * SETS // 4, (quarter + 1) * SETS // 4):
        random = Random(number)
        demos, arrivals = contributors(random)
        table = usage_weights(demos, arrivals)
        if table.reason is not None:
            assert not any(demo.quality_ppm for demo in demos)
            continue
        sums_are_exact(random, table)
        order_does_not_matter(random, demos, arrivals, table)
        a_lost_wallet_moves_its_own_part_only(random, demos, arrivals, table)


def sums_are_exact(random, table):
    assert table.total_ppm == FULL_PPM
    assert len(parts(table)) == len(table.lines) <= 6
    pool = random.choice((1, 10**18 + 1, random.randint(1, 10**30)))
    plan = plan_payout(pool, table)
    assert plan.paid + plan.held == pool
    points = contributors_of(table, ESCROW_WALLET if table.escrow else None)
    assert sum(each.weight for each in points) == 10_000


def order_does_not_matter(random, demos, arrivals, table):
    random.shuffle(demos)
    random.shuffle(arrivals)
    assert usage_weights(demos, arrivals) == table


def a_lost_wallet_moves_its_own_part_only(random, demos, arrivals, table):
    if not table.lines:
        return
    lost = random.choice(table.lines)
    bad = random.choice(("bob.eth", lost.address[:-1]))
    after = usage_weights(
        demos,
        [replace(row, contributor=bad) if (row.contributor or "").strip().lower() == lost.address.lower() else row
         for row in arrivals],
    )  # fmt: skip
    expected = parts(table)
    moved = expected.pop(lost.address)
    assert parts(after) == expected
    assert after.escrow_ppm == table.escrow_ppm + moved
