"""Tokens: spelled in one way, read strictly, and told apart by contract and decimals."""

import pytest

from telefine_assets.attribution.records import RecordError
from telefine_assets.ledger.records import Token
from telefine_assets.payouts.plan import PayoutError
from telefine_assets.payouts.token import contract_of, of_token, read_token, token_named, token_of, token_record
from telefine_assets.settings.payout import PayoutSettings
from telefine_assets_tests.payouts.test_plan import wallet

CONTRACT = wallet(500)


@pytest.mark.parametrize("token", [Token("TOKEN", 18), Token(CONTRACT, 0), Token("A/B c", 6)])
def test_a_token_reads_back_as_it_was_written(token):
    assert token_named(str(token)) == read_token(token_record(token)) == token


@pytest.mark.parametrize("text", ["TOKEN", "TOKEN/", "/18", "TOKEN/018", "TOKEN/1.5", "TOKEN/-1"])
def test_a_token_is_named_with_its_decimals(text):
    with pytest.raises(PayoutError, match="names no token"):
        token_named(text)


@pytest.mark.parametrize("change", [{"decimals": "18"}, {"decimals": 37}, {"name": ""}, {"symbol": "T"}])
def test_a_token_of_another_form_is_not_read(change):
    with pytest.raises(RecordError):
        read_token({"name": "TOKEN", "decimals": 18} | change)


def test_a_token_is_its_contract_where_one_is_named():
    named = token_of(PayoutSettings(token_symbol="USDX", token_address=CONTRACT, token_decimals=6))
    assert (named, contract_of(named)) == (Token(CONTRACT, 6), CONTRACT)
    assert contract_of(token_of(PayoutSettings(token_symbol="USDX"))) is None


def test_days_that_pay_nothing_are_of_no_token():
    paid = {"token": {"name": "TOKEN", "decimals": 18}}
    assert of_token([{"token": None}], Token("TOKEN", 6)) == []
    assert of_token([{"token": None}, paid], Token("TOKEN", 18)) == [paid]
    with pytest.raises(PayoutError, match="What was paid is of TOKEN/18; the token asked for is TOKEN/6"):
        of_token([paid], Token("TOKEN", 6))
