"""What a log's records add up to: who may say what, and what has no effect."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.attestation.bundle import attest
from telefine_assets.attestation.cosigning import cosign, cosignature_leaf
from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.log_records import Revocation, read_record, sign_record
from telefine_assets.attestation.replay import Void, replay
from telefine_assets.attestation.signatures import CURVE_ORDER, recover_typed
from telefine_assets.attribution.records import RecordError
from telefine_assets.canonical import canonical_json
from telefine_assets_tests.attestation.example import ATTESTER, DOMAIN, ORIGIN, STRANGER
from telefine_assets_tests.attestation.logs import CLAIM, OTHER, SECOND, THIRD, World, admit, retire


def last_void(world):
    return world.state().lines[-1].void


def test_the_first_key_admits_itself():
    state = World.begun().state()
    assert (state.genesis, state.good, state.void) == (ATTESTER.address, (ATTESTER.address,), ())


@pytest.mark.parametrize("said", [admit(STRANGER), retire(ATTESTER), Revocation("0x" + "1" * 64, "why")])
def test_a_log_that_begins_otherwise_never_has_a_key(said):
    world = World()
    world.say(said, ATTESTER)
    world.say(admit(ATTESTER), ATTESTER)
    state = world.state()
    assert (state.genesis, state.good) == (None, ())
    assert [line.void for line in state.lines] == [Void.NO_GENESIS, Void.SIGNER_NOT_GOOD]


def test_keys_are_good_from_their_admission_to_their_retirement():
    world = World.begun()
    world.attest()
    world.say(admit(SECOND), ATTESTER)
    world.say(retire(ATTESTER), SECOND)
    world.attest(SECOND)
    state = world.state()
    assert (state.good, state.void) == ((SECOND.address,), ())
    first, second = state.trusted()
    assert (first.address, first.first_index, first.last_index) == (ATTESTER.address, 0, 2)
    assert (second.address, second.first_index, second.last_index) == (SECOND.address, 2, None)


def test_a_retired_key_can_say_nothing():
    world = World.begun()
    bundle = world.attest()
    world.say(admit(SECOND), ATTESTER)
    world.say(retire(ATTESTER), ATTESTER)
    before = world.state()
    for said in (admit(THIRD), retire(SECOND), Revocation(bundle.envelope["sig"]["uid"], "spite")):
        world.say(said, ATTESTER)
        assert last_void(world) is Void.SIGNER_NOT_GOOD
    world.attest(ATTESTER)
    assert last_void(world) is Void.SIGNER_NOT_GOOD
    assert (world.state().keys, world.state().revoked) == (before.keys, {})


def test_a_key_that_was_retired_never_comes_back_and_the_last_one_stays():
    world = World.begun()
    world.say(retire(ATTESTER), ATTESTER)
    assert last_void(world) is Void.LAST_KEY
    world.say(admit(SECOND), ATTESTER)
    world.say(admit(SECOND), ATTESTER)
    assert last_void(world) is Void.KEY_KNOWN
    world.say(retire(SECOND), ATTESTER)
    world.say(retire(SECOND), ATTESTER)
    assert last_void(world) is Void.KEY_NOT_GOOD
    world.say(admit(SECOND), ATTESTER)
    assert last_void(world) is Void.KEY_KNOWN
    assert world.state().good == (ATTESTER.address,)


def test_a_leaked_key_is_untrusted_from_the_leak_on_and_trusted_before():
    world = World.begun()
    world.attest()
    world.say(admit(SECOND), ATTESTER)
    world.say(retire(ATTESTER, untrusted_from=2), SECOND)
    (first, _) = world.state().trusted()
    assert (first.first_index, first.last_index) == (0, 1)
    world.say(admit(THIRD), SECOND)
    world.say(retire(THIRD, untrusted_from=0), SECOND)
    assert [each.address for each in world.state().trusted()] == [ATTESTER.address, SECOND.address]


def test_a_leak_that_is_found_after_the_retirement_can_still_be_told_and_never_taken_back():
    world = World.begun()
    world.say(admit(SECOND), ATTESTER)
    world.attest(SECOND)
    world.say(retire(SECOND), ATTESTER)
    world.say(retire(SECOND, untrusted_from=2), ATTESTER)
    assert world.state().void == ()
    for later in (2, 3, None):
        world.say(retire(SECOND, untrusted_from=later), ATTESTER)
        assert last_void(world) is Void.KEY_NOT_GOOD
    key = world.state().keys[SECOND.address]
    assert (key.retired_at, key.untrusted_from) == (3, 2)


def test_a_leak_cannot_be_in_the_future():
    world = World.begun()
    world.say(admit(SECOND), ATTESTER)
    world.say(retire(SECOND, untrusted_from=3), ATTESTER)
    assert last_void(world) is Void.UNTRUSTED_FROM_LATER


def test_a_revocation_counts_once_and_only_for_what_was_attested():
    world = World.begun()
    bundle = world.attest()
    uid = bundle.envelope["sig"]["uid"]
    world.say(Revocation("0x" + "1" * 64, "typo"), ATTESTER)
    assert last_void(world) is Void.UNKNOWN_UID
    world.say(admit(SECOND), ATTESTER)
    world.revoke(bundle, SECOND)
    assert world.state().revoked == {uid: 4}
    world.revoke(bundle)
    assert last_void(world) is Void.REVOKED_BEFORE
    assert world.state().revoked == {uid: 4}


@pytest.mark.parametrize("changes", [{"origin": "another"}, {"position": 3}, {"before": "0x" + "1" * 64}])
def test_a_record_is_good_at_one_place_of_one_log(changes):
    world = World.begun()
    world.say(admit(SECOND), ATTESTER, **changes)
    assert last_void(world) is Void.WRONG_PLACE
    assert world.state().good == (ATTESTER.address,)


def test_a_record_copied_from_another_log_of_the_same_name_and_key_has_no_effect():
    one, two = World.begun(), World.begun()
    assert one.leaves == two.leaves
    two.attest()
    two.say(admit(SECOND), ATTESTER)
    one.say(Revocation("0x" + "1" * 64, "filler"), ATTESTER)
    one.leaves.append(two.leaves[-1])
    assert last_void(one) is Void.WRONG_PLACE
    one.leaves.append(two.leaves[-1])
    assert last_void(one) is Void.WRONG_PLACE


def signed_admission(world, signer=ATTESTER):
    return sign_record(admit(SECOND), world.place(), signer)


def test_a_malleated_or_foreign_signature_is_void():
    world = World.begun()
    good = signed_admission(world)
    twin = replace(good.signature, v=55 - good.signature.v, s=CURVE_ORDER - good.signature.s)
    assert replace(good, signature=twin).entry == good.entry
    for forged, void in (
        (replace(good, signature=twin), Void.BAD_SIGNATURE),
        (replace(signed_admission(world, OTHER), signer=ATTESTER.address), Void.BAD_SIGNATURE),
        (replace(good, signer=OTHER.address), Void.SIGNER_NOT_GOOD),
    ):
        assert replay([*world.leaves, forged.leaf()], ORIGIN).lines[-1].void is void
    assert replay([*world.leaves, good.leaf()], ORIGIN).void == ()


def test_a_cosignature_stands_where_its_key_is_good_and_its_attestation_came_before():
    world, uid = World.begun(), attest(CLAIM, DOMAIN, ATTESTER).envelope["sig"]["uid"]
    early = cosign(Envelope.from_json(attest(CLAIM, DOMAIN, ATTESTER).envelope), SECOND)
    for void, before in (
        (Void.UNKNOWN_UID, lambda: world.say(admit(SECOND), ATTESTER)),
        (None, world.attest),
        (None, lambda: None),
        (Void.SIGNER_NOT_GOOD, lambda: world.say(retire(SECOND), ATTESTER)),
    ):
        before()
        world.log_cosignature(uid, early)
        assert last_void(world) is void
    assert world.state().cosigned == {(uid, early): 4}
    world.leaves.append(cosignature_leaf(uid, early) + b" ")
    assert last_void(world) is Void.MALFORMED


def test_what_a_stranger_writes_costs_no_signature():
    from unittest.mock import patch

    world = World.begun()
    with patch("telefine_assets.attestation.log_records.recover_typed", wraps=recover_typed) as recovered:
        for said in (admit(OTHER), retire(ATTESTER), Revocation("0x" + "1" * 64, "why")):
            world.say(said, STRANGER)
        assert {line.void for line in world.state().lines[1:]} == {Void.SIGNER_NOT_GOOD}
        assert recovered.call_count == 1


def test_patience_with_bad_signatures_ends():
    world = World.begun()
    for _ in range(3):
        forged = replace(sign_record(admit(SECOND), world.place(), STRANGER), signer=ATTESTER.address)
        world.leaves.append(forged.leaf())
    assert len(replay(world.leaves, ORIGIN, patience=3).void) == len(world.state().void) == 3
    with pytest.raises(RecordError, match="somebody else's name"):
        replay(world.leaves, ORIGIN, patience=2)


def test_a_leaf_that_was_not_written_so_is_malformed():
    world = World.begun()
    leaf = json.loads(signed_admission(world).leaf())
    spaced = json.dumps(leaf).encode()
    extra = canonical_json(leaf | {"note": "x"})
    for bad in (spaced, extra, b"", b"[]", b"\xff", b'{"kind":1}', b'{"kind":"telefine.key/v2"}', b'{"a":1,"a":1}'):
        world.leaves.append(bad)
        assert last_void(world) is Void.MALFORMED
    assert world.state().good == (ATTESTER.address,)


def test_a_record_is_read_from_its_leaf_alone_as_it_was_written():
    world = World.begun()
    for said in (admit(SECOND), retire(ATTESTER), retire(ATTESTER, 0), Revocation("0x" + "1" * 64, "grün, 99 %")):
        record = sign_record(said, world.place(), ATTESTER)
        assert read_record(record.leaf()) == record
        assert record.is_signed()


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "\ud800", None])
def test_a_reason_must_be_given(reason):
    with pytest.raises(RecordError, match=r"record\.reason"):
        Revocation("0x" + "1" * 64, reason)


SAID = st.one_of(
    st.sampled_from([admit(STRANGER), admit(SECOND), admit(OTHER), retire(ATTESTER), retire(SECOND), retire(OTHER)]),
    st.integers(0, 4).map(lambda index: retire(ATTESTER, index)),
    st.just("revoke"),
    st.binary(max_size=8),
)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(SAID, st.sampled_from([STRANGER, THIRD, OTHER])), max_size=6))
def test_whatever_strangers_write_changes_nothing(writings):
    """THIRD was retired, the others never were good: keys, trust and revocations stay as they are."""
    world = World.begun()
    bundle = world.attest()
    world.say(admit(THIRD), ATTESTER)
    world.say(retire(THIRD), ATTESTER)
    before = world.state()
    for said, signer in writings:
        if isinstance(said, bytes):
            world.leaves.append(said)
        elif said == "revoke":
            world.revoke(bundle, signer)
        else:
            world.say(said, signer)
    after = world.state()
    assert (after.keys, after.revoked, after.lines[:4]) == (before.keys, before.revoked, before.lines)
    assert all(line.void is not None for line in after.lines[4:])


ACTIONS = st.tuples(
    st.sampled_from(["admit", "retire", "attest", "revoke"]), *[st.sampled_from([ATTESTER, SECOND, THIRD, OTHER])] * 2
)


@settings(max_examples=12, deadline=None)
@given(st.lists(ACTIONS, min_size=3, max_size=5))
def test_the_state_at_a_position_never_depends_on_what_comes_later(actions):
    world = World.begun()
    for action, signer, subject in actions:
        if action == "attest":
            world.attest(signer)
        elif action == "revoke":
            world.say(Revocation("0x" + "1" * 64, "why"), signer)
        else:
            world.say(admit(subject) if action == "admit" else retire(subject), signer)
    whole = world.state()
    for size in range(len(world.leaves)):
        state = replay(world.leaves[:size], ORIGIN)
        assert state.lines == whole.lines[:size]
        assert state.good or size == 0
