"""The airdrop: exact decimals both ways."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.attribution.addresses import AddressError
from telefine_assets.payouts.plan import Payment, PayoutError, plan_payout
from telefine_assets.payouts.safe_csv import read_safe_csv, safe_csv, smallest_units, whole_tokens
from telefine_assets_tests.payouts.test_plan import TABLES, table, wallet

TOKEN = wallet(12345)
DECIMALS = st.integers(0, 36)


@given(st.integers(0, 2**256 - 1), DECIMALS)
def test_whole_tokens_are_the_exact_decimal_and_read_back_as_integers(amount, decimals):
    text = whole_tokens(amount, decimals)
    with localcontext(prec=200):
        assert Decimal(text) == Decimal(amount).scaleb(-decimals)
    assert smallest_units(text, decimals) == amount


@given(st.integers(1, 10**40), TABLES, DECIMALS)
def test_an_airdrop_reads_back_as_the_payments_to_the_unit(pool, weights, decimals):
    plan = plan_payout(pool, weights)
    if plan.payments:
        read = read_safe_csv(safe_csv(plan.payments, TOKEN, decimals), TOKEN, decimals)
        assert read == plan.payments
        assert sum(payment.amount for payment in read) + plan.held == pool


def test_the_file_to_the_byte():
    payments = [Payment(wallet(0), 1), Payment(wallet(1), 10**18), Payment(wallet(2), 25 * 10**17)]
    assert safe_csv(payments, TOKEN, 18).decode() == (
        "token_type,token_address,receiver,amount,id\n"
        f"erc20,{TOKEN},{wallet(0)},0.000000000000000001,\n"
        f"erc20,{TOKEN},{wallet(1)},1,\n"
        f"erc20,{TOKEN},{wallet(2)},2.5,\n"
    )


def test_a_payout_that_is_all_in_escrow_is_no_airdrop():
    with pytest.raises(PayoutError, match="nothing to airdrop"):
        safe_csv(plan_payout(5, table({}, {"missing": 1})).payments, TOKEN, 18)


@pytest.mark.parametrize("text", ["", "1.", ".5", "01", "1e3", "1.50", "-1", "+1", "1,5", " 1", "0.0000001", "0.0"])
def test_another_spelling_of_an_amount_is_refused(text):
    with pytest.raises(PayoutError):
        smallest_units(text, 6)


@pytest.mark.parametrize("decimals", [-1, 37, True, 1.0])
def test_decimals_that_no_token_has_are_refused(decimals):
    with pytest.raises(PayoutError, match="decimals"):
        whole_tokens(1, decimals)


@pytest.mark.parametrize("amount", [-1, 2**256, 1.5, True])
def test_what_is_no_amount_is_refused(amount):
    with pytest.raises(PayoutError, match="amount"):
        whole_tokens(amount, 18)


def test_a_token_that_is_no_contract_is_refused():
    with pytest.raises(AddressError):
        safe_csv([Payment(wallet(0), 1)], TOKEN.lower() + "0", 18)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t.replace("erc20", "native"),
        lambda t: t.replace(TOKEN, wallet(7)),
        lambda t: t.replace("token_type,", "type,"),
        lambda t: t.replace(",\n", ",7\n").replace("id7", "id"),
    ],
)
def test_a_row_of_another_kind_or_token_is_refused(spoil):
    text = safe_csv([Payment(wallet(0), 5)], TOKEN, 0).decode()
    with pytest.raises(PayoutError):
        read_safe_csv(spoil(text).encode(), TOKEN, 0)
