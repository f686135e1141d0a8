"""A deployment's own attestations: written once whatever happens, and judged by its log as it is now."""

import json
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import pytest

from telefine_assets.attestation.attesting import (
    ATTESTED,
    AWAITING,
    ERASED,
    NOT_REACHED,
    REVOKED,
    Attester,
    attest_claim,
    attest_records,
    claim_of,
    reverify,
)
from telefine_assets.attestation.cosigning import cosign, cosignature_leaf
from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.failures import VerificationFailed
from telefine_assets.attestation.files import LOOKS, ROWS
from telefine_assets.attestation.log_records import Erasure, Revocation
from telefine_assets.attestation.log_writing import RecordRefused, begin, say
from telefine_assets.attestation.replay import replay
from telefine_assets.attestation.trust import Trust
from telefine_assets.canonical import sha256_hex
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.log import LogLeaves
from telefine_assets_tests.attestation.example import ATTESTER, DOMAIN, STRANGER
from telefine_assets_tests.attestation.logs import SECOND, THIRD, MemoryDays, MemoryLeaves, admit, retire
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, evidence_of

# The deployment whose evidence this is.
ORIGIN = "paid"
FILES = evidence_of(MONDAY, [ALICE, BOB])
CLAIM = claim_of("triage", MONDAY, FILES)
STAGES = ("compiled_programs", "deltaone_reports", "contributor_weights")


class Kept(dict):
    """Cosignatures in memory."""

    def of(self, uid):
        return self.get(uid, [])


class Deployment:
    """A log, cosignatures, evidence, and who signs."""

    def __init__(self, leaves=None, **required):
        self.leaves, self.kept = leaves or MemoryLeaves(), Kept()
        self.evidence = {sha256_hex(content): content for content in FILES.values()}
        self.trust = Trust(DOMAIN, ORIGIN, self.leaves, self.kept, **required)
        self.days = MemoryDays(self.leaves)

    def attester(self, signer=ATTESTER):
        def put(content):
            self.evidence[sha256_hex(content)] = content
            return sha256_hex(content)

        looks = json.loads(FILES[LOOKS])
        return Attester(
            self.trust,
            self.days,
            lambda: signer,
            lambda program, key: looks,
            lambda facts: None,
            put,
            self.evidence.get,
        )

    def attest(self, signer=ATTESTER, before=None, reached=True):
        """The record that the asset would write."""
        evidence = {name: sha256_hex(content) for name, content in FILES.items()}
        records = {stage: {"evidence": evidence, "reached": reached, "sentence": "so it is"} for stage in STAGES}
        return attest_records(self.attester(signer), "triage", MONDAY, records, before)

    def say(self, signer, *said):
        return say(self.leaves, ORIGIN, signer, lambda state: list(said))

    def cosign(self, record, signer):
        """Take in a cosignature as the command does."""
        envelope = Envelope.from_json(json.loads(self.evidence[record["bundle"]])["envelope"])
        cosignature = cosign(envelope, signer)
        signature = cosignature.signature
        self.leaves.append(f"cosigned by {signer.address}", cosignature_leaf(record["uid"], cosignature))
        row = (signer.address, signature.v, signature.r, signature.s)
        self.kept[record["uid"]] = [*self.kept.of(record["uid"]), row]

    def standing(self, record):
        return reverify(record, self.trust, self.evidence.get)


def test_the_first_attestation_begins_the_log_and_a_rerun_adds_nothing():
    deployment = Deployment()
    record = deployment.attest()
    assert (record["outcome"], record["log_index"]) == (ATTESTED, 1)
    lines = deployment.trust.state().lines
    assert [line.what for line in lines] == [f"admit {ATTESTER.address}", record["uid"]]
    assert deployment.attest() == deployment.attest(before=record) == record
    assert len(deployment.leaves.leaves()) == 2


def test_without_deltaone_nothing_is_signed_or_logged():
    deployment = Deployment()
    record = deployment.attest(reached=False)
    assert (record["outcome"], deployment.leaves.leaves()) == (NOT_REACHED, [])
    assert deployment.standing(record).verified is None


def test_a_key_that_the_log_does_not_know_signs_nothing():
    deployment = Deployment()
    deployment.attest()
    with pytest.raises(RecordRefused, match=r"is no good key of log .* telefine attest rotate"):
        deployment.attest(STRANGER)
    assert len(deployment.leaves.leaves()) == 2


def test_after_a_rotation_what_the_old_key_signed_stands_and_is_kept():
    deployment = Deployment()
    record = deployment.attest()
    deployment.say(ATTESTER, admit(SECOND), retire(ATTESTER))
    assert deployment.standing(record).outcome == ATTESTED
    assert deployment.attest(SECOND, before=record) == record
    with pytest.raises(RecordRefused, match="no good key"):
        deployment.attest(ATTESTER)
    assert len(deployment.leaves.leaves()) == 4


def test_what_was_signed_after_a_leak_is_signed_again_by_a_good_key_under_the_same_uid():
    deployment = Deployment()
    record = deployment.attest()
    deployment.say(ATTESTER, admit(SECOND), retire(ATTESTER, untrusted_from=1))
    with pytest.raises(VerificationFailed, match="untrusted_signer"):
        deployment.standing(record)
    again = deployment.attest(SECOND, before=record)
    assert (again["uid"], again["signer"], again["log_index"]) == (record["uid"], SECOND.address, 4)
    assert deployment.standing(again).outcome == ATTESTED


def test_who_cosigned_before_a_leak_can_sign_again_and_is_one_attester_not_two():
    attesters = frozenset({ATTESTER.address, SECOND.address, THIRD.address})
    deployment = Deployment(required=2, attesters=attesters)
    begin(deployment.leaves, ORIGIN, ATTESTER)
    deployment.say(ATTESTER, admit(SECOND), admit(THIRD))
    record = deployment.attest()
    deployment.cosign(record, SECOND)
    assert deployment.standing(record).outcome == ATTESTED
    deployment.say(SECOND, retire(ATTESTER, untrusted_from=3))
    with pytest.raises(VerificationFailed, match="untrusted_signer"):
        deployment.standing(record)
    again = deployment.attest(SECOND, before=record)
    assert (again["uid"], again["signer"], again["outcome"]) == (record["uid"], SECOND.address, AWAITING)
    assert again["reason"].startswith("1 of 2 signatures count")
    deployment.cosign(again, THIRD)
    signed = deployment.attest(SECOND, before=again)
    assert signed["outcome"] == ATTESTED
    assert set(deployment.standing(signed).verified.signers) == {SECOND.address, THIRD.address}
    size = len(deployment.leaves.leaves())
    # Nor does a third key that cosigned stand in its own way, should the second one leak too.
    deployment.say(THIRD, retire(SECOND, untrusted_from=signed["log_index"]))
    last = deployment.attest(THIRD, before=signed)
    assert (last["signer"], last["outcome"], len(deployment.leaves.leaves())) == (THIRD.address, ATTESTED, size + 2)
    assert set(deployment.standing(last).verified.signers) == {SECOND.address, THIRD.address}


def test_a_revoked_attestation_is_still_known_but_nothing_may_rest_on_it():
    deployment = Deployment()
    record = deployment.attest()
    deployment.say(ATTESTER, Revocation(record["uid"], "wrong feedback"))
    standing = deployment.standing(record)
    assert (standing.outcome, standing.verified.uid) == (REVOKED, record["uid"])
    assert standing.hindrance.startswith("revoked: ")
    for again in (deployment.attest(before=record), deployment.attest()):
        assert (again["outcome"], again["uid"], again["bundle"]) == (REVOKED, record["uid"], record["bundle"])
    assert len(deployment.leaves.leaves()) == 3


def test_while_signatures_are_missing_it_waits_and_goes_on_when_they_came():
    attesters = frozenset({ATTESTER.address, SECOND.address})
    deployment = Deployment(required=2, attesters=attesters)
    begin(deployment.leaves, ORIGIN, ATTESTER)
    deployment.say(ATTESTER, admit(SECOND))
    record = deployment.attest()
    assert (record["outcome"], record["reason"][:6]) == (AWAITING, "1 of 2")
    assert deployment.standing(record).hindrance.startswith("awaiting_signatures: 1 of 2")
    envelope = Envelope.from_json(json.loads(deployment.evidence[record["bundle"]])["envelope"])
    cosignature = cosign(envelope, SECOND)
    signature = cosignature.signature
    deployment.kept[record["uid"]] = [(SECOND.address, signature.v, signature.r, signature.s)]
    assert deployment.standing(record).outcome == AWAITING
    deployment.leaves.append("cosigned", cosignature_leaf(record["uid"], cosignature))
    again = deployment.attest(before=record)
    assert again == record | {"outcome": ATTESTED, "reason": "so it is"}
    assert set(deployment.standing(again).verified.signers) == attesters


def test_a_log_whose_past_was_rewritten_supports_no_attestation():
    deployment = Deployment()
    record = deployment.attest()
    first = deployment.leaves.leaves(1)
    rewritten = Deployment(MemoryLeaves([*first, b"something else"]))
    with pytest.raises(VerificationFailed, match="log_inconsistent"):
        reverify(record, rewritten.trust, deployment.evidence.get)
    with pytest.raises(VerificationFailed, match="log_stale"):
        reverify(record, Deployment(MemoryLeaves(first)).trust, deployment.evidence.get)


def test_a_record_that_would_have_no_effect_is_not_written():
    deployment = Deployment()
    deployment.attest()
    for signer, said in ((STRANGER, admit(STRANGER)), (ATTESTER, retire(ATTESTER)), (ATTESTER, retire(THIRD))):
        with pytest.raises(RecordRefused, match="would have no effect"):
            deployment.say(signer, said)
    assert len(deployment.leaves.leaves()) == 2


class Crash(Exception):
    """The process ends here."""


class Crashing:
    """Leaves that crash before or after their n-th write."""

    def __init__(self, leaves, at, when):
        self._leaves, self._left, self._when = leaves, at, when
        self.leaves = leaves.leaves

    def _write(self, write, *arguments):
        self._left -= 1
        if self._left == 0 and self._when == "before":
            raise Crash
        done = write(*arguments)
        if self._left == 0:
            raise Crash
        return done

    def append(self, entry, leaf):
        return self._write(self._leaves.append, entry, leaf)

    def append_at(self, position, leaves):
        return self._write(self._leaves.append_at, position, leaves)


@pytest.fixture
def stored(tmp_path):
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        yield LogLeaves(ledger)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", [1, 2])
def test_a_crash_around_any_write_leaves_one_leaf_one_uid_and_the_same_bytes(stored, at, when):
    whole = attest_claim(Deployment().attester(), CLAIM).bundle.to_bytes()
    crashing = Deployment(Crashing(stored, at, when))
    with pytest.raises(Crash):
        attest_claim(crashing.attester(), CLAIM)
    deployment = Deployment(stored)
    for _ in range(2):
        assert attest_claim(deployment.attester(), CLAIM).bundle.to_bytes() == whole
    lines = deployment.trust.state().lines
    assert [line.void for line in lines] == [None, None]


def test_if_others_write_in_between_the_record_is_made_for_its_new_place(stored):
    class Busy:
        """Somebody's leaf comes in before each of the first two tries."""

        def __init__(self):
            self.leaves, self.append, self.tries = stored.leaves, stored.append, 0

        def append_at(self, position, leaves):
            self.tries += 1
            if self.tries <= 2:
                stored.append(f"other {self.tries}", b"other %d" % self.tries)
            return stored.append_at(position, leaves)

    begin(stored, ORIGIN, ATTESTER)
    state = say(Busy(), ORIGIN, ATTESTER, lambda state: [admit(SECOND)] if SECOND.address not in state.good else [])
    assert (state.good, state.lines[3].void) == ((ATTESTER.address, SECOND.address), None)


def test_who_can_never_write_says_so(stored):
    class Full:
        leaves, append_at = stored.leaves, staticmethod(lambda position, leaves: False)

    with pytest.raises(RecordRefused, match="others wrote to it"):
        begin(Full(), ORIGIN, ATTESTER)


def test_processes_that_rotate_and_attest_at_once_give_one_order_and_no_fork(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    orders = [("attest", url, "7"), ("attest", url, "8"), ("rotate", url, "4"), ("rotate", url, "5")]
    with closing(Ledger(url)) as ledger:
        begin(LogLeaves(ledger), ORIGIN, ATTESTER)
        command = [sys.executable, "-m", "telefine_assets_tests.attestation.log_worker"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        workers = [subprocess.Popen([*command, *order], **pipes) for order in orders]
        try:
            assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 4
            said = [None] * 4
            for worker in workers:
                worker.stdin.write("go\n")
                worker.stdin.flush()
            said = [json.loads(worker.communicate()[0]) for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
                worker.communicate()
        state = replay(LogLeaves(ledger).leaves(), ORIGIN)
    assert said[:2] == ["done", "done"]
    # Whoever rotated second found the first key retired already, and was told so.
    assert sorted(each[:4] for each in said[2:]) == ["Reco", "done"]
    records = [line for line in state.lines if "telefine.key" in line.kind]
    said = [(line.what.split()[0], line.void) for line in records]
    assert said == [("admit", None), ("admit", None), ("retire", None)]
    assert state.size == 1 + 16 + 2
    assert len(state.good) == 1
    assert len({line.what for line in state.lines}) == state.size


def test_only_the_named_attesters_count():
    deployment = Deployment(required=1, attesters=frozenset({SECOND.address}))
    assert deployment.attest()["outcome"] == AWAITING
    with pytest.raises(VerificationFailed, match="uid_mismatch"):
        deployment.standing(deployment.attest() | {"uid": "0x" + "1" * 64})
    assert replace(deployment.trust, attesters=frozenset()).log().policy.genesis == ATTESTER.address


def test_nothing_new_rests_on_an_attestation_of_which_evidence_was_erased():
    deployment = Deployment()
    record = deployment.attest()
    rows = sha256_hex(FILES[ROWS])
    deployment.say(ATTESTER, Erasure(f"0x{rows}", "asked by mail"))
    assert deployment.standing(record).hindrance is None
    del deployment.evidence[rows]
    standing = deployment.standing(record)
    assert (standing.outcome, [each.name for each in standing.verified.erased]) == (ERASED, [ROWS])
    assert standing.hindrance.startswith(f"{ERASED}: {ROWS} (sha256 {rows}), by the word of {ATTESTER.address}")
    # It can be taken back still.
    deployment.say(ATTESTER, Revocation(record["uid"], "wrong feedback"))
    assert deployment.standing(record).outcome == REVOKED
