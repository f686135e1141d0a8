"""Numbers as people read them lose no digit, and are never told better than they are."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.api.pages import words
from telefine_assets.ledger.records import Token
from telefine_assets_tests.cli.attested_home import ALICE


@given(st.integers(0, 2**256 - 1), st.integers(0, 36))
def test_an_amount_is_exact_whatever_its_size(units, decimals):
    said = words.decimal(units, decimals)
    with localcontext(prec=120):
        assert Decimal(said.replace(",", "")).scaleb(decimals) == units
    assert not said.endswith((".", "0")) or "." not in said


@pytest.mark.parametrize(
    ("units", "decimals", "said"),
    [
        (0, 18, "0"),
        (1, 18, "0.000000000000000001"),
        (1_000_000_000_000_000_001, 18, "1.000000000000000001"),
        (1_234_500_000, 6, "1,234.5"),
        (1_234, 0, "1,234"),
        (100, 2, "1"),
    ],
)
def test_amounts(units, decimals, said):
    assert words.decimal(units, decimals) == said


def test_a_token_goes_by_its_symbol_only_if_the_settings_know_its_contract():
    assert words.amount(5, Token("GOLD", 0), {}).symbol == "GOLD"
    known = words.amount(5, Token(ALICE, 0), {ALICE: "GOLD"})
    assert (known.symbol, known.contract) == ("GOLD", ALICE)
    assert words.amount(5, Token(ALICE, 0), {}).symbol == "0x0000…0002"


def test_gains_have_their_sign_and_are_not_flattered():
    assert words.gain(125_000) == "+12.50 pp"
    assert words.gain(9_999) == "+0.99 pp"
    assert words.at_least(74_598) == "+7.45 pp"
    assert words.at_least(-1) == "-0.01 pp"
    assert words.share(333_334) == "33.3334 %"


def test_days_sizes_and_chances():
    assert words.long_day("2026-11-02") == "2 November 2026"
    assert words.short_day("2026-05-31") == "31 May 2026"
    assert [words.size(each) for each in (0, 999, 1_340, 195_000, 12_345_678)] == [
        "0 B",
        "999 B",
        "1.34 kB",
        "195 kB",
        "12.3 MB",
    ]
    assert [words.probability(each) for each in ("0.0123", "1.12446E-8", "1/3")] == ["0.013", "1.2 × 10⁻⁸", "0.34"]
