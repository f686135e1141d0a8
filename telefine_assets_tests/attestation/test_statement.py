"""The statement: canonical, deterministic, read strictly."""

import json
from dataclasses import replace

import pytest

from telefine_assets.attestation.bundle import AttestationBundle, attest
from telefine_assets.attestation.claim import EvidenceFile, Named, partition_time
from telefine_assets.attestation.failures import VerificationFailed
from telefine_assets.attestation.statement import (
    build_statement,
    derive_salt,
    evidence_digest,
    parse_statement,
    statement_bytes,
)
from telefine_assets.attribution.records import RecordError
from telefine_assets_tests.attestation.example import (
    ATTESTER,
    DECISION,
    DOMAIN,
    changed_decision,
    claim_of,
    evidence_files,
    make_example,
)

CLAIM = claim_of(evidence_files())


def test_a_statement_reads_back_as_its_claim():
    statement = json.loads(statement_bytes(build_statement(CLAIM)))
    assert parse_statement(statement) == CLAIM
    assert statement_bytes(build_statement(parse_statement(statement))) == statement_bytes(statement)


def test_it_is_an_in_toto_statement_over_the_candidate():
    statement = build_statement(CLAIM)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://telefine.dev/deltaone/v1"
    assert statement["subject"] == [{"name": "sentiment", "digest": {"sha256": CLAIM.candidate_version}}]


def test_the_same_claim_gives_the_same_bundle_to_the_byte():
    assert attest(CLAIM, DOMAIN, ATTESTER).to_bytes() == attest(CLAIM, DOMAIN, ATTESTER).to_bytes()


def test_the_salt_follows_from_the_evidence_and_is_not_its_digest():
    digest = evidence_digest(build_statement(CLAIM))
    other = evidence_digest(build_statement(replace(CLAIM, program="other")))
    assert derive_salt(digest) == derive_salt(digest)
    assert len({derive_salt(digest), derive_salt(other), "0x" + digest}) == 3


def test_the_time_of_a_partition_is_the_end_of_its_day():
    assert partition_time("1970-01-01") == 86_400
    assert partition_time("2024-02-29") == partition_time("2024-03-01") - 86_400


@pytest.mark.parametrize("day", ["2026-2-1", "20261120", "2026-02-30", "1969-12-31", "9999-12-31", "", None, 5])
def test_what_is_no_partition_is_refused(day):
    with pytest.raises(RecordError, match="partition"):
        partition_time(day)


@pytest.mark.parametrize(
    "change",
    [
        {"program": ""},
        {"program": "\ud800"},
        {"candidate_version": CLAIM.baseline_version},
        {"baseline_version": "0x" + "1" * 64},
        {"payout_root": "1" * 64},
        {"evidence": CLAIM.evidence[::-1]},
        {"evidence": CLAIM.evidence * 2},
        {"decision": changed_decision(n=399)},
    ],
)
def test_a_claim_out_of_form_is_refused(change):
    with pytest.raises(RecordError):
        replace(CLAIM, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"p": "0,1"},
        {"p": 0.1},
        {"p": "1.1"},
        {"p": "-0.1"},
        {"p": "1e-9999"},
        {"p": "1/0"},
        {"alpha": "nan"},
        {"look": 0},
        {"wins": 399},
        {"n": True},
        {"grade": ""},
    ],
)
def test_a_decision_out_of_form_is_refused(change):
    with pytest.raises(RecordError, match="decision"):
        changed_decision(**change)


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", ".hidden", "a//b", "a/../b", "", "a\\b", "b\u00e9"])
def test_a_file_name_that_could_leave_its_folder_is_refused(name):
    with pytest.raises(RecordError, match=r"evidence\.name"):
        EvidenceFile(name, "0" * 64, 1, "text/plain")


@pytest.mark.parametrize(
    ("p", "alpha", "met"), [("1e-5", "1/120", True), ("0.025", "0.025", False), ("0", "0.025", True)]
)
def test_decimals_are_compared_exactly(p, alpha, met):
    assert (changed_decision(p=p, alpha=alpha).why_not_met() is None) == met


def test_one_point_exactly_is_a_delta_one_and_a_part_less_is_not():
    assert changed_decision(delta_ppm=10_000).why_not_met() is None
    assert changed_decision(delta_ppm=9_999).why_not_met()


def test_what_is_no_delta_one_is_not_attested():
    with pytest.raises(RecordError, match="no DeltaOne"):
        attest(replace(CLAIM, decision=replace(DECISION, delta_ppm=9_999)), DOMAIN, ATTESTER)
    halved = replace(CLAIM.weights, contributors=CLAIM.weights.contributors[:1])
    with pytest.raises(RecordError, match="sum to"):
        attest(replace(CLAIM, weights=halved), DOMAIN, ATTESTER)


def test_a_bundle_reads_back_and_repeated_keys_are_refused():
    bundle = make_example().bundle
    assert AttestationBundle.from_bytes(bundle.to_bytes()) == bundle
    text = bundle.to_bytes().decode()
    for bad in ("", "[]", "{}", text[:-1] + ',"receipt":null}', text[:-1] + ',"more":1}', '{"a":' * 100_000):
        with pytest.raises(VerificationFailed) as error:
            AttestationBundle.from_bytes(bad.encode())
        assert error.value.code == "bundle_malformed"


def test_a_name_needs_a_digest():
    with pytest.raises(RecordError):
        Named("gpt", "latest")
