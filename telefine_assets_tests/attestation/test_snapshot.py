"""An attestation with the whole log: keys that came and went, revocations, heads that are old or rewritten, m of n."""

from dataclasses import replace

import pytest

from telefine_assets.attestation.bundle import attest
from telefine_assets.attestation.claim import partition_time
from telefine_assets.attestation.cosigning import cosign
from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.failures import VerificationFailed
from telefine_assets.attestation.log import MerkleLog, leaf_hash, verify_consistency
from telefine_assets.attestation.policy import Pin, SignerPolicy, TrustedSigner
from telefine_assets.attestation.signatures import Signature
from telefine_assets.attestation.snapshot import Snapshot, check_snapshot
from telefine_assets.attribution.records import RecordError
from telefine_assets_tests.attestation.example import ATTESTER, DAY, DOMAIN, STRANGER
from telefine_assets_tests.attestation.logs import (
    CLAIM,
    OTHER,
    POLICY,
    SECOND,
    THIRD,
    World,
    admit,
    another_claim,
    cosigned,
    retire,
)

ALL = frozenset({ATTESTER.address, SECOND.address, THIRD.address})


def refused(do, code, *words):
    with pytest.raises(VerificationFailed) as error:
        do()
    assert error.value.code == code, error.value
    for word in words:
        assert word in error.value.detail


def rotated():
    """A log whose first key attested, was replaced, and whose second key attested."""
    world = World.begun()
    old = world.attest()
    world.say(admit(SECOND), ATTESTER)
    world.say(retire(ATTESTER), ATTESTER)
    return world, old, world.attest(SECOND)


def test_after_a_rotation_attestations_of_both_keys_verify():
    world, old, new = rotated()
    assert [world.verify(each).log_index for each in (old, new)] == [1, 4]
    assert [world.verify(each).unchecked for each in (old, new)] == [(), ()]


def test_a_snapshot_says_the_same_after_it_was_a_file():
    snapshot = rotated()[0].snapshot()
    assert Snapshot.from_bytes(snapshot.to_bytes()) == snapshot
    refused(lambda: Snapshot.from_bytes(b"{"), "log_malformed")


def test_what_a_retired_or_foreign_key_attests_is_refused():
    world, *_ = rotated()
    late, foreign = world.attest(ATTESTER), world.attest(STRANGER)
    refused(lambda: world.verify(late), "untrusted_signer", ATTESTER.address, "position 5")
    refused(lambda: world.verify(foreign), "untrusted_signer", STRANGER.address)
    fronted = world.attest(SECOND, head_by=ATTESTER)
    refused(lambda: world.verify(fronted), "log_head_untrusted", ATTESTER.address, "position 7")


def test_what_a_leaked_key_attested_after_the_leak_is_refused_and_before_it_passes():
    world = World.begun()
    before, after = world.attest(), world.attest(claim=another_claim(1))
    world.say(admit(SECOND), ATTESTER)
    assert world.verify(after)
    world.say(retire(ATTESTER, untrusted_from=2), SECOND)
    assert world.verify(before)
    refused(lambda: world.verify(after), "untrusted_signer", "position 2")


def test_a_revocation_is_seen_by_everybody_who_has_the_log():
    world = World.begun()
    bundle = world.attest()
    assert world.verify(bundle)
    world.revoke(bundle, STRANGER)
    assert world.verify(bundle)
    world.revoke(bundle)
    refused(lambda: world.verify(bundle), "revoked")


def test_time_is_judged_with_a_log_too():
    world = World.begun()
    bundle = world.attest()
    refused(lambda: world.verify(bundle, at=partition_time(DAY) - 1), "not_yet_valid")


@pytest.mark.parametrize("changes", [{"chain_id": 1}, {"verifying_contract": "0x" + "1" * 40}, {"version": "1.4.0"}])
def test_another_chain_or_contract_is_refused(changes):
    world = World.begun()
    bundle = world.attest()
    policy = replace(POLICY, domain=replace(DOMAIN, **changes))
    refused(lambda: world.verify(bundle, policy), "wrong_domain")


def test_the_log_must_be_the_pinned_one():
    world = World.begun()
    refused(lambda: world.check(replace(POLICY, genesis=SECOND.address)), "log_genesis_untrusted", SECOND.address)
    refused(lambda: world.check(replace(POLICY, genesis=None, require_log=False)), "log_genesis_untrusted")
    refused(lambda: world.check(replace(POLICY, log_origin="another")), "log_head_untrusted", "origin")
    empty = World()
    refused(lambda: empty.check(signer=ATTESTER), "log_genesis_untrusted")
    nobody = replace(POLICY, genesis=None, require_log=False)
    refused(lambda: empty.check(nobody, ATTESTER), "log_genesis_untrusted", "admits no key")


def test_a_head_must_be_signed_by_a_key_that_is_good_at_the_end():
    world, *_ = rotated()
    refused(lambda: world.check(signer=ATTESTER), "log_head_untrusted", ATTESTER.address)
    refused(lambda: world.check(signer=STRANGER), "log_head_untrusted")
    assert world.check(signer=SECOND)


def test_a_shorter_log_than_the_pinned_one_is_stale():
    world, *_ = rotated()
    policy = replace(POLICY, head=world.check().pin())
    assert world.check(policy)
    world.leaves.pop()
    refused(lambda: world.check(policy), "log_stale", "5 leaves")


def test_a_receipt_beyond_the_log_is_stale_and_one_of_another_log_inconsistent():
    world = World.begun()
    bundle = world.attest()
    fork = World(world.leaves[:1])
    refused(lambda: fork.verify(bundle), "log_stale", "the receipt's head")
    fork.say(admit(SECOND), ATTESTER)
    refused(lambda: fork.verify(bundle), "log_inconsistent", "the receipt's head")


def test_rewriting_any_old_leaf_is_caught_against_a_pinned_head():
    leaves = [b"leaf %d" % i for i in range(60)]
    old = MerkleLog(leaf_hash(leaf) for leaf in leaves)
    for pinned in (1, 2, 31, 32, 33, 60):
        for rewritten in range(pinned):
            forged = [b"?" if i == rewritten else leaf for i, leaf in enumerate(leaves)] + [b"new"]
            log = MerkleLog(leaf_hash(leaf) for leaf in forged)
            proof = log.consistency_proof(pinned)
            assert not verify_consistency(pinned, 61, old.root(pinned), log.root(), proof)


def test_a_rewritten_past_is_refused_though_a_good_key_signs_its_head():
    world, *_ = rotated()
    policy = replace(POLICY, head=world.check().pin())
    for position in range(1, len(world.leaves)):
        forged = World(world.leaves[:position])
        while len(forged.leaves) < 6:
            forged.say(admit(OTHER), ATTESTER)
        signer = ATTESTER if ATTESTER.address in forged.state().good else SECOND
        refused(lambda forged=forged, signer=signer: forged.check(policy, signer), "log_inconsistent", "first 5")


def test_leaves_that_are_not_those_of_the_head_are_refused():
    world, *_ = rotated()
    snapshot = world.snapshot()
    cut = Snapshot(snapshot.head, snapshot.leaves[:-1])
    refused(lambda: check_snapshot(cut, POLICY), "log_root_mismatch")


def test_m_of_n():
    world = World.begun()
    world.say(admit(SECOND), ATTESTER)
    world.say(admit(THIRD), ATTESTER)
    bundle = world.attest()
    policy = replace(POLICY, required=2, attesters=ALL)
    refused(lambda: world.verify(bundle, policy), "threshold_not_met", "1 of 2")
    refused(lambda: world.verify(world.cosign(bundle, STRANGER), policy), "threshold_not_met", "1 of 2")
    for signers in ((SECOND,), (THIRD,), (THIRD, SECOND), (SECOND, STRANGER)):
        verified = world.verify(world.cosign(bundle, *signers), policy)
        assert set(verified.signers) == {ATTESTER.address, *(each.address for each in signers)} & ALL
    refused(lambda: world.verify(cosigned(bundle, ATTESTER), policy), "cosignatures_malformed")
    refused(lambda: world.verify(cosigned(bundle, SECOND, SECOND), policy), "cosignatures_malformed")
    own = replace(POLICY, required=1, attesters=frozenset({SECOND.address}))
    refused(lambda: world.verify(bundle, own), "threshold_not_met", "0 of 1")
    assert world.verify(world.cosign(bundle, SECOND), own).signers == (SECOND.address,)


def test_a_cosigner_must_be_good_where_the_log_says_that_he_signed():
    world, policy = World.begun(), replace(POLICY, required=2, attesters=ALL)
    bundle, other = world.attest(), world.attest(claim=another_claim(1))
    too_early = world.cosign(bundle, SECOND)
    refused(lambda: world.verify(too_early, policy), "threshold_not_met")
    world.say(admit(SECOND), ATTESTER)
    refused(lambda: world.verify(too_early, policy), "threshold_not_met")
    in_time = world.cosign(bundle, SECOND)
    assert world.verify(in_time, policy)
    world.say(retire(SECOND), ATTESTER)
    assert world.verify(in_time, policy), "what was signed before the retirement stands"
    for late in (cosigned(other, SECOND), world.cosign(other, SECOND)):
        refused(lambda late=late: world.verify(late, policy), "threshold_not_met", "1 of 2")
    world.say(retire(SECOND, untrusted_from=4), ATTESTER)
    refused(lambda: world.verify(in_time, policy), "threshold_not_met", "1 of 2")


def test_a_leaf_that_was_written_ahead_does_not_save_a_late_signature():
    world, policy = World.begun(), replace(POLICY, required=2, attesters=ALL)
    world.say(admit(SECOND), ATTESTER)
    bundle = world.attest()
    late = cosign(Envelope.from_json(bundle.envelope), SECOND)
    world.log_cosignature(bundle.envelope["sig"]["uid"], replace(late, signature=Signature(27, 1, 1)))
    assert world.state().void == ()
    world.say(retire(SECOND), ATTESTER)
    refused(lambda: world.verify(bundle.with_cosignatures([late]), policy), "threshold_not_met", "1 of 2")


def test_a_policy_that_any_good_key_could_satisfy_alone_cannot_be_made():
    with pytest.raises(RecordError, match="at least the 2"):
        replace(POLICY, required=2)
    with pytest.raises(RecordError, match="at least the 3"):
        replace(POLICY, required=3, attesters=frozenset({ATTESTER.address, SECOND.address}))
    with pytest.raises(RecordError, match=r"policy\.head"):
        Pin(0, "0x" + "1" * 64)


def test_without_a_log_a_policy_still_counts_by_its_own_stretches():
    bundle = attest(CLAIM, DOMAIN, ATTESTER)
    envelope = Envelope.from_json(bundle.envelope)
    signers = (TrustedSigner(ATTESTER.address), TrustedSigner(SECOND.address, 3))
    policy = SignerPolicy(DOMAIN, signers, require_log=False)
    assert policy.counts(envelope.signer, None)
    assert [policy.counts(SECOND.address, index) for index in (None, 2, 3)] == [False, False, True]
