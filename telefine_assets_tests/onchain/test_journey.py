"""The whole way on a real EVM: attested, anchored, published, claimed; an epoch skipped, both claimed."""

import json

from telefine_assets_tests.cli.attested_home import ALICE, BOB, TUESDAY
from telefine_assets_tests.onchain.chain_home import POOL, SECRETS, run

ALICES = POOL // 2 + 1


def claim(home, capsys, who):
    """Claim by what ``telefine payouts proof`` prints; a stranger pays the gas."""
    shown = json.loads(run(capsys, "payouts", "proof", who)[1])
    proof = [bytes.fromhex(each[2:]) for each in shown["proof"]]
    call = home.distributor.functions.claim(shown["address"], int(shown["total"]), proof)
    return home.evm.run(call, home.evm.stranger)


def test_attest_anchor_publish_claim_skip_an_epoch_and_claim_both(home, chain, capsys):
    assert chain("anchor", home.uid, "--send", "--yes")[0] == 0
    assert home.eas.functions.getTimestamp(bytes.fromhex(home.uid[2:])).call() > 0
    assert chain("set-root", "--send", "--yes")[0] == 0

    home.pay(TUESDAY)
    code, out, _ = chain("status")
    assert (code, f"epoch 1; the newest is {newest(home)}" in out) == (0, True)
    assert chain("set-root", "--send", "--yes")[0] == 0

    # Alice skipped Monday's epoch; Bob has his share of Tuesday only.
    claim(home, capsys, ALICE)
    claim(home, capsys, BOB)
    assert (home.balance(ALICE), home.balance(BOB)) == (ALICES, POOL)
    code, out, _ = chain("status")
    assert f"{home.uid} is anchored since " in out
    assert f"root {newest(home)}, epoch 2\n" in out
    assert f"claimed {ALICES + POOL}, left to claim 0, held {10 * POOL - ALICES - POOL}" in out

    kept = [(receipt["transaction"], receipt["status"], receipt["chainId"]) for receipt in home.receipts()]
    assert len({each[0] for each in kept}) == 3
    assert {each[1:] for each in kept} == {(1, str(home.evm.chain_id))}
    assert home.audited() == ["transaction sent", "transaction done"] * 3
    written = home.files()
    assert not [secret for secret in SECRETS for form in forms(secret) if form in written]


def newest(home):
    return home.records.read("triage", "contributor_payouts", TUESDAY)["root"]


def forms(secret):
    """A secret as text and, where it is a key, as bytes."""
    return [secret.encode(), *([bytes.fromhex(secret)] if len(secret) == 64 else [])]


def test_what_is_wanted_already_is_not_sent_again(home, chain):
    for step in (["anchor", home.uid], ["set-root"]):
        assert chain(*step, "--send", "--yes")[0] == 0
        before = home.sent()
        code, out, _ = chain(*step, "--send", "--yes")
        assert (code, "nothing to send" in out, home.sent()) == (0, True, before)


def test_a_distributor_that_holds_too_little_is_named(home, chain, monkeypatch):
    empty = home.evm.deploy("distributor", home.token.address, home.sender)
    monkeypatch.setenv("TELEFINE_CHAIN__DISTRIBUTORS", json.dumps({"triage": empty.address}))
    assert f"held 0: {ALICES} short, fund it first" in chain("status")[1]
