"""What stands of a day, by its records, their evidence and the log as it is now."""

from dataclasses import replace

import pytest

from telefine_assets.attestation.attesting import ATTESTED, AWAITING, REVOKED, reverify
from telefine_assets.attestation.bundle import AttestationBundle
from telefine_assets.attestation.cosigning import Cosignature, cosign, cosignature_leaf
from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.failures import VerificationFailed
from telefine_assets.attestation.files import EvidenceContradiction
from telefine_assets.attestation.log_writing import say as write
from telefine_assets.attestation.standing import CORRECTED, DayStanding, LogNow, standing_of_day
from telefine_assets.attestation.standing_shown import in_short, sentence_of, told_of
from telefine_assets.errors import TelefineError
from telefine_assets.ledger.cosignatures import Cosignatures
from telefine_assets.ledger.records import AuditEntry
from telefine_assets_tests.attestation.logs import SECOND, THIRD, admit, retire
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, NOON, SIGNER, TUESDAY, PaidHome


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


def say(home, signer, *said):
    trust = home.trust()
    write(trust.leaves, trust.origin, signer, lambda _: said)


def cosigned(home, signer):
    """A key's signature under Monday's attestation."""
    record = home.records.read("triage", "attestations", MONDAY)
    return cosign(
        Envelope.from_json(AttestationBundle.from_bytes(home.evidence.get(record["bundle"])).envelope), signer
    )


def log(home, uid, cosignature, entry):
    home.trust().leaves.append(entry, cosignature_leaf(uid, cosignature))


def keep(home, uid, cosignature):
    signature = cosignature.signature
    audited = AuditEntry(cosignature.signer, "cosigned", uid, {}), NOON
    Cosignatures(home.ledger).add(uid, cosignature.signer, (signature.v, signature.r, signature.s), audited)


def in_force(home, **trust):
    """Whether the day's attestation is shown as in force, which a verifier must confirm."""
    record = home.records.read("triage", "attestations", MONDAY)
    try:
        passes = reverify(record, replace(home.trust(), **trust), home.evidence.find).outcome == ATTESTED
    except VerificationFailed:
        passes = False
    found = standing(home, **trust)
    assert (found.in_force is not None) == passes
    return passes


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
    say(home, SIGNER, admit(SECOND), retire(SIGNER, untrusted_from=1))
    found = standing(home)
    assert (found.code, found.in_force, outcomes(found)) == (AWAITING, None, [REVOKED, AWAITING])
    assert [(each.signer, each.log_index) for each in found.issued] == [(SIGNER.address, 1), (SIGNER.address, 3)]
    assert sentence_of(found).endswith("which awaits signatures. No claim is in force for this day.")


def test_cosigners_alone_put_nothing_in_force_whose_own_key_leaked(home):
    uid = home.attest(MONDAY, [ALICE, BOB])
    say(home, SIGNER, admit(SECOND))
    cosignature = cosigned(home, SECOND)
    log(home, uid, cosignature, "cosigned")
    keep(home, uid, cosignature)
    assert in_force(home)
    say(home, SECOND, retire(SIGNER, untrusted_from=1))
    assert not in_force(home)
    assert (standing(home).code, told_of(standing(home))["in_force"]) == (AWAITING, None)


def test_a_leaf_of_a_cosignature_counts_only_if_that_key_signed_and_once(home):
    uid = home.attest(MONDAY, [ALICE, BOB])
    trusted = {"required": 2, "attesters": frozenset({SIGNER.address, SECOND.address})}
    say(home, SIGNER, admit(SECOND), admit(THIRD))
    # Whoever writes the log can write such leaves, in another's name or with a key that nobody named.
    forged = Cosignature(SECOND.address, cosigned(home, THIRD).signature)
    for number, cosignature in enumerate((forged, cosigned(home, THIRD), cosigned(home, SIGNER))):
        log(home, uid, cosignature, f"cosigned {number}")
        assert not in_force(home, **trusted)
    cosignature = cosigned(home, SECOND)
    log(home, uid, cosignature, "cosigned")
    assert not in_force(home, **trusted)
    keep(home, uid, cosignature)
    assert in_force(home, **trusted)
    assert not in_force(home, required=3, attesters=trusted["attesters"] | {THIRD.address})


def test_a_record_that_names_another_leaf_puts_nothing_in_force(home):
    home.attest(MONDAY, [ALICE, BOB])
    home.attest(TUESDAY, [ALICE])
    record = home.records.read("triage", "attestations", MONDAY)
    for position in (0, 2, 9):
        home.records.write("triage", "attestations", MONDAY, record | {"log_index": position})
        assert standing(home).code == AWAITING
    home.records.write("triage", "attestations", MONDAY, record)
    assert in_force(home)
