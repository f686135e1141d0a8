"""A signed submission holds for one content, program, deployment and contributor, and in one form only."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.attestation.signatures import CURVE_ORDER, Signature
from telefine_assets.attribution.addresses import AddressError
from telefine_assets.attribution.keccak import keccak256
from telefine_assets.attribution.records import RecordError
from telefine_assets.attribution.submissions import (
    Scope,
    SignedSubmission,
    SubmissionRefused,
    TraceSubmission,
    check_submission,
    sign_submission,
)
from telefine_assets.traces.clusters import cluster_of
from telefine_assets_tests.attribution.signing import ADA, BOB, NOW_MS, NOW_S, SALT, SCOPE, signed

CONTENT = cluster_of({"text": "hello"})
DIGEST = SCOPE.trace_digest(CONTENT)
GOOD = signed("hello")


def refusal(of: SignedSubmission, digest: str = DIGEST, contributor: str | None = ADA.address, now: int = NOW_MS):
    with pytest.raises(SubmissionRefused) as caught:
        check_submission(of, digest, contributor, now)
    return str(caught.value.code)


def test_what_its_contributor_signed_holds():
    check_submission(GOOD, DIGEST, ADA.address, NOW_MS)
    assert SignedSubmission.from_tag(GOOD.to_tag(), DIGEST) == GOOD


def test_a_trace_digest_can_be_made_without_telefine():
    text = f'{{"content":"{CONTENT}","origin":"shop","program":"tickets"}}'
    assert "0x" + hashlib.sha256(text.encode()).hexdigest() == DIGEST


def test_the_digest_is_that_of_the_published_standard():
    """EIP-712 by hand: keccak(1901, domain separator, struct hash)."""

    def word(value: int | str) -> bytes:
        return (value if isinstance(value, int) else int(value, 16)).to_bytes(32, "big")

    domain = keccak256(
        keccak256(b"EIP712Domain(string name,string version)")
        + keccak256(b"Telefine Trace Submission")
        + keccak256(b"1")
    )
    kind = b"TraceSubmission(bytes32 traceDigest,address contributor,uint64 time,bytes32 salt)"
    said = keccak256(keccak256(kind) + word(DIGEST) + word(ADA.address) + word(NOW_S) + word(SALT))
    assert GOOD.submission.digest == "0x" + keccak256(b"\x19\x01" + domain + said).hex()


@pytest.mark.parametrize(
    "digest",
    [
        SCOPE.trace_digest(cluster_of({"text": "hello you"})),
        Scope("other", "tickets").trace_digest(CONTENT),
        Scope("shop", "other").trace_digest(CONTENT),
    ],
)
def test_for_another_content_program_or_deployment_it_is_worth_nothing(digest):
    assert refusal(GOOD, digest) == "wrong_trace"
    assert refusal(SignedSubmission.from_tag(GOOD.to_tag(), digest), digest) == "bad_signature"


@pytest.mark.parametrize("contributor", [BOB.address, None])
def test_it_holds_for_traces_of_its_own_contributor_only(contributor):
    assert refusal(GOOD, contributor=contributor) == "wrong_contributor"


def test_nobody_signs_for_another():
    said = TraceSubmission(DIGEST, BOB.address, NOW_S, SALT)
    assert refusal(SignedSubmission(said, GOOD.signature), contributor=BOB.address) == "bad_signature"


def test_a_clock_may_be_five_minutes_ahead_and_no_more():
    check_submission(signed("hello", time=NOW_S + 300), DIGEST, ADA.address, NOW_MS)
    assert refusal(signed("hello", time=NOW_S + 301)) == "from_the_future"
    check_submission(signed("hello", time=0), DIGEST, ADA.address, NOW_MS)


@pytest.mark.parametrize(
    "twin",
    [
        lambda s: Signature(55 - s.v, s.r, CURVE_ORDER - s.s),
        lambda s: Signature(s.v - 27, s.r, s.s),
        lambda s: Signature(55 - s.v, s.r, s.s),
        lambda s: Signature(s.v, 0, s.s),
        lambda s: Signature(s.v, s.r, s.s ^ 1),
    ],
)
def test_a_malleated_or_changed_signature_is_refused(twin):
    assert refusal(SignedSubmission(GOOD.submission, twin(GOOD.signature))) == "bad_signature"


@pytest.mark.parametrize("field", ["time", "salt"])
def test_nothing_that_was_signed_can_be_changed(field):
    tag = json.loads(GOOD.to_tag())
    tag[field] = {"time": NOW_S - 1, "salt": "0x" + "5b" * 32}[field]
    assert refusal(SignedSubmission.from_tag(json.dumps(tag), DIGEST)) == "bad_signature"


@pytest.mark.parametrize(
    "change",
    [
        {"contributor": ADA.address.lower()},
        {"contributor": "ada.eth"},
        {"contributor": "0x" + "0" * 40},
        {"time": str(NOW_S)},
        {"time": 1.5},
        {"time": True},
        {"time": -1},
        {"time": 2**64},
        {"salt": "0x5a"},
        {"salt": "0x" + "5A" * 32},
        {"traceDigest": DIGEST},
        {"signature": "0x" + "00" * 65},
        {"signature": {"v": "27", "r": SALT, "s": SALT}},
        {"signature": {"v": 27, "r": SALT}},
    ],
)
def test_a_tag_of_any_other_form_is_malformed(change):
    with pytest.raises(SubmissionRefused, match="malformed: "):
        SignedSubmission.from_tag(json.dumps(json.loads(GOOD.to_tag()) | change), DIGEST)


@given(st.text(max_size=60) | st.recursive(st.integers() | st.text(max_size=5), st.lists).map(json.dumps))
def test_no_tag_does_worse_than_being_malformed(tag):
    with pytest.raises(SubmissionRefused, match="malformed"):
        SignedSubmission.from_tag(tag, DIGEST)


@pytest.mark.parametrize("tag", ["[" * 100_000, '{"time":1,"time":1}', "\ud800"])
def test_a_hostile_tag_is_malformed_too(tag):
    with pytest.raises(SubmissionRefused, match="malformed"):
        SignedSubmission.from_tag(tag, DIGEST)


def test_nothing_of_another_form_is_signed():
    with pytest.raises(RecordError, match=r"submission\.salt"):
        sign_submission(ADA, DIGEST, NOW_S, "0x5a")
    with pytest.raises(RecordError, match=r"submission\.traceDigest"):
        sign_submission(ADA, DIGEST[2:], NOW_S, SALT)
    with pytest.raises(AddressError, match=r"submission\.contributor"):
        TraceSubmission(DIGEST, ADA.address.lower(), NOW_S, SALT)
