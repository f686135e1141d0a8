"""Largest remainder: exact, fair to a unit, independent of order."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.attribution.allocation import AllocationError, largest_remainder

SHARES = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4), st.integers(0, 10**9) | st.fractions(0, 1000), min_size=1
).filter(lambda shares: any(shares.values()))


@given(st.integers(0, 10**40), SHARES)
def test_it_sums_exactly_and_no_one_is_a_unit_off_his_quota(total, shares):
    result = largest_remainder(total, shares)
    weight = sum(map(Fraction, shares.values()))
    assert sum(result.values()) == total
    for key, amount in result.items():
        assert abs(amount - Fraction(shares[key]) * total / weight) < 1
        assert amount == 0 or shares[key] > 0


@given(st.integers(0, 10**9), SHARES, st.randoms(use_true_random=False))
def test_the_order_of_the_shares_does_not_matter(total, shares, random):
    shuffled = list(shares.items())
    random.shuffle(shuffled)
    assert list(largest_remainder(total, shares).items()) == list(largest_remainder(total, dict(shuffled)).items())


def test_ties_go_to_the_lower_key_whatever_its_case():
    assert largest_remainder(2, {"0xC": 1, "0xb": 1, "0xA": 1}) == {"0xA": 1, "0xb": 1, "0xC": 0}


def test_nothing_to_share_among_nobody_is_nothing():
    assert largest_remainder(0, {}) == {}
    assert largest_remainder(0, {"a": 0}) == {"a": 0}


@pytest.mark.parametrize(
    ("total", "shares", "words"),
    [
        (1, {}, "nothing positive"),
        (1, {"a": 0}, "nothing positive"),
        (-1, {"a": 1}, "total"),
        (True, {"a": 1}, "total"),
        (1, {"a": -1}, "negative"),
        (1, {"a": 0.5}, "Fraction"),
        (1, {"a": True}, "Fraction"),
        (1, {"0xA": 1, "0xa": 1}, "two spellings"),
    ],
)
def test_what_cannot_be_shared_is_refused(total, shares, words):
    with pytest.raises(AllocationError, match=words):
        largest_remainder(total, shares)
