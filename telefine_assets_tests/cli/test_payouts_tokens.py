"""What is paid is of one token for ever, and what leaves the store is what the ledger granted of it."""

import json

import pytest

from telefine_assets.ledger.connection import LedgerError
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.ledger.records import Token
from telefine_assets.payouts.cumulative import CumulativeTotals, build_claims
from telefine_assets.payouts.plan import Payment
from telefine_assets.payouts.safe_csv import read_safe_csv
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, TUESDAY
from telefine_assets_tests.cli.payouts_home import HALF, TOKEN, paid_home, run, set_payout
from telefine_assets_tests.payouts.test_plan import wallet

WEDNESDAY = "2026-11-04"
THIEF = wallet(900)
SIX = f"{TOKEN}/6"
STAGE = "contributor_payouts"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return tmp_path_factory.mktemp("paid") / "home"


@pytest.fixture
def home(tmp_path, monkeypatch, template):
    return paid_home(tmp_path, monkeypatch, template)


@pytest.fixture
def telefine(home, capsys):
    return lambda *arguments: run(capsys, *arguments)


@pytest.fixture
def dearer(home):
    """From Wednesday on, payouts are of a token with 6 decimals."""
    home.attest(WEDNESDAY, [ALICE, BOB])
    file = home.home / "telefine.yaml"
    file.write_text(file.read_text().replace("token_decimals: 18", "token_decimals: 6"))
    set_payout(home, f'token_address: "{TOKEN}"')
    return home


def pay(home, day=WEDNESDAY):
    return home.pay(day, token_address=TOKEN, token_decimals=6, pool="100000000")


def forged(home, day, *more):
    """A record whose totals have more payments, with the root that fits."""
    record = home.records.read("triage", STAGE, day)
    totals = CumulativeTotals.from_record(record["totals"])
    claims = build_claims(CumulativeTotals((*totals.wallets, *more), totals.escrow))
    home.records.write("triage", STAGE, day, {**record, "totals": claims.totals.to_record(), "root": claims.root})


@pytest.mark.parametrize("day", [MONDAY, TUESDAY])
@pytest.mark.parametrize("which", [["--day"], []], ids=["of a day", "newest"])
def test_totals_that_the_ledger_did_not_grant_are_not_handed_out(home, telefine, tmp_path, day, which):
    forged(home, day, Payment(THIEF, 10**24))
    of_day = [*which, day] if which else []
    for arguments in (
        ["proof", THIEF],
        ["export", "--format", "claims", "--output", tmp_path / "c.json"],
        ["export", "--format", "dump", "--output", tmp_path / "d.json"],
    ):
        code, out, err = telefine(*arguments, *of_day)
        assert (code, out, "other totals than the ledger" in err) == (1, "", True)
    assert not [*tmp_path.glob("[cd].json")]


def test_an_old_day_is_handed_out_as_it_was(telefine, tmp_path):
    """Tuesday was paid before Monday: its tree has Bob alone."""
    file = tmp_path / "claims.json"
    assert telefine("export", "--format", "claims", "--day", TUESDAY, "--output", file)[0] == 0
    assert [claim["address"] for claim in json.loads(file.read_bytes())["claims"]] == [BOB]


def test_the_store_alone_makes_nobody_rich(home):
    """Who can write the stage's records, but not the ledger, has a day paid whose candidate was not promoted."""
    later = home.attest("2026-11-06", [BOB])
    uid = home.attest("2026-11-05", [ALICE])
    with pytest.raises(LedgerError, match=f"attestation {uid} promoted nothing"):
        home.pay("2026-11-05")
    assert Payouts(home.ledger).of(uid) is None
    assert home.pay("2026-11-06")["attestation"] == later


def test_totals_of_two_tokens_are_two_trees(dearer, telefine):
    record = pay(dearer)
    assert record["token"] == {"name": TOKEN, "decimals": 6}
    assert {each["address"]: each["amount"] for each in record["totals"]["wallets"]} == {
        ALICE: "50000000",
        BOB: "50000000",
    }
    assert json.loads(telefine("proof", ALICE)[1])["total"] == "50000000"
    old = json.loads(telefine("proof", ALICE, "--token", "TOKEN/18")[1])
    assert (old["total"], old["root"] != record["root"]) == (str(HALF + 1), True)
    assert "smallest units of TOKEN/18" in telefine("show", MONDAY)[1]
    assert f"smallest units of {SIX}" in telefine("show", WEDNESDAY)[1]


def test_a_day_that_was_paid_stays_paid_in_its_token(dearer, telefine):
    before = dearer.records.read("triage", STAGE, MONDAY)
    assert pay(dearer, MONDAY) == before
    assert Payouts(dearer.ledger).totals_before("triage", Token(TOKEN, 6), None) == {}


def test_no_file_of_another_token_than_the_settings_name_is_made_unasked(dearer, telefine, tmp_path):
    airdrop = ["export", "--format", "safe-csv", "--day", MONDAY, "--output", tmp_path / "a.csv"]
    claims = ["export", "--format", "claims", "--output", tmp_path / "c.json"]
    for arguments in (["proof", ALICE], claims, [*claims, "--day", MONDAY], airdrop):
        code, out, err = telefine(*arguments)
        told = f"What was paid is of TOKEN/18; the token asked for is {SIX}."
        assert (code, out, told in " ".join(err.split()), "--token TOKEN/18" in err) == (1, "", True, True)
    pay(dearer)
    assert telefine(*claims)[0] == 0
    assert telefine(*airdrop)[0] == 1
    code, _, err = telefine(*airdrop, "--token", "TOKEN/18")
    assert (code, "name its contract with --token-address" in err) == (1, True)
    code, _, err = telefine("export", "--format", "safe-csv", "--token-address", wallet(501))
    assert (code, "an airdrop is of one day: name it with --day" in err) == (1, True)
    assert telefine(*airdrop, "--token", "TOKEN/18", "--token-address", wallet(501))[0] == 0
    assert read_safe_csv((tmp_path / "a.csv").read_bytes(), wallet(501), 18) == (Payment(ALICE, HALF + 1),)


def test_an_airdrop_is_of_the_contract_that_the_payout_names(dearer, telefine, tmp_path):
    pay(dearer)
    airdrop = ["export", "--format", "safe-csv", "--day", WEDNESDAY, "--output", tmp_path / "a.csv"]
    code, _, err = telefine(*airdrop, "--token-address", wallet(501))
    assert (code, f"the token is {SIX}" in err, (tmp_path / "a.csv").exists()) == (1, True, False)
    assert telefine(*airdrop)[0] == 0
    paid = read_safe_csv((tmp_path / "a.csv").read_bytes(), TOKEN, 6)
    assert {each.amount for each in paid} == {50_000_000}


def test_a_record_that_names_another_token_than_the_ledger_is_refused(home, telefine, tmp_path):
    """The store says 6 decimals, and so do the settings; the ledger said 18."""
    for day in (MONDAY, TUESDAY):
        record = home.records.read("triage", STAGE, day)
        home.records.write("triage", STAGE, day, {**record, "token": {"name": TOKEN, "decimals": 6}})
    named = ("--token", SIX)
    code, _, err = telefine("export", "--format", "safe-csv", "--day", MONDAY, *named)
    assert (code, "in TOKEN/18, not by the one in the record" in " ".join(err.split())) == (1, True)
    for arguments in (["proof", ALICE], ["export", "--format", "claims"], ["export", "--format", "dump"]):
        code, _, err = telefine(*arguments, *named)
        assert (code, "other totals than the ledger" in err) == (1, True)
