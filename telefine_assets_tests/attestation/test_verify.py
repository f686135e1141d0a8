"""Verification: what passes, and the code with which each lie is refused."""

from dataclasses import replace

import pytest

from telefine_assets.attestation.bundle import AttestationBundle, data_of, message_of
from telefine_assets.attestation.claim import partition_time
from telefine_assets.attestation.eas import EasDomain, Envelope, recover, sign
from telefine_assets.attestation.failures import VerificationFailed
from telefine_assets.attestation.policy import SignerPolicy, TrustedSigner
from telefine_assets.attestation.signatures import CURVE_ORDER
from telefine_assets.attestation.statement import build_statement, derive_salt, evidence_digest
from telefine_assets.attestation.verify import verify_bundle
from telefine_assets.attribution.facts import FACTS_FILE, write_facts
from telefine_assets.attribution.records import RecordError
from telefine_assets.attribution.submissions import Scope
from telefine_assets.attribution.usage import Arrival, UsedDemo
from telefine_assets.canonical import canonical_json, digest_of
from telefine_assets.errors import TelefineError
from telefine_assets_tests.attestation.example import (
    ALICE,
    ATTESTER,
    BOB,
    DAY,
    DECISION,
    DOMAIN,
    LOG_KEY,
    NOW,
    ORIGIN,
    POLICY,
    STRANGER,
    Example,
    changed_decision,
    claim_of,
    evidence_files,
    logged,
    make_example,
    recheck,
)

EXAMPLE = make_example()
CLAIM = claim_of(evidence_files())


def refused(example: Example, code: str, *words: str, **arguments) -> None:
    with pytest.raises(VerificationFailed) as error:
        example.verify(**arguments)
    assert error.value.code == code, error.value
    for word in words:
        assert word in error.value.detail


def forged(claim=CLAIM, *, data=None, message=None, signer=ATTESTER, domain=DOMAIN) -> Example:
    """What a trusted attester could sign who does not hold to our rules."""
    statement = build_statement(claim)
    digest = evidence_digest(statement)
    fields = replace(data_of(claim, digest), **(data or {}))
    honest = Envelope.from_json(EXAMPLE.bundle.envelope).message
    honest = replace(honest, data=fields.encode(), salt=derive_salt(digest), time=partition_time(claim.partition))
    envelope = sign(domain, replace(honest, **(message or {})), signer)
    return Example(logged(AttestationBundle(envelope.to_json(), statement)), EXAMPLE.evidence)


def test_an_honest_attestation_passes_with_everything_checked():
    verified = EXAMPLE.verify()
    assert verified.unchecked == ("revocation",)
    assert (verified.signer, verified.log_index) == (ATTESTER.address, 4)
    assert verified.claim == CLAIM
    assert verified.uid == EXAMPLE.bundle.envelope["sig"]["uid"]
    assert [line.address for line in verified.weights.lines] == sorted([ALICE, BOB])
    assert verified.weights.escrow[0].reason == "ens_name"


def test_a_bundle_read_from_its_file_passes_with_evidence_by_function():
    bundle = AttestationBundle.from_bytes(EXAMPLE.bundle.to_bytes())
    assert verify_bundle(bundle, EXAMPLE.evidence.get, POLICY, at=NOW, recheck_decision=recheck).uid


def test_the_envelope_that_ethers_and_the_eas_sdk_accepted_is_made_again_to_the_byte():
    # Checked by hand with ethers 6 (verifyTypedData) and eas-sdk 2.10.0 (verifyOffchainAttestationSignature,
    # SchemaEncoder). Whoever changes these values has to check again.
    # The claim is over the evidence of then: how the facts are written may change, what is signed may not.
    facts = "4d2f77e88eddafc597a91d2c6c81388ef6f55e3296c71e8aea146e5f87aadd0f"
    claim = replace(CLAIM, evidence=(replace(CLAIM.evidence[0], size=569, sha256=facts), *CLAIM.evidence[1:]))
    message = replace(message_of(claim), recipient=ALICE, expiration_time=NOW + 5)
    signed = sign(DOMAIN, message, ATTESTER)
    assert recover(signed) == ATTESTER.address
    envelope = signed.to_json()
    assert envelope["sig"]["uid"] == "0x3ee5f2958751682dcd3fefca44f791321395f5c1dd428b289577e4094ceff59d"
    assert digest_of(envelope) == "67de261b25b8cffb5c709619293d2c863ee496ac6d256f13236e5896ad5c25c9"


def test_what_could_not_be_checked_is_said():
    policy = replace(POLICY, require_log=False)
    assert EXAMPLE.verify(policy, receipt=None, recheck_decision=None).unchecked == ("decision", "log", "revocation")


def test_an_attestation_without_contributors_passes():
    files = evidence_files() | {FACTS_FILE: write_facts([], [], Scope(ORIGIN, "sentiment"))}
    verified = make_example(files).verify()
    assert (verified.weights.reason, verified.data.contributors) == ("no_demo_used", ())


def test_the_envelope_says_whose_it_is():
    refused(make_example(signer=STRANGER), "untrusted_signer", STRANGER.address)
    other = replace(DOMAIN, chain_id=1)
    refused(make_example(domain=other), "wrong_domain", "11155111", "'1'")
    refused(make_example(domain=replace(DOMAIN, verifying_contract=ALICE)), "wrong_domain")
    refused(make_example(domain=EasDomain("1.2.0", DOMAIN.chain_id, DOMAIN.verifying_contract)), "wrong_domain")
    refused(EXAMPLE, "wrong_schema", policy=replace(POLICY, schema_uid="0x" + "1" * 64))
    refused(forged(message={"schema": "0x" + "1" * 64}), "wrong_schema")
    refused(forged(message={"revocable": False}), "wrong_schema", "revocable")


def test_a_malleated_signature_is_refused():
    envelope = Envelope.from_json(EXAMPLE.bundle.envelope)
    twin = replace(envelope.signature, v=55 - envelope.signature.v, s=CURVE_ORDER - envelope.signature.s)
    refused(EXAMPLE, "high_s", envelope=replace(envelope, signature=twin).to_json())


def test_time_and_revocation_are_judged():
    refused(EXAMPLE, "not_yet_valid", at=partition_time(DAY) - 1)
    expiring = forged(message={"expiration_time": NOW})
    refused(expiring, "statement_mismatch", "expirationTime", at=NOW - 1)
    refused(expiring, "expired", at=NOW)
    uid = EXAMPLE.bundle.envelope["sig"]["uid"]
    refused(EXAMPLE, "revoked", uid, policy=replace(POLICY, revoked_uids=frozenset({uid})))


@pytest.mark.parametrize(
    ("example", "code", "words"),
    [
        (lambda: forged(data={"program_digest": "0x" + "1" * 64}), "program_mismatch", "program_digest"),
        (lambda: forged(data={"baseline_digest": "0x" + "1" * 64}), "baseline_mismatch", "baseline_digest"),
        (lambda: forged(data={"evidence_digest": "0x" + "1" * 64}), "statement_mismatch", "sha256"),
        (lambda: forged(data={"delta_ppm": 60_000}), "delta_mismatch", "60000"),
        (lambda: forged(data={"delta_lower_ppm": 13_000}), "delta_mismatch", "13000"),
        (lambda: forged(data={"holdout_size": 4000}), "holdout_mismatch", "4000"),
        (lambda: forged(data={"payout_root": "0x" + "1" * 64}), "payout_root_mismatch", "payout_root"),
        (lambda: forged(data={"weights_ppm": (1, 2)}), "weights_mismatch", "weights_ppm"),
        (lambda: forged(data={"contributors": (ALICE,), "weights_ppm": (1,)}), "weights_mismatch", ALICE),
        (lambda: forged(message={"salt": "0x" + "1" * 64}), "salt_mismatch", "salt"),
        (lambda: forged(message={"time": 1}), "time_mismatch", DAY),
        (lambda: forged(message={"recipient": ALICE}), "statement_mismatch", "recipient"),
        (lambda: forged(message={"ref_uid": "0x" + "1" * 64}), "statement_mismatch", "refUID"),
        (lambda: forged(message={"expiration_time": 2**63}), "statement_mismatch", "expirationTime"),
        (lambda: forged(message={"data": b"\x01"}), "data_malformed", "schema"),
        (lambda: forged(replace(CLAIM, payout_root="0x" + "1" * 64)), "payout_root_mismatch", "recomputed"),
        (lambda: forged(replace(CLAIM, decision=changed_decision(delta_ppm=9_999))), "claim_not_met", "9999"),
        (lambda: forged(replace(CLAIM, decision=changed_decision(p="0.1"))), "claim_not_met", "alpha"),
        (lambda: forged(replace(CLAIM, decision=changed_decision(wins=29))), "decision_mismatch", "decision.wins"),
        (lambda: forged(replace(CLAIM, candidate_version="1" * 64)), "decision_mismatch", "candidateVersion"),
        (lambda: forged(replace(CLAIM, evidence=CLAIM.evidence[1:])), "evidence_missing", FACTS_FILE),
    ],
)
def test_a_lie_that_a_trusted_attester_signed_is_refused(example, code, words):
    refused(example(), code, words)


def test_weights_that_do_not_sum_are_refused():
    first, second = CLAIM.weights.contributors
    more = replace(CLAIM.weights, contributors=(first, (second[0], second[1] + 1)))
    refused(forged(replace(CLAIM, weights=more)), "weights_do_not_sum", "1000001")
    none = replace(CLAIM.weights, contributors=(), escrow=(), reason="no_demo_used")
    refused(forged(replace(CLAIM, weights=none)), "weights_mismatch", "recomputed")


def test_weights_that_the_facts_do_not_give_are_refused():
    (alice, a), (bob, b) = CLAIM.weights.contributors
    moved = replace(CLAIM.weights, contributors=((alice, a + 1000), (bob, b - 1000)))
    refused(forged(replace(CLAIM, weights=moved)), "weights_mismatch", FACTS_FILE)
    grabbed = replace(CLAIM.weights, contributors=((alice, a + CLAIM.weights.escrow[0][1]), (bob, b)), escrow=())
    refused(forged(replace(CLAIM, weights=grabbed)), "weights_mismatch", FACTS_FILE)


def test_facts_that_contradict_themselves_are_refused():
    demos = [UsedDemo("c", "t", 1)]
    bad = write_facts(demos, [Arrival("c", "t", ALICE, None, 1)], Scope(ORIGIN, "sentiment")).replace(
        b'"arrival_ms":1', b'"arrival_ms":"1"'
    )
    example = make_example()
    files = evidence_files() | {FACTS_FILE: bad}
    claim = replace(claim_of(evidence_files()), evidence=())
    from telefine_assets.attestation.claim import EvidenceFile
    from telefine_assets.canonical import sha256_hex

    listed = tuple(EvidenceFile(n, sha256_hex(d), len(d), "application/json") for n, d in sorted(files.items()))
    lie = forged(replace(claim, evidence=listed))
    refused(Example(lie.bundle, example.evidence | {sha256_hex(bad): bad}), "evidence_malformed", "arrival_ms")


def test_evidence_that_is_missing_or_swapped_is_named():
    digests = list(EXAMPLE.evidence)
    refused(EXAMPLE, "evidence_missing", "attribution.json", evidence={})
    swapped = dict(zip(digests, [*list(EXAMPLE.evidence.values())[1:], b""], strict=True))
    refused(EXAMPLE, "evidence_digest_mismatch", "attribution.json: size", evidence=swapped)


@pytest.mark.parametrize("name", sorted(evidence_files()))
def test_one_bit_of_any_evidence_file_is_noticed(name):
    data = evidence_files()[name]
    digest = next(key for key, value in EXAMPLE.evidence.items() if value == data)
    for at in (0, len(data) // 2, len(data) - 1):
        flipped = bytearray(data)
        flipped[at] ^= 1
        refused(EXAMPLE, "evidence_digest_mismatch", name, evidence=EXAMPLE.evidence | {digest: bytes(flipped)})


def test_a_recheck_that_fails_or_says_less_or_more_is_a_mismatch():
    def fails(files):
        raise TelefineError("no items")

    refused(EXAMPLE, "decision_mismatch", "no items", recheck_decision=fails)
    refused(EXAMPLE, "decision_mismatch", "nothing", recheck_decision=lambda files: {})
    refused(EXAMPLE, "decision_mismatch", "looksDigest", recheck_decision=lambda f: recheck(f) | {"looksDigest": "0"})
    refused(EXAMPLE, "decision_mismatch", "extra", recheck_decision=lambda f: recheck(f) | {"extra": 1})
    whole = {"holdout": {"digest": digest_of("holdout"), "n": 400}, "looksDigest": digest_of("looks")}
    assert EXAMPLE.verify(recheck_decision=lambda f: recheck(f) | whole)


def test_the_recheck_gets_the_files_by_name():
    seen = {}
    EXAMPLE.verify(recheck_decision=lambda files: seen.update(files) or recheck(files))
    assert seen == evidence_files()


def test_the_receipt_is_judged():
    receipt = EXAMPLE.bundle.receipt
    refused(EXAMPLE, "log_receipt_missing", receipt=None)
    refused(EXAMPLE, "log_receipt_malformed", receipt={})
    refused(EXAMPLE, "log_proof_invalid", receipt=receipt | {"index": 3})
    refused(EXAMPLE, "log_proof_invalid", receipt=receipt | {"proof": receipt["proof"][:-1]})
    refused(EXAMPLE, "log_proof_invalid", receipt=forged(message={"recipient": ALICE}).bundle.receipt)
    refused(EXAMPLE, "log_head_untrusted", receipt=logged(EXAMPLE.bundle, key=STRANGER).receipt)
    refused(EXAMPLE, "log_head_untrusted", "origin", policy=replace(POLICY, log_origin="another"))
    head = receipt["head"]
    refused(EXAMPLE, "log_head_untrusted", receipt=receipt | {"head": head | {"size": head["size"] + 1}})
    signature = head["signature"]
    high = hex(CURVE_ORDER - int(signature["s"], 16))
    twin = signature | {"v": 55 - signature["v"], "s": "0x" + high[2:].rjust(64, "0")}
    refused(EXAMPLE, "log_head_untrusted", "above n / 2", receipt=receipt | {"head": head | {"signature": twin}})


@pytest.mark.parametrize(
    ("first", "last", "good"), [(0, None, True), (4, 4, True), (5, None, False), (0, 3, False), (0, 4, True)]
)
def test_a_key_is_good_only_in_its_stretch_of_the_log(first, last, good):
    policy = replace(POLICY, signers=(TrustedSigner(ATTESTER.address, first, last),))
    if good:
        assert EXAMPLE.verify(policy).log_index == 4
    else:
        refused(EXAMPLE, "untrusted_signer", "position 4", policy=policy)
    if policy.signers[0].bounded:
        refused(EXAMPLE, "untrusted_signer", policy=replace(policy, require_log=False), receipt=None)


def test_a_policy_that_cannot_be_kept_is_refused():
    with pytest.raises(RecordError, match="required log"):
        SignerPolicy(DOMAIN, ())
    with pytest.raises(RecordError, match="revoked_uids"):
        replace(POLICY, revoked_uids=frozenset({"1"}))
    with pytest.raises(TelefineError):
        SignerPolicy(DOMAIN, (), ORIGIN, genesis=LOG_KEY.address.lower())


def test_a_failure_survives_a_process_boundary():
    import pickle

    failure = VerificationFailed("revoked", "why")
    assert str(pickle.loads(pickle.dumps(failure))) == str(failure)


def test_the_decision_of_the_example_is_its_evidence():
    assert canonical_json(recheck(evidence_files())["decision"]) == evidence_files()["decision.json"]
    assert DECISION.why_not_met() is None
