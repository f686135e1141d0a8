"""Payouts: exact, and one for each attestation for ever."""

from collections import Counter
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import LedgerError
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.ledger.records import BY_HAND, Choice, Promotion, RecordedPayout, Token

ESCROW = "escrow:missing"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOKEN, OTHER = Token("TOKEN", 18), Token("TOKEN", 6)


@pytest.fixture
def payouts(ledger):
    return Payouts(ledger)


def promote(payouts: Payouts, program: str, day: str, attestation: str) -> None:
    """Promote over what serves, unless the attestation did so or comes too late."""
    champions = Champions(payouts._ledger)
    last = champions.current(program)
    if champions.of(attestation) is None and (last is None or last.day < day):
        version, baseline = f"of {attestation}", last.version if last else "first"
        champions.promote(Promotion(program, day, version, baseline, attestation), NOON)


def record(payouts: Payouts, attestation: str, lines: dict[str, int], **other) -> int:
    values = {"program": "tickets", "day": f"day {attestation}", "pool": sum(lines.values()), "plan": "plan"}
    values |= {"token": TOKEN} | other
    promote(payouts, values["program"], values["day"], attestation)
    return payouts.record(attestation=attestation, lines=lines, **values)


def test_a_payout_counts_towards_the_totals_of_the_next(payouts):
    first = record(payouts, "0x1", {"0xA": 70, ESCROW: 30})
    second = record(payouts, "0x2", {"0xA": 5, "0xB": 5})
    third = record(payouts, "0x3", {"0xB": 1})
    assert payouts.totals_before("tickets", TOKEN, first) == {}
    assert payouts.totals_before("tickets", TOKEN, second) == {"0xA": 70, ESCROW: 30}
    assert payouts.totals_before("tickets", TOKEN, third) == {"0xA": 75, "0xB": 5, ESCROW: 30}


def test_programs_have_their_own_totals(payouts):
    record(payouts, "0x1", {"0xA": 70}, program="reviews")
    second = record(payouts, "0x2", {"0xA": 5})
    assert payouts.totals_before("tickets", TOKEN, second) == {}


def test_the_same_payout_again_has_the_same_number_and_pays_nothing_more(payouts):
    first = record(payouts, "0x1", {"0xA": 70})
    assert record(payouts, "0x1", {"0xA": 70}) == first
    assert payouts.totals_before("tickets", TOKEN, record(payouts, "0x2", {"0xA": 1})) == {"0xA": 70}


@pytest.mark.parametrize("pool", [99, 101, 0])
def test_lines_that_do_not_sum_to_the_pool_are_refused_and_nothing_is_written(payouts, pool):
    with pytest.raises(LedgerError, match=f"payout of 0x1: lines sum to 100, the pool is {pool}"):
        record(payouts, "0x1", {"0xA": 70, "0xB": 30}, pool=pool)
    after = record(payouts, "0x2", {"0xA": 1})
    assert payouts.totals_before("tickets", TOKEN, after) == {}
    assert record(payouts, "0x1", {"0xA": 100}, plan="put right") > after


@pytest.mark.parametrize("lines", [{}, {"0xA": 110, "0xB": -10}, {"0xA": 100, "0xB": 0}])
def test_a_payout_gives_everyone_on_it_something_and_takes_from_nobody(payouts, lines):
    with pytest.raises(LedgerError, match="every line must be above zero"):
        record(payouts, "0x1", lines)
    assert payouts.totals_before("tickets", TOKEN, record(payouts, "0x2", {"0xA": 1})) == {}


@pytest.mark.parametrize(
    "other",
    [
        {"plan": "another plan"},
        {"day": "2026-11-03"},
        {"program": "reviews"},
        {"token": OTHER},
        {"lines": {"0xA": 71}},
        {"lines": {"0xB": 70}},
        {"lines": {"0xA": 60, "0xB": 10}},
    ],
    ids=["plan", "day", "program", "token", "amount", "wallet", "split"],
)
def test_an_attestation_is_never_paid_a_second_time(payouts, other):
    record(payouts, "0x1", {"0xA": 70})
    with pytest.raises(LedgerError, match=r"attestation 0x1 was already paid by another plan \(plan\)"):
        record(payouts, "0x1", **{"lines": {"0xA": 70}, **other})
    assert payouts.totals_before("tickets", TOKEN, record(payouts, "0x2", {"0xA": 1})) == {"0xA": 70}


def test_the_gain_of_a_day_is_paid_once_whatever_is_attested_later(payouts):
    record(payouts, "0x1", {"0xA": 70}, day="2026-11-02")
    with pytest.raises(LedgerError, match=r"2026-11-02 was already paid, by attestation 0x1"):
        record(payouts, "0x2", {"0xA": 70}, day="2026-11-02")
    record(payouts, "0x3", {"0xA": 70}, day="2026-11-02", program="reviews")
    assert payouts.totals_before("tickets", TOKEN, 99) == {"0xA": 70}


def test_amounts_of_two_tokens_are_never_added_up(payouts):
    record(payouts, "0x1", {"0xA": 70})
    second = record(payouts, "0x2", {"0xA": 5}, token=OTHER)
    record(payouts, "0x3", {"0xA": 1}, token=Token("0xC", 18))
    assert payouts.totals_before("tickets", TOKEN, None) == {"0xA": 70}
    assert payouts.totals_before("tickets", OTHER, None) == {"0xA": 5}
    assert payouts.totals_before("tickets", OTHER, second) == {}
    assert payouts.of("0x2") == RecordedPayout(second, "0x2", "tickets", "day 0x2", 5, "plan", OTHER)


def test_what_promoted_nothing_or_won_back_a_gain_is_not_paid_whoever_asks(payouts):
    champions, paid = Champions(payouts._ledger), {"program": "tickets", "pool": 1, "plan": "plan", "token": TOKEN}
    with pytest.raises(LedgerError, match="attestation 0x1 promoted nothing"):
        payouts.record(attestation="0x1", day="day 1", lines={"0xA": 1}, **paid)
    promote(payouts, "tickets", "day 1", "0x1")
    champions.choose(Choice("tickets", "day 2", "first", "it was wrong", "ann", BY_HAND, 1), NOON)
    champions.promote(Promotion("tickets", "day 3", "again", "first", "0x3"), NOON)
    with pytest.raises(LedgerError, match="attestation 0x3 won back gain 1 of tickets"):
        payouts.record(attestation="0x3", day="day 3", lines={"0xA": 1}, **paid)
    with pytest.raises(LedgerError, match="attestation 0x1 promoted tickets on day 1, not"):
        payouts.record(attestation="0x1", day="day 2", lines={"0xA": 1}, **paid)
    assert payouts.totals_before("tickets", TOKEN, None) == {}
    assert payouts.record(attestation="0x1", day="day 1", lines={"0xA": 1}, **paid) == 1


def test_amounts_as_large_as_a_token_allows_lose_no_digit(payouts):
    large = 2**256 - 2
    record(payouts, "0x1", {"0xA": large, "0xB": 1})
    assert payouts.totals_before("tickets", TOKEN, record(payouts, "0x2", {"0xB": 1})) == {"0xA": large, "0xB": 1}


EXAMPLES = count()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plans=st.lists(
        st.dictionaries(st.sampled_from(["0xA", "0xB", ESCROW]), st.integers(1, 10**30), min_size=1), max_size=6
    ).filter(bool)
)
def test_totals_are_the_sums_of_all_payouts_before(payouts, plans):
    program = f"program {next(EXAMPLES)}"
    numbers = [
        record(payouts, f"{program} {at}", lines, program=program, day=f"day {at}") for at, lines in enumerate(plans)
    ]
    expected: Counter[str] = Counter()
    for number, lines in zip(numbers, plans, strict=True):
        assert payouts.totals_before(program, TOKEN, number) == dict(expected)
        expected.update(lines)
