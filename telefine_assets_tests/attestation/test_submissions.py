"""An attestation rests on signed submissions only if they were signed, for its own program and deployment."""

from dataclasses import replace

import pytest

from telefine_assets.attestation.bundle import attest
from telefine_assets.attestation.failures import VerificationFailed
from telefine_assets.attestation.files import EvidenceContradiction
from telefine_assets.attestation.reissued import recheck
from telefine_assets.attribution.facts import FACTS_FILE, read_facts, write_facts
from telefine_assets.attribution.submissions import LoggedSubmission, Scope
from telefine_assets.attribution.usage import Arrival, UsedDemo
from telefine_assets.canonical import sha256_hex
from telefine_assets.traces.clusters import cluster_of
from telefine_assets_tests.attestation.example import (
    ATTESTER,
    DOMAIN,
    ORIGIN,
    Example,
    claim_of,
    evidence_files,
    logged,
    make_example,
)
from telefine_assets_tests.attribution.signing import ADA, BOB, NOW_MS, signed
from telefine_assets_tests.cli.attested_home import evidence_of

SCOPE = Scope(ORIGIN, "sentiment")


def attested(scope: Scope = SCOPE, signed_for: Scope = SCOPE):
    """An attestation with one demo, which Bob claims to have sent first and Ada signed for."""
    arrivals = [
        Arrival("c", "t1", BOB.address, None, 0, cluster_of({"text": "hello"})),
        Arrival(
            "c", "t2", ADA.address, None, 9, cluster_of({"text": "hello"}),
            LoggedSubmission(signed("hello", ADA, signed_for), 7, NOW_MS),
        ),
    ]  # fmt: skip
    return evidence_files() | {FACTS_FILE: write_facts([UsedDemo("c", "t1", 9)], arrivals, scope)}


def test_who_signed_is_paid():
    verified = make_example(attested()).verify()
    assert verified.data.contributors == (ADA.address,)


@pytest.mark.parametrize("scope", [Scope("elsewhere", "sentiment"), Scope(ORIGIN, "other")])
def test_facts_of_another_deployment_or_program_are_refused(scope):
    with pytest.raises(VerificationFailed) as caught:
        make_example(attested(scope, scope)).verify()
    assert str(caught.value.code) == "weights_mismatch"


def test_an_attester_who_makes_a_submission_up_is_refused():
    honest, forged = attested(), attested(signed_for=Scope(ORIGIN, "other"))
    claim = claim_of(honest)
    files = tuple(
        replace(each, sha256=sha256_hex(forged[each.name]), size=len(forged[each.name])) for each in claim.evidence
    )
    bundle = logged(attest(claim=replace(claim, evidence=files), domain=DOMAIN, signer=ATTESTER))
    with pytest.raises(VerificationFailed, match="bad_signature") as caught:
        Example(bundle, {sha256_hex(data): data for data in forged.values()}).verify()
    assert str(caught.value.code) == "evidence_malformed"


@pytest.mark.parametrize(
    ("content", "program", "words"),
    [("0" * 64, "triage", "contributor and content of"), (None, "triage", "content of"), ("", "other", "program")],
)
def test_the_facts_name_the_content_and_the_program_of_the_other_evidence(content, program, words):
    files = evidence_of("2026-11-02", [ADA.address])
    assert recheck(files)["program"] == "triage"
    facts = read_facts(files[FACTS_FILE])
    arrivals = [each if content == "" else replace(each, content=content) for each in facts.arrivals]
    files[FACTS_FILE] = write_facts(facts.demos, arrivals, Scope("paid", program))
    with pytest.raises(EvidenceContradiction, match=words):
        recheck(files)
