"""A day whose attestation was revoked and issued again is paid once, whichever of both it is paid by."""

import pytest

from telefine_assets.attestation.attesting import attest_claim, claim_of
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import LedgerError
from telefine_assets.ledger.mint_requests import MintRequests
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.payouts.paying import Books, pay_attested
from telefine_assets.programs.champions import promote_day
from telefine_assets_tests.attestation.test_reissued import reissued
from telefine_assets_tests.cli.attested_home import ALICE, BOB, KEY, MONDAY, NOON, PaidHome, evidence_of


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    made = PaidHome(tmp_path)
    yield made
    made.ledger.close()


def issue_again(home, promoted=True):
    """Attest Monday; returns its uid, and the evidence from which it is issued again with a smaller gain."""
    if not promoted:
        home._promote = lambda day, verified: None
    first = home.attest(MONDAY, [ALICE, BOB])
    files = evidence_of(MONDAY, [ALICE, BOB])
    again = reissued(files, claim_of("triage", MONDAY, files))
    return first, again


def revoked_and_signed(home, first, again):
    home.revoke(first, "a forged wallet")
    return attest_claim(home.attester(again), claim_of("triage", MONDAY, again)).verified


def paid_by(home, verified, hindrance=None):
    """The records of champion and payout that the day's stages would write."""
    champion = promote_day("triage", MONDAY, verified, Champions(home.ledger), NOON, hindrance)
    books = Books(Payouts(home.ledger), home.evidence.put, home.evidence.get)
    settings = home.settings.programs["triage"].payout
    return champion, pay_attested("triage", MONDAY, verified, champion, settings, books, hindrance)


def payouts_of(home):
    found = {uid: Payouts(home.ledger).of(uid) for uid in home.uids}
    return [uid for uid, payout in found.items() if payout is not None]


@pytest.mark.parametrize("promoted", [True, False])
def test_what_was_not_paid_yet_is_paid_by_what_was_issued_again(home, promoted):
    first, again = issue_again(home, promoted)
    verified = revoked_and_signed(home, first, again)
    home.uids = (first, verified.uid)
    for _ in range(2):
        champion, payout = paid_by(home, verified)
        assert (champion["outcome"], champion["attestation"]) == ("promoted", verified.uid)
        assert (payout["outcome"], payout["attestation"]) == ("planned", verified.uid)
    assert payouts_of(home) == [verified.uid]
    assert len(Champions(home.ledger).history("triage")) == 1


def test_what_was_paid_stands_and_nothing_is_added(home):
    first, again = issue_again(home)
    before = home.pay(MONDAY)
    verified = revoked_and_signed(home, first, again)
    home.uids = (first, verified.uid)
    _, payout = paid_by(home, verified)
    assert "what was paid stands, nothing is added" in payout["reason"]
    assert {**payout, "reason": before["reason"]} == before
    assert payouts_of(home) == [first]


@pytest.mark.parametrize("paid_before", [True, False])
def test_where_what_was_issued_again_is_revoked_too_nothing_new_is_paid_and_the_rest_stands(home, paid_before):
    verified = revoked_and_signed(home, *issue_again(home))
    paid = paid_by(home, verified)[1] if paid_before else None
    champion, payout = paid_by(home, verified, "revoked: it was wrong again")
    assert (champion["outcome"], champion["serves"]) == ("promoted", verified.claim.candidate_version)
    assert "wrong again" in champion["reason"]
    assert payout == paid if paid_before else payout["outcome"] == "nothing_to_pay"


def test_of_both_one_may_be_minted_for(home):
    first, again = issue_again(home)
    book = MintRequests(home.ledger)
    book.record(first, "0x1")
    verified = revoked_and_signed(home, first, again)
    with pytest.raises(LedgerError, match="mint for the same gain again"):
        book.record(verified.uid, "0x2", verified.claim.replaces)
    with pytest.raises(LedgerError, match="promoted nothing"):
        book.record(verified.uid, "0x2")
