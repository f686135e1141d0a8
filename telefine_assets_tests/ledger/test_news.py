"""What the ledger has that people are told of."""

from datetime import UTC, datetime

from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.looks import Looks
from telefine_assets.ledger.news import News
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.ledger.records import PlannedPayout, Promotion, ReachedLook, Token
from telefine_assets_tests.ledger.workers import take

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = "2026-11-02"


def test_looks_that_reached_deltaone_are_told_with_their_epoch(ledger):
    looks = Looks(ledger)
    for key, reached in (("a", False), ("b", True), ("c", True)):
        take(looks, key)
        looks.conclude(key, reached, "report")
    take(looks, "d")
    wanted = [ReachedLook("tickets", DAY, epoch, f"candidate-{key}") for epoch, key in ((1, "b"), (2, "c"))]
    assert News(ledger).reached() == wanted


def test_champions_and_payouts_of_all_programs_are_told(ledger):
    champions = Champions(ledger)
    promoted = [
        champions.promote(Promotion(each, DAY, "v1", "v0", f"0x{each}"), NOON) for each in ("tickets", "reviews")
    ]
    assert News(ledger).champions() == promoted
    assert News(ledger).payouts() == []
    of = {"attestation": "0xtickets", "program": "tickets", "day": DAY}
    Payouts(ledger).record(**of, pool=10**30, plan="p", token=Token("T", 18), lines={"0xA": 10**30})
    assert News(ledger).payouts() == [PlannedPayout("tickets", DAY, "0xtickets", 10**30, "T/18")]
