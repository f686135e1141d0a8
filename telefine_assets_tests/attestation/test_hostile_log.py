"""A thief of a retired key hands over attestations: without the log, under an old head, in a log that costs time."""

import json
from dataclasses import replace

import pytest

from telefine_assets.attestation import snapshot as snapshots
from telefine_assets.attestation.failures import VerificationFailed
from telefine_assets.attestation.handed_on import verify_files
from telefine_assets.attestation.log_records import sign_record
from telefine_assets.attestation.policy import Pin
from telefine_assets.attestation.policy_file import parse_policy, policy_bytes
from telefine_assets.attestation.snapshot import Snapshot, check_snapshot
from telefine_assets.attestation.verify import verify_bundle
from telefine_assets_tests.attestation.example import ATTESTER, NOW, STRANGER, recheck
from telefine_assets_tests.attestation.logs import (
    EVIDENCE,
    POLICY,
    SECOND,
    World,
    admit,
    another_claim,
    cosigned,
    retire,
)


def refused(do, code, *words):
    with pytest.raises(VerificationFailed) as error:
        do()
    assert error.value.code == code, error.value
    for word in words:
        assert word in error.value.detail


def without_log(bundle, policy):
    """What a verifier does who has the bundle and no log."""
    return verify_bundle(bundle, EVIDENCE, policy, at=NOW, recheck_decision=recheck)


def kept(policy):
    """A policy after it was a file."""
    return parse_policy(policy_bytes(policy), "policy.json")


@pytest.fixture
def leaked():
    """The true log, in which the first key leaked from position 2 on, and the thief's, which ends before that."""
    world = World.begun()
    honest = world.attest()
    thief = World(world.leaves[:1])
    forged = thief.attest(claim=another_claim(1))
    world.say(admit(SECOND), ATTESTER)
    world.say(retire(ATTESTER, untrusted_from=2), SECOND)
    return world, honest, forged


def test_the_log_cannot_be_left_out_where_a_head_is_pinned(leaked):
    world, honest, forged = leaked
    checked = world.check()
    for policy in (replace(POLICY, head=checked.pin()), kept(replace(checked.policy, head=checked.pin()))):
        assert world.verify(honest, policy)
        for bundle in (honest, forged):
            refused(lambda bundle=bundle, policy=policy: without_log(bundle, policy), "log_missing", "4 leaves")
            files = {"attestation.json": bundle.to_bytes()}
            refused(lambda files=files, policy=policy: verify_files(files, policy, NOW), "log_missing", "log.json")


@pytest.mark.parametrize("pin", [Pin(2, "0x" + "0" * 64), Pin(50, "0x" + "1" * 64)])
def test_a_receipt_never_stands_in_for_the_pinned_head(pin):
    world = World.begun()
    bundle = world.attest()
    policy = replace(world.check().policy, head=pin)
    refused(lambda: without_log(bundle, policy), "log_missing")
    refused(lambda: world.verify(bundle, policy), "log_inconsistent" if pin.size == 2 else "log_stale")


def test_a_retired_key_does_not_vouch_for_its_own_position(leaked):
    world, honest, forged = leaked
    policy = kept(world.check().policy)
    assert policy.head is None
    for bundle in (honest, forged):
        refused(lambda bundle=bundle: without_log(bundle, policy), "log_head_untrusted", ATTESTER.address, "retired")
    assert world.verify(honest, policy)
    refused(lambda: world.verify(forged, policy), "log_inconsistent")
    rebased = honest.with_receipt(_receipt_by(world, SECOND))
    assert without_log(rebased, policy).log_index == 1


def _receipt_by(world, signer):
    from telefine_assets.attestation.log import MerkleLog, leaf_hash
    from telefine_assets.attestation.log_receipt import make_receipt, sign_head
    from telefine_assets_tests.attestation.example import ORIGIN

    log = MerkleLog(map(leaf_hash, world.leaves))
    return make_receipt(log, 1, sign_head(log, ORIGIN, signer))


def test_without_the_log_no_cosignature_counts():
    world = World.begun()
    world.say(admit(SECOND), ATTESTER)
    bundle = world.attest()
    both = frozenset({ATTESTER.address, SECOND.address})
    policy = replace(world.check().policy, required=2, attesters=both)
    for signed in (cosigned(bundle, SECOND), world.cosign(bundle, SECOND)):
        refused(lambda signed=signed: without_log(signed, policy), "threshold_not_met", "1 of 2")
    assert world.verify(world.cosign(bundle, SECOND), policy)
    assert without_log(bundle, replace(policy, required=1)).signers == (ATTESTER.address,)


@pytest.mark.parametrize("leaf", [b"", b"\x00", b"\xff" * 9, b"{}"])
def test_a_log_with_any_bytes_in_it_can_be_handed_on(leaf):
    world = World.begun()
    world.leaves.append(leaf)
    bundle = world.attest()
    read = Snapshot.from_bytes(world.snapshot().to_bytes())
    assert read.leaves[1] == leaf
    assert len(check_snapshot(read, POLICY).state.void) == 1
    assert world.verify(bundle).log_index == 2


@pytest.mark.parametrize("leaf", [None, 1, "0", "zz", "AB", " 00", ["00"]])
def test_what_is_no_leaf_is_refused(leaf):
    data = World.begun().snapshot().to_json()
    data["leaves"].append(leaf)
    refused(lambda: Snapshot.from_bytes(json.dumps(data).encode()), "log_malformed", "log.leaves")


def test_a_log_that_is_too_large_is_refused_before_it_is_read(monkeypatch):
    world = World.begun()
    world.attest()
    data = world.snapshot().to_bytes()
    monkeypatch.setattr(snapshots, "MAX_LEAVES", 1)
    refused(lambda: Snapshot.from_bytes(data), "log_malformed", "more than 1")
    monkeypatch.setattr(snapshots, "MAX_LOG_BYTES", len(data) - 1)
    refused(lambda: Snapshot.from_bytes(data), "log_malformed", "bytes")


def test_a_log_full_of_records_in_the_first_keys_name_is_given_up(monkeypatch):
    monkeypatch.setattr(snapshots, "_PATIENCE", 2)
    world = World.begun()
    for number in range(3):
        assert world.check().state.size == number + 1
        forged = replace(sign_record(admit(SECOND), world.place(), STRANGER), signer=ATTESTER.address)
        world.leaves.append(forged.leaf())
    refused(world.check, "log_malformed", "somebody else's name")
