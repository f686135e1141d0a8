"""A file of evidence may be missing only by a signed word in the log, said after the attestation; and that is told."""

from dataclasses import replace

import pytest

from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets.attestation.log_records import Erasure, read_record
from telefine_assets.attestation.replay import Void
from telefine_assets.attestation.verify import verify_bundle
from telefine_assets.attribution.facts import FACTS_FILE
from telefine_assets.attribution.records import RecordError
from telefine_assets.canonical import sha256_hex
from telefine_assets_tests.attestation.example import ATTESTER, NOW, STRANGER, recheck
from telefine_assets_tests.attestation.logs import CLAIM, EVIDENCE, POLICY, SECOND, THIRD, World, admit, retire
from telefine_assets_tests.attestation.test_snapshot import refused

DIGESTS = {file.name: file.sha256 for file in CLAIM.evidence}
GONE = next(name for name in DIGESTS if name != FACTS_FILE)


def erasure(name):
    return Erasure(f"0x{DIGESTS[name]}", "asked by mail")


def verify_without(world, bundle, *names, policy=POLICY, accept_erased=True):
    checked = world.check(policy)
    left = {digest: data for digest, data in EVIDENCE.items() if digest not in {DIGESTS[name] for name in names}}
    given = {"log": checked, "recheck_decision": recheck, "accept_erased": accept_erased}
    return verify_bundle(bundle, left, checked.policy, at=NOW, **given)


def test_an_erased_file_is_named_with_whose_word_it_is_and_the_rest_verifies():
    world = World.begun()
    bundle = world.attest()
    refused(lambda: verify_without(world, bundle, GONE), "evidence_missing", GONE)
    world.say(erasure(GONE), ATTESTER)
    found = verify_without(world, bundle, GONE)
    (erased,) = found.erased
    assert (erased.name, erased.sha256, erased.signer) == (GONE, DIGESTS[GONE], ATTESTER.address)
    assert (erased.position, erased.reason, found.unchecked) == (2, "asked by mail", ("decision",))
    assert found.weights == world.verify(bundle).weights


def test_nothing_is_valid_without_its_evidence_unless_the_verifier_accepts_the_word_for_it():
    """The word may follow in the next leaf, over files that never were: nobody can tell that from an honest one."""
    world = World.begun()
    made_up = tuple(
        each if each.name == FACTS_FILE else replace(each, sha256=sha256_hex(each.name.encode()))
        for each in CLAIM.evidence
    )
    bundle = world.attest(claim=replace(CLAIM, evidence=made_up))
    refused(lambda: verify_without(world, bundle, accept_erased=False), "evidence_missing")
    for each in made_up:
        world.say(Erasure(f"0x{each.sha256}", "asked by mail"), ATTESTER)
    with pytest.raises(VerificationFailed) as caught:
        verify_without(world, bundle, accept_erased=False)
    assert caught.value.code is FailureCode.EVIDENCE_ERASED
    gone = [each for each in made_up if each.name != FACTS_FILE]
    named = [f"{each.name} (sha256 {each.sha256}), by the word of {ATTESTER.address}" for each in gone]
    assert all(each in caught.value.detail for each in named)
    assert "position 3 of the log" in caught.value.detail
    assert verify_without(world, bundle).unchecked == ("decision",)


def test_what_a_thief_said_stops_counting_once_the_leak_is_told_and_a_good_key_can_say_it():
    world = World.begun()
    world.say(admit(SECOND), ATTESTER)
    bundle = world.attest()
    world.say(erasure(GONE), SECOND)
    assert verify_without(world, bundle, GONE).erased[0].signer == SECOND.address
    world.say(retire(SECOND, untrusted_from=3), ATTESTER)
    refused(lambda: verify_without(world, bundle, GONE), "evidence_missing", GONE)
    world.say(erasure(GONE), ATTESTER)
    (erased,) = verify_without(world, bundle, GONE).erased
    assert (erased.signer, erased.position, world.state().lines[-1].void) == (ATTESTER.address, 5, None)


def test_whoever_says_it_first_takes_nothing_from_who_says_it_later():
    """A thief who is first, or an attester who counts for fewer verifiers, cannot make an honest erasure void."""
    world = World.begun()
    for each in (SECOND, THIRD):
        world.say(admit(each), ATTESTER)
    world.say(erasure(GONE), THIRD)
    bundle = world.attest()
    refused(lambda: verify_without(world, bundle, GONE), "evidence_missing", GONE)
    world.say(erasure(GONE), THIRD)
    world.say(erasure(GONE), SECOND)
    assert [line.position for line in world.state().erased[DIGESTS[GONE]]] == [3, 5, 6]
    assert verify_without(world, bundle, GONE).erased[0].position == 5
    narrow = replace(POLICY, attesters=frozenset({ATTESTER.address, SECOND.address}))
    assert verify_without(world, bundle, GONE, policy=narrow).erased[0].position == 6
    world.say(retire(THIRD, untrusted_from=3), ATTESTER)
    assert verify_without(world, bundle, GONE).erased[0].position == 6


def test_what_an_honest_key_said_before_it_was_retired_stands():
    world = World.begun()
    world.say(admit(SECOND), ATTESTER)
    bundle = world.attest()
    world.say(erasure(GONE), SECOND)
    world.say(retire(SECOND), ATTESTER)
    assert verify_without(world, bundle, GONE).erased[0].signer == SECOND.address


def test_where_attesters_are_named_only_their_word_counts():
    world = World.begun()
    for each in (SECOND, THIRD):
        world.say(admit(each), ATTESTER)
    bundle = world.cosign(world.attest(), SECOND)
    world.say(erasure(GONE), THIRD)
    both = replace(POLICY, required=2, attesters=frozenset({ATTESTER.address, SECOND.address}))
    assert verify_without(world, bundle, GONE).erased[0].signer == THIRD.address
    refused(lambda: verify_without(world, bundle, GONE, policy=both), "evidence_missing", GONE)


def test_who_still_has_the_file_verifies_all_of_it():
    world = World.begun()
    bundle = world.attest()
    world.say(erasure(GONE), ATTESTER)
    assert (world.verify(bundle).erased, world.verify(bundle).unchecked) == ((), ())


def test_nobody_attests_over_what_was_erased_before():
    world = World.begun()
    world.say(erasure(GONE), ATTESTER)
    bundle = world.attest()
    refused(lambda: verify_without(world, bundle, GONE), "evidence_missing", GONE)


def test_a_strangers_word_is_none():
    world = World.begun()
    bundle = world.attest()
    world.say(erasure(GONE), STRANGER)
    assert world.state().lines[-1].void is Void.SIGNER_NOT_GOOD
    refused(lambda: verify_without(world, bundle, GONE), "evidence_missing", GONE)
    assert world.state().erased == {}


def test_the_facts_of_the_weights_are_never_missing():
    world = World.begun()
    bundle = world.attest()
    world.say(erasure(FACTS_FILE), ATTESTER)
    refused(lambda: verify_without(world, bundle, FACTS_FILE), "evidence_missing", FACTS_FILE)


def test_a_record_is_read_as_it_was_written():
    world = World.begun()
    world.say(erasure(GONE), ATTESTER)
    record = read_record(world.leaves[-1])
    assert (record.said, record.is_signed(), record.leaf()) == (erasure(GONE), True, world.leaves[-1])
    assert world.state().lines[-1].what == f"erase 0x{DIGESTS[GONE]}"


@pytest.mark.parametrize(("file", "reason"), [("1" * 64, "why"), (f"0x{'1' * 63}", "why"), (f"0x{'1' * 64}", " ")])
def test_a_record_of_no_file_or_without_a_reason_is_refused(file, reason):
    with pytest.raises(RecordError, match=r"record\.(file|reason)"):
        Erasure(file, reason)
