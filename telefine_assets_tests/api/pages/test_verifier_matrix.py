"""The browser refuses what Python refuses, with the same code, and passes what Python passes."""

import json
import random
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from telefine_assets.attestation.bundle import attest
from telefine_assets.attestation.cosigning import cosign
from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.log_receipt import make_receipt, sign_head
from telefine_assets.attestation.log_records import Erasure, Revocation, sign_record
from telefine_assets.attestation.policy import Pin, SignerPolicy, TrustedSigner
from telefine_assets.attestation.policy_file import parse_policy, policy_bytes
from telefine_assets.attestation.replay import replay
from telefine_assets.attestation.snapshot import Snapshot, take_snapshot
from telefine_assets_tests.api.pages.verifying import Case, chromium, judged, modules_page, needs_chromium
from telefine_assets_tests.attestation import test_verify as lying
from telefine_assets_tests.attestation.example import ATTESTER, DOMAIN, LOG_KEY, NOW, ORIGIN, STRANGER
from telefine_assets_tests.attestation.example import POLICY as EXAMPLE_POLICY
from telefine_assets_tests.attestation.logs import (
    CLAIM,
    OTHER,
    POLICY,
    SECOND,
    THIRD,
    World,
    admit,
    another_claim,
    retire,
)
from telefine_assets_tests.attestation.matrix import BOTH, PARTS, WORLD
from telefine_assets_tests.attestation.tampering import tampered
from telefine_assets_tests.attestation.test_reissued import begun_again, python_says
from telefine_assets_tests.attestation.test_tampering import twin

pytestmark = needs_chromium
# What Python finds only with the evidence files: a browser leaves it open, and says so.
FROM_EVIDENCE = {"decision_mismatch", "evidence_missing"}
ALONE = {name: part for name, part in PARTS.items() if name != "log"}
NO_SUCH_PART = ([5], "text", 5, {}, True, [[]], None)


@pytest.fixture(scope="module")
def page():
    with chromium() as browser:
        yield modules_page(browser)


@cache
def kept():
    """Whom a reader trusts who has a policy from before and no log, after it was a file."""
    policy = WORLD.check(POLICY).policy
    return parse_policy(policy_bytes(policy), "policy.json")


def agree(page, cases):
    """The browser's codes are Python's, and the verdict follows from them; returns how often each was met."""
    found = judged(page, cases)
    wanted = [case.python() for case in cases]
    assert [code for _, code, _ in found] == wanted
    assert [verdict for verdict, _, _ in found] == ["invalid" if code else "valid" for code in wanted]
    return Counter(wanted)


def changed(parts, name):
    """All parts with every change of one of them, and with what is no such part at all."""
    yield from (parts | {name: new} for _, _, new in tampered(parts[name]))
    yield from (parts | {name: value} for value in NO_SUCH_PART if not (name == "log" and value is None))


@pytest.mark.parametrize("name", list(ALONE))
def test_every_change_of_a_bundle_has_the_code_that_python_gives_it(page, name):
    met = agree(page, [Case.of(parts, kept()) for parts in changed(ALONE, name)])
    assert len(met) >= 3
    # A cosignature less is no lie where one signature is enough.
    assert met[None] == (name == "cosignatures")


@pytest.mark.parametrize("name", ["cosignatures", "log"])
def test_every_change_of_log_and_cosignatures_has_the_code_that_python_gives_it(page, name):
    met = agree(page, [Case.of(parts, BOTH) for parts in changed(PARTS, name)])
    assert met[None] == 0 and len(met) >= 3


def test_the_honest_bundle_passes_and_what_a_browser_leaves_open_is_said(page):
    ((verdict, code, states), (_, _, alone)) = judged(page, [Case.of(PARTS, BOTH), Case.of(ALONE, kept())])
    assert (verdict, code, Case.of(PARTS, BOTH).python()) == ("valid", None, None)
    assert {name for name, state in states.items() if state != "passed"} == {"evidence", "weights", "decision"}
    assert {n for n, s in alone.items() if s != "passed"} == {"evidence", "weights", "decision", "log", "revocation"}


def test_who_has_said_nothing_of_trust_never_reads_valid(page):
    cases = [Case.of(parts, None) for parts in (ALONE, PARTS)]
    for verdict, code, states in judged(page, cases):
        assert (verdict, code) == ("undecided", None)
        assert {states[name] for name in ("signer", "head", "threshold", "revocation", "domain", "log")} == {
            "unchecked"
        }
        assert states["signature"] == states["inclusion"] == states["binding"] == "passed"


@pytest.mark.parametrize("name", ["envelope", "statement", "receipt"])
def test_by_typed_addresses_every_change_is_refused_too(page, name):
    """Nobody named a contract or a log: a change of them spoils a signature instead."""
    typed = SignerPolicy(DOMAIN, (TrustedSigner(ATTESTER.address),), ORIGIN, (TrustedSigner(ATTESTER.address),))
    cases = [Case.of(parts, [ATTESTER.address]) for parts in changed(ALONE, name)][::7]
    for case, (verdict, code, _) in zip(cases, judged(page, cases), strict=True):
        wanted = case.python(typed)
        assert verdict == "invalid"
        assert code == wanted or (wanted, code) in {("wrong_domain", "uid_mismatch"), ("wrong_domain", "bad_signature")}


def test_typed_addresses_decide(page):
    cases = [Case.of(parts, [key.address]) for parts in (ALONE, PARTS) for key in (ATTESTER, SECOND, STRANGER)]
    found = [(verdict, code) for verdict, code, _ in judged(page, cases)]
    assert found == [
        ("valid", None), ("invalid", "untrusted_signer"), ("invalid", "untrusted_signer"),
        ("valid", None), ("invalid", "log_genesis_untrusted"), ("invalid", "log_genesis_untrusted"),
    ]  # fmt: skip
    other_head = Case(json.loads(lying.EXAMPLE.bundle.to_bytes()), None, [ATTESTER.address])
    both = replace(other_head, policy=[LOG_KEY.address, ATTESTER.address])
    assert [code for _, code, _ in judged(page, [other_head, both])] == ["log_head_untrusted", None]


def test_a_receipt_of_another_log_than_the_one_that_is_shown_is_refused(page):
    log, leaves = PARTS["log"], MerkleLog(leaf_hash(leaf) for leaf in WORLD.leaves)
    own, other = (
        make_receipt(leaves, 2, sign_head(leaves, origin, ATTESTER)).to_json() for origin in (ORIGIN, "another")
    )
    cases = [Case(ALONE | {"receipt": each}, log, [ATTESTER.address]) for each in (own, other)]
    assert [code for _, code, _ in judged(page, cases)] == [None, "log_head_untrusted"]


def lies():
    """Those of Python's own test."""
    (mark,) = lying.test_a_lie_that_a_trusted_attester_signed_is_refused.pytestmark
    return [example() for example, _, _ in mark.args[1]]


def test_a_lie_that_a_trusted_attester_signed_is_refused_unless_only_the_evidence_shows_it(page):
    (first, second), none = lying.CLAIM.weights.contributors, ()
    more = replace(lying.CLAIM.weights, contributors=(first, (second[0], second[1] + 1)))
    nobody = replace(lying.CLAIM.weights, contributors=none, escrow=(), reason="no_demo_used")
    examples = [
        *lies(),
        *(lying.forged(replace(lying.CLAIM, weights=each)) for each in (more, nobody)),
        *(
            lying.forged(message=each)
            for each in ({"expiration_time": NOW}, {"schema": "0x" + "1" * 64}, {"revocable": False})
        ),
    ]
    cases = [Case(json.loads(each.bundle.to_bytes()), None, EXAMPLE_POLICY) for each in examples]
    cases += [replace(cases[0], at=0), Case(json.loads(lying.EXAMPLE.bundle.to_bytes()), None, EXAMPLE_POLICY, at=5)]
    wanted = [case.python() for case in cases]
    found = [code for _, code, _ in judged(page, cases)]
    # The reason why there are no weights is in the statement; that it is a lie is in the evidence.
    expected = [None if code in FROM_EVIDENCE else code for code in wanted]
    differing = [(w, f) for w, f in zip(expected, found, strict=True) if w != f]
    assert differing == [("weights_mismatch", "payout_root_mismatch")]
    assert len(set(found)) >= 14


def test_the_twin_of_any_signature_is_refused(page):
    envelope, receipt = json.loads(json.dumps(PARTS["envelope"])), json.loads(json.dumps(PARTS["receipt"]))
    cosignatures, log = json.loads(json.dumps(PARTS["cosignatures"])), dict(PARTS["log"])
    envelope["sig"]["signature"] = twin(envelope["sig"]["signature"])
    receipt["head"]["signature"] = twin(receipt["head"]["signature"])
    cosignatures[0]["signature"] = twin(cosignatures[0]["signature"])
    log["head"] = log["head"] | {"signature": twin(log["head"]["signature"])}
    parts = {"envelope": envelope, "receipt": receipt, "cosignatures": cosignatures, "log": log}
    met = agree(page, [Case.of(PARTS | {name: part}, BOTH) for name, part in parts.items()])
    assert met == {"high_s": 2, "log_head_untrusted": 2}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", "{", '{"a":1,"a":2}', "[" * 300, '{"envelope":{},"statement":{},"receipt":null}']
)
def test_what_is_no_bundle_or_no_log_is_refused(page, text):
    assert agree(page, [Case(text, None, kept())]) == {"bundle_malformed": 1}
    assert agree(page, [Case(dict(ALONE), text, BOTH)]) == {"log_malformed": 1}


def test_a_number_written_otherwise_or_a_key_said_twice_is_refused(page):
    whole = json.dumps(ALONE)
    cases = [
        Case(whole.replace('"index": 2', f'"index": {written}'), None, kept())
        for written in ("2.0", "2e0", "02", '"2"', "true", '2, "index": 2', '1, "index": 2', "2.5", "-2", "9" * 5000)
    ]
    assert agree(page, cases)[None] == 0
    assert agree(page, [Case(whole, None, kept()), Case(json.dumps(ALONE, indent=3), None, kept())]) == {None: 2}


def pins(world):
    yield world.check().pin()
    yield Pin(2, "0x" + "0" * 64)
    yield Pin(50, "0x" + "1" * 64)


def test_keys_that_leaked_pins_and_revocations_are_judged_alike(page):
    world = World.begun()
    honest = world.attest()
    thief = World(world.leaves[:1])
    stolen = thief.attest(claim=another_claim(1))
    world.say(admit(SECOND), ATTESTER)
    world.say(retire(ATTESTER, untrusted_from=2), SECOND)
    late = world.attest(ATTESTER, claim=another_claim(2))
    theirs = world.attest(SECOND, claim=another_claim(3))
    logs = [None, world.snapshot(ATTESTER).to_json(), thief.snapshot().to_json()]
    policies = [POLICY, world.check().policy, *(replace(POLICY, head=pin) for pin in pins(world))]
    world.revoke(theirs, SECOND)
    logs.append(world.snapshot().to_json())
    bundles = [json.loads(each.to_bytes()) for each in (honest, stolen, late, theirs)]
    met = agree(page, [Case(bundle, log, policy) for bundle in bundles for log in logs for policy in policies])
    assert {None, "revoked", "log_missing", "log_stale", "log_inconsistent", "untrusted_signer"} <= set(met)


REPLAYED = """async (logs) => {
  const { readSnapshot } = await import("/static/verify/receipt.js");
  const { replay } = await import("/static/verify/replay.js");
  const { parseJson } = await import("/static/verify/json.js");
  const { utf8 } = await import("/static/verify/bytes.js");
  return logs.map((text) => {
    const { leaves, head } = readSnapshot(parseJson(utf8(text)));
    const state = replay(leaves, head.origin);
    const stretches = state.trusted().map(({ address, first, last }) => [address, Number(first), last && Number(last)]);
    const revoked = [...state.revoked].map(([uid, { position }]) => [uid, Number(position)]);
    const words = [...state.erased].map(([file, said]) => [file, said.map(({ position }) => Number(position))]);
    return [state.genesis, state.good, stretches, revoked, [...state.cosigned.values()].map(Number), words];
  });
}"""


def write_anything(world, drawn):
    """One more leaf of a kind and by a signer that chance takes."""
    signer, subject = drawn.choices([ATTESTER, SECOND, THIRD, OTHER], k=2)
    kind = drawn.randrange(10)
    if kind == 0:
        world.bundles.append(world.attest(signer))
    elif kind == 1:
        world.revoke(drawn.choice(world.bundles), signer)
    elif kind == 2:
        world.cosign(drawn.choice(world.bundles), subject)
    elif kind == 3:
        world.leaves.append(drawn.choice([b"", b"{}", b"\xff", world.leaves[-1] + b" ", drawn.choice(world.leaves)]))
    elif kind == 4:
        stolen = replace(sign_record(admit(subject), world.place(), STRANGER), signer=signer.address)
        world.leaves.append(stolen.leaf())
    elif kind == 5:
        world.say(retire(subject, drawn.randrange(len(world.leaves) + 2)), signer)
    elif kind > 7:
        world.say(Erasure("0x" + drawn.choice("12") * 64, "asked by mail"), signer)
    else:
        world.say(admit(subject) if kind == 6 else retire(subject), signer)


def eventful():
    """Logs in which every rule is tried: keys that come back, leaks told late, signatures and revocations too early."""
    world = World.begun()
    uid = attest(CLAIM, DOMAIN, ATTESTER).envelope["sig"]["uid"]
    early = cosign(Envelope.from_json(attest(CLAIM, DOMAIN, ATTESTER).envelope), SECOND)
    world.say(retire(ATTESTER), ATTESTER)
    world.say(admit(SECOND), ATTESTER)
    world.log_cosignature(uid, early)
    world.say(Revocation(uid, "too early"), ATTESTER)
    bundle = world.attest()
    yield list(world.leaves)
    world.log_cosignature(uid, early)
    world.log_cosignature(uid, early)
    world.say(retire(SECOND, 40), ATTESTER)
    world.say(retire(SECOND), ATTESTER)
    world.say(admit(SECOND), ATTESTER)
    yield list(world.leaves)
    world.say(Erasure("0x" + "1" * 64, "by a key that is retired"), SECOND)
    for untrusted_from in (5, 6, None, 3):
        world.say(retire(SECOND, untrusted_from), ATTESTER)
        yield list(world.leaves)
    world.log_cosignature(uid, cosign(Envelope.from_json(bundle.envelope), SECOND))
    world.revoke(bundle)
    world.revoke(bundle)
    world.say(admit(THIRD), ATTESTER)
    for _ in range(2):
        world.say(Erasure("0x" + "1" * 64, "asked by mail"), ATTESTER)
    yield list(world.leaves)
    world.say(retire(ATTESTER, 0), THIRD)
    yield list(world.leaves)
    world.say(Erasure("0x" + "1" * 64, "asked by mail"), THIRD)
    yield world.leaves


def test_logs_with_every_turn_of_events_and_logs_that_chance_wrote_add_up_to_the_same(page):
    logs = list(eventful())
    for seed in range(7):
        drawn, world = random.Random(seed), World.begun()
        world.bundles = [world.attest()]
        world.say(admit(SECOND), ATTESTER)
        for _ in range(8):
            write_anything(world, drawn)
        logs.append(world.leaves)
    logs += [[], [sign_record(Revocation("0x" + "1" * 64, "why"), World().place(), ATTESTER).leaf()]]
    sent = [take_snapshot(leaves, ORIGIN, ATTESTER).to_bytes().decode() for leaves in logs]
    assert page.evaluate(REPLAYED, sent) == [python_replays(text) for text in sent]


def python_replays(text):
    state = replay(Snapshot.from_bytes(text.encode()).leaves, ORIGIN)
    stretches = [[each.address, each.first_index, each.last_index] for each in state.trusted()]
    words = [[file, [line.position for line in said]] for file, said in state.erased.items()]
    return [state.genesis, list(state.good), stretches, [list(each) for each in state.revoked.items()],
            list(state.cosigned.values()), words]  # fmt: skip


@pytest.mark.parametrize("revoke_first", [True, False])
def test_what_was_issued_again_passes_only_if_the_revocation_came_first(page, revoke_first):
    world, bundle = begun_again(revoke_first)
    parts = json.loads(bundle.to_bytes()) | {"log": world.snapshot().to_json()}
    ((_, code, _),) = judged(page, [Case.of(parts, POLICY)])
    assert code == python_says(world, bundle) == (None if revoke_first else "replaced_not_revoked")


def test_evidence_that_was_erased_is_told_by_the_same_words_in_the_log(page):
    """Said before the attestation, by a stranger, by a key that leaked, by no attester; and by a good one."""
    world = World.begun()
    facts, decision, program = digests = [each.sha256 for each in CLAIM.evidence]
    for key in (SECOND, THIRD):
        world.say(admit(key), ATTESTER)
    world.say(Erasure(f"0x{facts}", "too early"), ATTESTER)
    bundle = json.loads(world.cosign(world.attest(), SECOND).to_bytes())
    for digest, signer in ((decision, STRANGER), (decision, THIRD), (program, ATTESTER)):
        world.say(Erasure(f"0x{digest}", "asked by mail"), signer)
    logs = [world.snapshot().to_json()]
    world.say(retire(THIRD, untrusted_from=7), ATTESTER)
    logs.append(world.snapshot().to_json())
    world.say(Erasure(f"0x{decision}", "asked again"), ATTESTER)
    logs.append(world.snapshot().to_json())
    gone = [(), *((each,) for each in digests)]
    cases = [Case(bundle, log, policy, gone=each) for log in logs for policy in (POLICY, BOTH) for each in gone]
    cases.append(replace(cases[-1], gone=(decision, program)))
    wanted = [case.python() for case in cases]
    found = [code for _, code, _ in judged(page, cases)]
    assert found == [None if code in FROM_EVIDENCE else code for code in wanted]
    assert {None, "evidence_erased", "evidence_missing"} == set(wanted)
    ((verdict, code, _),) = judged(page, [replace(cases[-1], policy=None)])
    assert (verdict, code) == ("invalid", "evidence_erased")
