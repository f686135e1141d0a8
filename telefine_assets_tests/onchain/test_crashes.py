"""A run that dies is taken up by the next: one transaction, one receipt."""

import pytest

from telefine_assets_tests.cli.attested_home import MONDAY

STEPS = (["anchor", MONDAY], ["set-root"])
SENT, DONE = "transaction sent", "transaction done"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("method", "when", "audited"),
    [
        # It never left, or left in vain: it is sent anew.
        ("eth_sendRawTransaction", "before", [SENT, SENT, DONE]),
        # It left, and the answer was lost; or the run died while waiting.
        ("eth_sendRawTransaction", "after", [SENT, DONE]),
        ("eth_getTransactionReceipt", "before", [SENT, DONE]),
    ],
)
def test_after_a_crash_the_same_command_ends_with_one_transaction_and_its_receipt(
    home, chain, step, method, when, audited
):
    home.server.failing[method] = when
    assert chain(*step, "--send", "--yes")[0] == 1
    assert home.audited() == [SENT]
    home.server.failing.clear()
    code, out, _ = chain(*step, "--send", "--yes")
    assert (code, "its receipt is evidence" in out) == (0, True)
    assert (home.sent(), home.audited(), len(home.receipts())) == (1, audited, 1)


def test_a_transaction_that_waits_is_waited_for_and_nothing_is_sent_beside_it(home, chain):
    home.evm.tester.disable_auto_mine_transactions()
    code, _, err = chain("anchor", MONDAY, "--send", "--yes", "--timeout", 1)
    assert (code, "is in no block after 1 s" in err) == (1, True)
    home.server.waiting = 1
    assert "--send waits for it" in chain("anchor", MONDAY)[1]
    code, _, err = chain("set-root", "--send", "--yes", "--timeout", 1)
    assert (code, "waits for its block" in err) == (1, True)
    home.server.waiting = 0
    home.evm.tester.mine_block()
    home.evm.tester.enable_auto_mine_transactions()
    assert chain("anchor", MONDAY, "--send", "--yes")[0] == 0
    assert (home.sent(), home.audited()) == (1, [SENT, DONE])


def test_a_transaction_that_failed_is_kept_as_evidence_and_the_next_run_sends_anew(home, chain):
    """The node named too little gas: the transaction is run, does nothing, and costs its gas."""
    home.server.answers["eth_estimateGas"] = hex(22_000)
    code, _, err = chain("anchor", MONDAY, "--send", "--yes")
    assert (code, "is in a block, but failed" in err) == (1, True)
    (receipt,) = home.receipts()
    assert (receipt["status"], receipt["logs"], receipt["from"]) == (0, [], home.sender)
    home.server.answers.clear()
    assert chain("anchor", MONDAY, "--send", "--yes")[0] == 0
    assert home.audited() == [SENT, "transaction failed", SENT, DONE]


def test_a_receipt_without_the_event_proves_nothing(home, chain):
    home.server.without_logs = True
    code, _, err = chain("set-root", "--send", "--yes")
    assert (code, "failed" in err, home.audited()) == (1, True, [SENT, "transaction failed"])


def test_the_receipt_of_another_transaction_is_not_kept(home, chain):
    chain("anchor", MONDAY, "--send", "--yes")
    (first,) = home.receipts()
    asked = {"id": 1, "method": "eth_getTransactionReceipt", "params": [first["transaction"]]}
    home.server.answers["eth_getTransactionReceipt"] = home.server.answer(asked)["result"]
    code, _, err = chain("set-root", "--send", "--yes")
    assert (code, "another receipt" in err, home.audited()) == (1, True, [SENT, DONE, SENT])
