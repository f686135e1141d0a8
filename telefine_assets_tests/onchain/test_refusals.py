"""What is not sent: to another chain, without code, from a changed store, too dear, or unasked."""

import io
import json
import logging

import pytest

from telefine_assets.payouts.cumulative import CumulativeTotals, build_claims
from telefine_assets_tests.cli.attested_home import MONDAY, TUESDAY
from telefine_assets_tests.onchain.evm import API_KEY
from telefine_assets_tests.payouts.test_plan import wallet

STEPS = (["anchor", MONDAY], ["set-root"])


@pytest.mark.parametrize("step", STEPS)
def test_a_dry_run_simulates_shows_the_cost_and_sends_and_writes_nothing(home, chain, step):
    before = home.files()
    code, out, _ = chain(*step)
    assert (code, "dry run" in out, "cost      about 0.000" in out, home.sender in out) == (0, True, True, True)
    assert "eth_estimateGas" in home.server.asked
    assert not [each for each in home.server.asked if each.startswith("eth_send")]
    assert (home.sent(), home.files() == before) == (0, True)


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_sent_until_the_reader_says_yes(home, chain, monkeypatch, step):
    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        code, out, _ = chain(*step, "--send")
        assert (code, "Send it?" in out, home.sent(), home.audited()) == (1, True, 0, [])
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert (chain(*step, "--send")[0], home.sent()) == (0, 1)


def test_without_a_keystore_a_dry_run_gives_the_call_to_enter_elsewhere(home, chain, monkeypatch):
    monkeypatch.delenv("TELEFINE_CHAIN__KEYSTORE")
    code, out, _ = chain("set-root")
    (data,) = [line.split()[1] for line in out.splitlines() if line.startswith("  data ")]
    sent = {"from": home.evm.owner, "to": home.distributor.address, "data": data}
    assert (code, "nobody: no keystore" in out) == (0, True)
    # As the owner's Safe would send it.
    home.evm.tester.add_account("0x" + "0b" * 32)
    home.evm.web3.eth.send_transaction({**sent, "from": home.sender})
    assert "is in force, epoch 1" in chain("set-root")[1]
    assert "nobody to send it" in chain("anchor", MONDAY, "--send", "--yes")[2]


@pytest.mark.parametrize("step", [*STEPS, ["status"]])
def test_a_node_of_another_chain_is_refused(home, chain, monkeypatch, step):
    monkeypatch.setenv("TELEFINE_SIGNER__CHAIN_ID", "1")
    if step[0] == "anchor":
        home.server.answers["eth_chainId"] = "0x2"
        monkeypatch.setenv("TELEFINE_SIGNER__CHAIN_ID", str(home.evm.chain_id))
    code, _, err = chain(*step, *([] if step == ["status"] else ["--send", "--yes"]))
    assert (code, "the node is on chain" in err, home.sent()) == (1, True, 0)


def test_an_address_without_the_right_code_is_refused(home, chain, monkeypatch):
    for address, found in ((wallet(9), "no contract"), (home.token.address, "another contract")):
        monkeypatch.setenv("TELEFINE_CHAIN__DISTRIBUTORS", json.dumps({"triage": address}))
        for step in (["set-root", "--send", "--yes"], ["status"]):
            code, _, err = chain(*step)
            assert (code, f"there is {found} there" in err) == (1, True)
    monkeypatch.delenv("TELEFINE_CHAIN__DISTRIBUTORS")
    assert "names no contract for triage" in chain("set-root")[2]
    home.server.answers["eth_getCode"] = "0x"
    code, _, err = chain("anchor", MONDAY, "--send", "--yes")
    assert (code, "no contract there" in err, home.sent()) == (1, True, 0)


@pytest.mark.parametrize("step", [["set-root", "--send", "--yes"], ["status"]])
def test_another_token_than_was_paid_is_refused(home, chain, monkeypatch, step):
    """By the settings, by what the option names, and by the chain where the payout named a contract."""
    monkeypatch.setenv("TELEFINE_PROGRAMS__TRIAGE__PAYOUT__TOKEN_DECIMALS", "6")
    code, _, err = chain(*step)
    told = "What was paid is of TOKEN/18; the token asked for is TOKEN/6"
    assert (code, told in " ".join(err.split()), home.sent()) == (1, True, 0)
    home.pay(TUESDAY, token_symbol="SIX", token_decimals=6)
    code, _, err = chain(*step, "--token", "SIX/6")
    assert (code, "has 18 decimals, what was paid is SIX/6" in err, home.sent()) == (1, True, 0)
    assert chain(*step, "--token", "TOKEN/18")[0] == 0


def test_a_contract_that_pays_out_another_token_than_was_paid_is_refused(home, chain):
    named = home.token.address
    home.pay(TUESDAY, token_address=wallet(500))
    code, _, err = chain("set-root", "--send", "--yes", "--token", f"{wallet(500)}/18")
    assert (code, f"its token {named} has 18 decimals, what was paid is {wallet(500)}/18" in err) == (1, True)
    assert home.sent() == 0


def test_a_root_of_one_token_does_not_replace_that_of_another(home, chain):
    assert chain("set-root", "--send", "--yes")[0] == 0
    home.pay(TUESDAY, token_address=home.token.address)
    code, _, err = chain("set-root", "--send", "--yes", "--token", f"{home.token.address}/18")
    assert (code, "is of no payout of this token stored here" in err, home.sent()) == (1, True, 1)


def test_no_attestation_that_is_not_ours_or_does_not_verify_is_anchored(home, chain):
    assert "has no attestation" in chain("anchor", "0x" + "1" * 64)[2]
    bundle = home.records.read("triage", "attestations", MONDAY)["bundle"]
    path = next(home.home.rglob(bundle))
    path.write_bytes(path.read_bytes().replace(b"2026-11-02", b"2026-11-01"))
    code, _, err = chain("anchor", MONDAY, "--send", "--yes")
    assert (code, "evidence_digest_mismatch" in err, home.sent()) == (1, True, 0)


def test_a_store_that_was_changed_publishes_nothing(home, chain):
    """Even one whose root was computed again to fit."""
    record = home.records.read("triage", "contributor_payouts", MONDAY)
    record["totals"]["wallets"][0]["amount"] += "0"
    home.records.write("triage", "contributor_payouts", MONDAY, record)
    assert "it was changed" in chain("set-root", "--send", "--yes")[2]
    record["root"] = build_claims(CumulativeTotals.from_record(record["totals"])).root
    home.records.write("triage", "contributor_payouts", MONDAY, record)
    code, _, err = chain("set-root", "--send", "--yes")
    assert (code, "other totals than the ledger" in err, home.sent()) == (1, True, 0)


def test_a_root_that_is_none_of_ours_is_not_replaced(home, chain):
    """Tuesday is published; then an old copy of store and ledger comes back."""
    home.pay(TUESDAY)
    newer = home.records.read("triage", "contributor_payouts", TUESDAY)["root"]
    home.evm.tester.add_account("0x" + "0b" * 32)
    foreign = home.distributor.functions.set_root(bytes(31) + b"\1", 1)
    home.evm.run(foreign, home.sender)
    code, _, err = chain("set-root", "--send", "--yes")
    assert (code, "of no payout of this token stored here" in err) == (1, True)
    home.evm.run(home.distributor.functions.set_root(bytes.fromhex(newer[2:]), 2), home.sender)
    assert "nothing to send" in chain("set-root", "--send", "--yes")[1]


def test_who_does_not_own_the_distributor_is_told_before_paying(home, chain, monkeypatch):
    foreign = home.evm.deploy("distributor", home.token.address, home.evm.owner)
    monkeypatch.setenv("TELEFINE_CHAIN__DISTRIBUTORS", json.dumps({"triage": foreign.address}))
    code, _, err = chain("set-root", "--send", "--yes")
    assert (code, "the contract refuses (execution reverted: not the owner)" in err, home.sent()) == (1, True, 0)


def test_a_fee_beyond_the_limit_is_not_paid_whoever_names_it(home, chain):
    home.server.answers["eth_maxPriorityFeePerGas"] = hex(10**15)
    code, _, err = chain("anchor", MONDAY, "--send", "--yes")
    assert (code, "chain.max_cost is 50000000000000000" in err, home.sent()) == (1, True, 0)


def test_who_cannot_pay_the_gas_is_told_before_anything_is_sent(home, chain):
    home.server.answers["eth_getBalance"] = "0x1"
    code, _, err = chain("anchor", MONDAY, "--send", "--yes")
    assert (code, "has 1 wei" in err, home.audited()) == (1, True, [])


def test_a_keystore_that_cannot_be_opened_sends_nothing(home, chain):
    (home.home / "password").write_text("wrong")
    code, _, err = chain("anchor", MONDAY, "--send", "--yes")
    assert (code, "wrong password, or damaged" in err, home.audited()) == (1, True, [])
    (home.home / "password").unlink()
    assert "no such file" in chain("anchor", MONDAY)[2]
    (home.home / "sender.json").write_text("[]")
    assert "telefine: " in chain("anchor", MONDAY)[2]


def test_no_word_of_the_node_shows_its_key(home, chain, monkeypatch, caplog):
    """Neither when the connection fails, nor when the node repeats the URL, nor in a log of everything."""
    caplog.set_level(logging.DEBUG)
    home.server.failing["eth_getCode"] = "before"
    assert "no answer from the node (HTTPError)" in chain("set-root")[2]
    home.server.failing.clear()
    home.server.refusing["eth_call"] = f"no key {API_KEY} at /v2/{API_KEY}"
    assert "no key ********** at /v2/**********" in chain("status")[2]
    monkeypatch.setenv("TELEFINE_CHAIN__RPC_URL", f"http://127.0.0.1:9/v2/{API_KEY}")
    code, _, err = chain("status")
    assert (code, "no answer from the node (ConnectionError)" in err) == (1, True)
    monkeypatch.delenv("TELEFINE_CHAIN__RPC_URL")
    assert "set TELEFINE_CHAIN__RPC_URL" in chain("status")[2]
    assert API_KEY not in caplog.text
