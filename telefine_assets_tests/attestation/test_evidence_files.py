"""Evidence from a stranger: whatever is in the files, the answer is a code, soon, and not a crash."""

import json

import pytest

from telefine_assets.attestation.attesting import claim_of
from telefine_assets.attestation.checks import check_decision
from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets.attestation.files import DEMOS, LOOKS, REPORT, ROWS, TRAINSET
from telefine_assets.attestation.reissued import recheck
from telefine_assets.attestation.statement import build_statement
from telefine_assets.canonical import canonical_json
from telefine_assets_tests.cli.attested_home import ALICE, MONDAY, evidence_of

HONEST = evidence_of(MONDAY, [ALICE])
CLAIM = claim_of("triage", MONDAY, HONEST)
PREDICATE = build_statement(CLAIM)["predicate"] | {"candidateVersion": CLAIM.candidate_version}


def report(**changes):
    return canonical_json(json.loads(HONEST[REPORT]) | changes)


def rules(**changes):
    return report(rules=json.loads(HONEST[REPORT])["rules"] | changes)


def refused(files, predicate=PREDICATE):
    with pytest.raises(VerificationFailed) as caught:
        check_decision(predicate, files, recheck)
    return caught.value


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (ROWS, b"[" * 200_000),
        (ROWS, b"no json"),
        (ROWS, HONEST[ROWS].replace(b'{"baseline_error"', b'{"item":"first","baseline_error"', 1)),
        (REPORT, b"{}"),
        (REPORT, b"[]"),
        (REPORT, rules(alpha="1e-99999999")),
        (REPORT, rules(permutations=10**15)),
        (REPORT, report(look=json.loads(HONEST[REPORT])["look"] | {"number": 10**9})),
        (DEMOS, b"[{}]"),
        (DEMOS, b'{"a": 1}'),
        (LOOKS, b"[]"),
        (LOOKS, b"[1]"),
        (TRAINSET, b"7"),
        (TRAINSET, b'{"side":"train"}'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_that_are_none_of_their_kind_are_refused_with_a_code(name, content):
    failure = refused(HONEST | {name: content})
    assert failure.code in (FailureCode.EVIDENCE_MALFORMED, FailureCode.DECISION_MISMATCH)


@pytest.mark.parametrize("change", [{"name": "human_expert_panel"}, {"digest": "ab" * 32}])
def test_the_stated_metric_is_the_one_that_scored(change):
    failure = refused(HONEST, PREDICATE | {"metric": PREDICATE["metric"] | change})
    assert failure.code is FailureCode.DECISION_MISMATCH
    assert "metric" in failure.detail


def test_honest_files_agree_with_their_statement():
    check_decision(PREDICATE, HONEST, recheck)
