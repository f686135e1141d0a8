"""Preflight: each revert of the contract by one change, each bad signature by its code."""

import pytest

from telefine_assets.attestation.signatures import CURVE_ORDER
from telefine_assets.attribution.addresses import ZERO_ADDRESS
from telefine_assets.payouts.preflight import (
    BadSignature,
    Chain,
    Code,
    assemble,
    preflight,
    signature_problems,
    signer_of,
)
from telefine_assets_tests.payouts.mint import KNOWN, SIGNERS, request, signed
from telefine_assets_tests.payouts.test_plan import wallet

NOW = 1_763_600_000
ZERO = "0x" + "0" * 64
KEY = KNOWN["payload"]["anchors"]["idempotencyKey"]
HEAD = KNOWN["payload"]["baselineCommitment"]
CHAIN = Chain(HEAD, frozenset(), frozenset(each.address for each in SIGNERS[:2]), 2, reward=100, budget=100)
SIGNED = [signed(request(), signer) for signer in SIGNERS]


def weights(*pairs):
    return [{"walletAddress": address, "weight": weight} for address, weight in pairs]


def codes(problems):
    return [problem.code for problem in problems]


def test_a_good_request_has_no_problem_and_nothing_unknown():
    assert (preflight(request(), CHAIN, NOW), CHAIN.unknown) == ([], [])
    assert signature_problems(request(), SIGNED[:2], CHAIN) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"payload__baselineScoreBps": 10_001}, "baseline_score_over_limit"),
        ({"payload__candidateScoreBps": 10_001}, "candidate_score_over_limit"),
        ({"payload__pipelineRunId": ""}, "run_id_empty"),
        ({"payload__anchors__metricName": ""}, "metric_name_empty"),
        ({"payload__anchors__idempotencyKey": ZERO}, "idempotency_key_zero"),
        ({"payload__anchors__idempotencyKey": "0x" + "1" * 64}, "idempotency_key_wrong"),
        ({"modelId": "7"}, "idempotency_key_wrong"),
        ({"payload__deadline": NOW}, "deadline_passed"),
        ({"payload__candidateCommitment": ZERO}, "candidate_commitment_zero"),
        ({"payload__baselineCommitment": "0x" + "1" * 64}, "baseline_not_head"),
        (
            {"contributors": weights(*((wallet(i), 99 if i < 100 else 100) for i in range(101)))},
            "too_many_contributors",
        ),
        ({"contributors": weights((wallet(0), 5000), (wallet(0), 5000))}, "duplicate_contributor"),
        ({"contributors": weights((wallet(0), 5000), (ZERO_ADDRESS, 5000))}, "zero_address"),
        ({"contributors": weights((wallet(0), 9999))}, "weights_do_not_sum"),
        ({"contributors": weights((wallet(0), 10_001))}, "weights_do_not_sum"),
    ],
)
def test_every_revert_is_named(change, code):
    assert codes(preflight(request(**change), CHAIN, NOW)) == [code]


def test_no_contributors_is_two_problems():
    found = codes(preflight(request(contributors=[]), CHAIN, NOW))
    assert found == ["no_contributors", "weights_do_not_sum"]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"head": ZERO}, "baseline_not_head"),
        ({"used_keys": frozenset({KEY})}, "idempotency_key_used"),
        ({"reward": 101}, "reward_over_budget"),
    ],
)
def test_what_the_chain_holds_against_a_request_is_named(state, code):
    chain = Chain(**{**vars(CHAIN), **state})
    assert codes(preflight(request(), chain, NOW)) == [code]


def test_the_limits_themselves_are_allowed():
    full = weights(*((wallet(i), 100) for i in range(100)))
    edge = request(contributors=full, payload__candidateScoreBps=10_000, payload__deadline=NOW + 1)
    assert preflight(edge, CHAIN, NOW) == []


def test_what_is_not_known_is_listed_and_raises_no_problem():
    assert preflight(request(), Chain(), NOW) == []
    assert Chain().unknown == ["head", "used_keys", "attesters", "required", "reward", "budget"]


def malleated(signature):
    r, s, v = signature[2:66], int(signature[66:130], 16), int(signature[130:], 16)
    return f"0x{r}{CURVE_ORDER - s:064x}{55 - v:02x}"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (malleated, "signature_high_s"),
        (lambda s: s[:-2], "signature_malformed"),
        (lambda s: s + "00", "signature_malformed"),
        (str.upper, "signature_malformed"),
        (lambda s: s[2:], "signature_malformed"),
        (lambda s: s[:-2] + f"{int(s[-2:], 16) - 27:02x}", "signature_invalid"),
        (lambda s: "0x" + "0" * 64 + s[66:], "signature_invalid"),
        (lambda s: s[:66] + "0" * 64 + s[130:], "signature_invalid"),
        (lambda s: "0x" + "f" * 64 + s[66:], "signature_invalid"),
    ],
)
def test_a_bad_signature_has_its_code(spoil, code):
    bad = spoil(SIGNED[0])
    assert code in codes(signature_problems(request(), [bad, SIGNED[1]], CHAIN))
    with pytest.raises(BadSignature) as caught:
        assemble(request(), [SIGNED[1], bad])
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("signatures", "found"),
    [
        ([], [Code.TOO_FEW_SIGNATURES]),
        (SIGNED[:1], [Code.TOO_FEW_SIGNATURES]),
        (SIGNED[1::-1], [Code.SIGNATURES_UNORDERED]),
        ([SIGNED[0], SIGNED[0], SIGNED[1]], [Code.DUPLICATE_SIGNER]),
        (SIGNED, [Code.SIGNER_NOT_REGISTERED]),
    ],
)
def test_signatures_that_the_contract_would_refuse_as_a_list(signatures, found):
    assert codes(signature_problems(request(), signatures, CHAIN)) == found


def test_without_knowing_the_contract_at_least_one_signature_is_wanted():
    assert codes(signature_problems(request(), [], Chain())) == ["too_few_signatures"]
    assert signature_problems(request(), SIGNED, Chain()) == []


def test_a_signature_over_another_request_is_a_strangers():
    other = signed(request(payload__deadline=4102444801), SIGNERS[0])
    assert "signer_not_registered" in codes(signature_problems(request(), [other, SIGNED[1]], CHAIN))


def test_signatures_are_assembled_ascending_by_signer_whatever_their_order():
    assert assemble(request(), reversed(SIGNED)) == tuple(SIGNED)
    assert [signer_of(request(), each) for each in SIGNED] == [signer.address for signer in SIGNERS]


def test_two_signatures_of_one_signer_are_not_assembled():
    with pytest.raises(BadSignature, match="more than once"):
        assemble(request(), [SIGNED[0], SIGNED[0]])
