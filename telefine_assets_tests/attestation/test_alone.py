"""Of a program and a day one attestation is in force, whoever signs, prepares, or was cut off at the same time."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Barrier

import pytest

from telefine_assets.attestation.alone import NotAlone
from telefine_assets.attestation.attesting import attest_claim, claim_of
from telefine_assets.attestation.log_receipt import LEAF_KIND
from telefine_assets.attestation.log_writing import say
from telefine_assets.ledger.attested import AttestedDays, turn_of
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.ledger.turns import turn
from telefine_assets_tests.attestation.logs import SECOND, admit, retire
from telefine_assets_tests.cli.attested_home import (
    ALICE,
    BOB,
    KEY,
    MONDAY,
    NOON,
    SIGNER,
    TUESDAY,
    PaidHome,
    evidence_of,
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    made = PaidHome(tmp_path)
    made.attest(TUESDAY, [ALICE])
    yield made
    made.ledger.close()


def attested(home):
    """Uids of all leaves of attestations that have an effect, oldest first."""
    lines = home.trust().state().lines
    return [line.what for line in lines if line.kind == LEAF_KIND and line.void is None]


def cut_off(home, contributors, day=MONDAY):
    """Sign and log a day as a process does that dies before it writes the day's record; returns the uid."""
    files = evidence_of(day, contributors)
    return attest_claim(home.attester(files), claim_of("triage", day, files)).verified.uid


def test_two_who_sign_at_once_leave_one_in_force(home):
    """Both have seen that nobody else is there before either writes."""
    both = Barrier(2)

    class Together(AttestedDays):
        def append_at(self, position, leaf, what):
            if self.first:
                self.first = False
                both.wait(20)
            return super().append_at(position, leaf, what)

    def sign(contributors):
        files = evidence_of(MONDAY, contributors)
        with closing(Ledger(home.settings.ledger.url)) as ledger:
            days = Together(ledger, lambda: NOON)
            days.first = True
            trust = replace(home.trust(), leaves=LogLeaves(ledger))
            attester = replace(home.attester(files), trust=trust, days=days)
            try:
                return attest_claim(attester, claim_of("triage", MONDAY, files)).verified.uid
            except NotAlone as refused:
                return str(refused)

    with ThreadPoolExecutor(2) as threads:
        uid, refused = sorted(threads.map(sign, ([ALICE], [BOB])), key=len)
    assert attested(home)[1:] == [uid]
    assert f"{uid} of triage {MONDAY} is in the log, and in force" in refused
    assert f"telefine attest revoke {uid} --reason REASON" in refused


def test_what_was_cut_off_before_its_record_is_known_by_the_ledger_alone(home):
    first = cut_off(home, [ALICE])
    with pytest.raises(NotAlone, match=first):
        home.attest(MONDAY, [BOB])
    assert cut_off(home, [ALICE]) == first
    assert len(attested(home)) == 2
    # Nobody was ever handed it: once it is revoked, the day is attested as it is by now.
    home.revoke(first)
    second = home.attest(MONDAY, [BOB])
    assert attested(home)[1:] == [first, second]
    # And the evidence of the one that was cut off brings it back no more.
    with pytest.raises(NotAlone, match=second):
        cut_off(home, [ALICE])
    rows = Audit(home.ledger).rows(action="attested")
    assert [(row.subject, row.details["day"], row.details["position"]) for row in rows[1:]] == [
        (first, MONDAY, 2),
        (second, MONDAY, 4),
    ]


def test_what_was_revoked_is_issued_again_and_not_anew(home):
    first = home.attest(MONDAY, [ALICE])
    home.revoke(first)
    files, before = evidence_of(MONDAY, [BOB]), home.records.read("triage", "attestations", MONDAY)
    with pytest.raises(NotAlone, match=f"does not replace it. Prepare it again with: telefine attest reissue {first}"):
        attest_claim(home.attester(files), claim_of("triage", MONDAY, files), before)
    home.prepare_again(MONDAY)
    second = home.sign_again(MONDAY)
    assert attested(home)[1:] == [first, second]


def test_other_days_programs_and_keys_that_leaked_stand_in_nobodys_way(home):
    first = cut_off(home, [ALICE])
    trust = home.trust()
    # Its signer is trusted at its place no more: it is in force nowhere.
    size = trust.state().size
    say(trust.leaves, trust.origin, SIGNER, lambda _: [admit(SECOND), retire(SIGNER, untrusted_from=size - 1)])
    files = evidence_of(MONDAY, [BOB])
    second = attest_claim(home.attester(files, SECOND), claim_of("triage", MONDAY, files)).verified.uid
    other = evidence_of(MONDAY, [BOB], "routing")
    third = attest_claim(home.attester(other, SECOND), claim_of("routing", MONDAY, other)).verified.uid
    days = AttestedDays(home.ledger, lambda: NOON)
    assert (days.of("triage", MONDAY), days.of("routing", MONDAY)) == ([first, second], [third])


def test_who_prepares_waits_for_who_signs_and_then_sees_that_it_was_done(home):
    first = home.attest(MONDAY, [ALICE, BOB])
    home.revoke(first)
    home.prepare_again(MONDAY)
    prepared = home.records.read("triage", "reissues", MONDAY)
    command = [sys.executable, "-m", "telefine_assets.cli.main", "attest", "reissue", first, "--reason", "other words"]
    environment = os.environ | {"TELEFINE_CONFIG": str(home.home / "telefine.yaml"), "PYTHONUNBUFFERED": "1"}
    with turn(home.ledger, turn_of("triage"), 1, print):
        other = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert "waiting for a turn at 'attesting triage'" in other.stdout.readline()
        second = home.sign_again(MONDAY)
    _, said = other.communicate(timeout=60)
    assert (other.returncode, f"{first} was issued again already, as {second}" in said) == (1, True), said
    assert home.records.read("triage", "reissues", MONDAY) == prepared
    assert attested(home)[1:] == [first, second]
