"""What stands of a day, by its records, their evidence and the log as it is now."""

from dataclasses import replace

import pytest

from telefine_assets.attestation.attesting import ATTESTED, AWAITING, REVOKED
from telefine_assets.attestation.files import EvidenceContradiction
from telefine_assets.attestation.log_writing import say
from telefine_assets.attestation.standing import CORRECTED, DayStanding, LogNow, standing_of_day
from telefine_assets.attestation.standing_shown import in_short, sentence_of, told_of
from telefine_assets.errors import TelefineError
from telefine_assets_tests.attestation.logs import SECOND, admit, retire
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, SIGNER, TUESDAY, PaidHome


@pytest.fixture
def home(tmp_path):
    made = PaidHome(tmp_path)
    yield made
    made.ledger.close()


def standing(home, day=MONDAY, program="triage", **trust):
    now = LogNow.of(replace(home.trust(), **trust), home.ledger)
    return standing_of_day(home.records, program, day, now, home.evidence.get)


def outcomes(found):
    return [each.outcome for each in found.issued]


def test_of_two_programs_and_two_days_each_stands_for_itself(home):
    first = home.attest(MONDAY, [ALICE, BOB])
    home.attest(TUESDAY, [ALICE])
    other = home.attest(MONDAY, [ALICE, BOB], program="routing")
    home.revoke(first)
    home.prepare_again(MONDAY)
    again = home.sign_again(MONDAY)
    found = standing(home)
    assert (found.code, found.in_force.uid, outcomes(found)) == (CORRECTED, again, [REVOKED, ATTESTED])
    assert found.issued[0].replaced_by == again
    for beside in (standing(home, TUESDAY), standing(home, program="routing")):
        assert (beside.code, beside.amended, sentence_of(beside), in_short(beside)) == (ATTESTED, False, "", "")
    assert standing(home, program="routing").in_force.uid == other
    assert standing(home, "2026-11-09") == DayStanding()


def test_what_a_look_found_stays_whatever_is_revoked_and_issued_again(home):
    uids = [home.attest(MONDAY, [ALICE, BOB])]
    seen = [standing(home).issued[0].claim]
    for lost in (3, 2):
        home.revoke(uids[-1], f"{lost} labels")
        assert (standing(home).code, standing(home).in_force, standing(home).prepared) == (REVOKED, None, None)
        prepared = home.prepare_again(MONDAY, lost, f"again for {lost}")
        assert told_of(standing(home))["prepared"]["uid"] == prepared
        uids.append(home.sign_again(MONDAY))
        found = standing(home)
        assert (found.prepared, found.in_force.uid, found.issued[0].claim) == (None, uids[-1], seen[0])
    assert [each.uid for each in found.issued] == uids
    assert [each.why for each in found.issued] == [None, "again for 3", "again for 2"]
    assert [each.revoked and each.revoked.reason for each in found.issued] == ["3 labels", "2 labels", None]
    gains = [each.claim.decision.delta_ppm for each in found.issued]
    assert gains == sorted(gains, reverse=True) and len({*gains}) == 3
    home.revoke(uids[-1])
    # Less than a point is no DeltaOne, and leaves nothing prepared.
    with pytest.raises(EvidenceContradiction, match="below_threshold"):
        home.prepare_again(MONDAY, 48)
    told = told_of(standing(home))
    assert (told["code"], told["in_force"], outcomes(standing(home))) == (REVOKED, None, [REVOKED] * 3)
    assert told["prepared"] is None
    # What was prepared, signed, cut off before its record and revoked is not to be signed any more.
    attested = home.records.read("triage", "attestations", MONDAY)
    prepared = home.prepare_again(MONDAY, 1, "fourth")
    home.sign_again(MONDAY)
    home.records.write("triage", "attestations", MONDAY, attested)
    assert standing(home).prepared["uid"] == prepared
    home.revoke(prepared)
    assert (standing(home).prepared, standing(home).in_force) == (None, None)
    # The record of what was prepared says where the bundles are that no other record names.
    reissues = home.records.read("triage", "reissues", MONDAY)
    home.records.write("triage", "reissues", MONDAY, reissues | {"replaced": []})
    with pytest.raises(TelefineError, match="restore the records of reissues"):
        standing(home)


def test_a_key_that_leaked_or_a_signature_that_is_missing_puts_nothing_in_force(home):
    first = home.attest(MONDAY, [ALICE, BOB])
    both = frozenset({SIGNER.address, SECOND.address})
    waiting = standing(home, required=2, attesters=both)
    assert (waiting.code, waiting.in_force, waiting.amended) == (AWAITING, None, False)
    home.revoke(first)
    home.prepare_again(MONDAY)
    home.sign_again(MONDAY)
    trust = home.trust()
    say(trust.leaves, trust.origin, SIGNER, lambda _: [admit(SECOND), retire(SIGNER, untrusted_from=1)])
    found = standing(home)
    assert (found.code, found.in_force, outcomes(found)) == (AWAITING, None, [REVOKED, AWAITING])
    assert [(each.signer, each.log_index) for each in found.issued] == [(SIGNER.address, 1), (SIGNER.address, 3)]
    assert sentence_of(found).endswith("which awaits signatures. No claim is in force for this day.")
