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


def test_each_step_is_told_as_json(home, chain):
    def ask(*arguments):
        code, out, err = chain(*arguments, "--json")
        return code, json.loads(out) if out else None, err

    code, found, _ = ask("anchor", home.uid)
    assert (code, found["transaction"], found["dry_run"]["from"], home.sent()) == (0, None, home.sender, 0)
    assert int(found["dry_run"]["likely_cost"]) <= int(found["dry_run"]["most_cost"])
    code, found, err = ask("anchor", home.uid, "--send")
    assert (code, found, "--yes" in err, home.sent()) == (1, None, True, 0)
    code, found, err = ask("anchor", home.uid, "--send", "--yes")
    (receipt,) = home.receipts()
    assert (code, found["transaction"], "is anchored since" in found["standing"]) == (0, receipt["transaction"], True)
    assert f"sent: {receipt['transaction']}" in err
    assert ask("anchor", home.uid, "--send", "--yes")[1] == found | {"transaction": None, "receipt": None}
    code, found, _ = ask("status")
    anchored = {each["uid"]: each["anchored"] is not None for each in found["attestations"]}
    assert (code, len(anchored), anchored[home.uid]) == (0, 2, True)
    owed = {name: found["distributor"][name] for name in ("claimed", "owed", "held", "epoch")}
    assert owed == {"claimed": "0", "owed": str(ALICES), "held": str(10 * POOL), "epoch": 0}


def test_a_distributor_that_holds_too_little_is_named(home, chain, monkeypatch):
    empty = home.evm.deploy("distributor", home.token.address, home.sender)
    monkeypatch.setenv("TELEFINE_CHAIN__DISTRIBUTORS", json.dumps({"triage": empty.address}))
    assert f"held 0: {ALICES} short, fund it first" in chain("status")[1]
