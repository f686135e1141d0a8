"""The tamper matrix: every field of every part, changed, removed or added, is refused with its code."""

from collections import defaultdict
from dataclasses import replace
from re import fullmatch

import pytest

from telefine_assets.attestation.eas import AttestMessage, Envelope
from telefine_assets.attestation.failures import VerificationFailed
from telefine_assets.attestation.signatures import CURVE_ORDER
from telefine_assets.attribution.records import Fields
from telefine_assets_tests.attestation.example import ALICE, evidence_files
from telefine_assets_tests.attestation.logs import EVIDENCE
from telefine_assets_tests.attestation.matrix import BUNDLE, PARTS, verify_parts
from telefine_assets_tests.attestation.tampering import put, tampered

MALFORMED = {
    "envelope": "malformed_envelope",
    "statement": "statement_malformed",
    "receipt": "log_receipt_malformed",
    "cosignatures": "cosignatures_malformed",
    "log": "log_malformed",
}
# What a change that keeps to the form is refused with, by its place. The form's own code may be met everywhere.
CODES = {
    "envelope": {
        r"signer|sig\.signature\.[vrs]": "bad_signature",
        r"sig\.uid|sig\.message\.(recipient|time|expirationTime|refUID|data|salt)": "uid_mismatch",
        r"sig\.domain\.(version|chainId|verifyingContract)": "wrong_domain",
        r"sig\.message\.(schema|revocable)": "wrong_schema",
    },
    "statement": {
        r"subject\.\*\.digest\.sha256": "statement_mismatch",
        r"predicate\.(partition|baselineVersion|tracesetRoot|looksDigest|payoutRoot)": "statement_mismatch",
        r"predicate\.(metric|lm)\.(name|digest)|predicate\.holdout\.(digest|n)": "statement_mismatch",
        r"predicate\.decision\.(deltaPpm|lowerPpm|p|alpha|look|wins|losses|grade|method)": "statement_mismatch",
        r"predicate\.weights\.(method|contributors|escrow|(contributors|escrow)\.\*\.\w+)": "statement_mismatch",
        r"predicate\.evidence(\.\*\.\w+)?": "statement_mismatch",
    },
    "receipt": {
        r"index|proof(\.\*)?": "log_proof_invalid",
        r"head\.(origin|size|root|signature\.[vrs])": "log_head_untrusted",
    },
    "cosignatures": {
        r"\*\.(signer|signature\.[vrs])": "bad_cosignature",
        r"": "threshold_not_met",
    },
    "log": {
        r"head\.(origin|signature\.[vrs])": "log_head_untrusted",
        r"head\.(size|root)|leaves(\.\*)?": "log_root_mismatch",
    },
}


def refused(**changes):
    with pytest.raises(VerificationFailed) as error:
        verify_parts(**changes)
    return str(error.value.code)


def test_unchanged_it_passes_and_nothing_is_left_unchecked():
    verified = verify_parts()
    assert verified.unchecked == ()
    assert len(verified.signers) == 2


@pytest.mark.parametrize("part", list(PARTS))
def test_no_change_of_any_field_passes_and_each_has_its_code(part):
    found, passed = defaultdict(set), []
    for path, what, changed in tampered(PARTS[part]):
        where = ".".join("*" if isinstance(key, int) else key for key in path)
        try:
            verify_parts(**{part: changed})
            passed.append(f"{where} {what}")
        except VerificationFailed as failure:
            assert failure.detail
            found[where].add(str(failure.code))
    assert passed == []
    assert len(found) >= 6
    for where, codes in found.items():
        stated = {code for pattern, code in CODES[part].items() if fullmatch(pattern, where)}
        assert stated <= codes <= stated | {MALFORMED[part]}, where
    assert all(any(fullmatch(pattern, where) for where in found) for pattern in CODES[part])


@pytest.mark.parametrize("part", list(PARTS))
@pytest.mark.parametrize("value", [[5], "text", 5, {}, True, [[]]])
def test_what_is_no_such_part_is_refused(part, value):
    assert refused(**{part: value}) == MALFORMED[part]


@pytest.mark.parametrize("name", sorted(evidence_files()))
def test_one_bit_of_any_evidence_file_is_noticed(name):
    data = evidence_files()[name]
    digest = next(key for key, value in EVIDENCE.items() if value == data)
    for at in {0, len(data) - 1, *range(0, len(data), max(1, len(data) // 24))}:
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        assert refused(evidence=EVIDENCE | {digest: bytes(flipped)}) == "evidence_digest_mismatch"
    assert refused(evidence=EVIDENCE | {digest: data + b"\n"}) == "evidence_digest_mismatch"
    assert refused(evidence={key: value for key, value in EVIDENCE.items() if key != digest}) == "evidence_missing"


def twin(signature):
    """The other signature that anybody can compute from one."""
    s = f"0x{CURVE_ORDER - int(signature['s'], 16):064x}"
    return signature | {"v": 55 - signature["v"], "s": s}


@pytest.mark.parametrize(
    ("part", "path", "code"),
    [
        ("envelope", ("sig", "signature"), "high_s"),
        ("receipt", ("head", "signature"), "log_head_untrusted"),
        ("cosignatures", (0, "signature"), "high_s"),
        ("log", ("head", "signature"), "log_head_untrusted"),
    ],
)
def test_the_twin_of_a_signature_is_refused(part, path, code):
    value = PARTS[part]
    for key in path:
        value = value[key]
    assert refused(**{part: put(PARTS[part], path, twin(value))}) == code


def test_a_recomputed_uid_does_not_save_a_changed_message():
    envelope = put(PARTS["envelope"], ("sig", "message", "expirationTime"), "99999999999")
    uid = AttestMessage.from_json(Fields(envelope["sig"]["message"], "message")).uid
    assert refused(envelope=put(envelope, ("sig", "uid"), uid)) == "bad_signature"


def test_a_cosignature_of_another_attestation_or_in_anothers_name_is_refused():
    from telefine_assets.attestation.cosigning import cosign
    from telefine_assets_tests.attestation.logs import SECOND, THIRD

    envelope = Envelope.from_json(BUNDLE.envelope)
    other = replace(envelope, message=replace(envelope.message, recipient=ALICE))
    assert refused(cosignatures=[cosign(other, SECOND).to_json()]) == "bad_cosignature"
    named = replace(cosign(envelope, THIRD), signer=SECOND.address)
    assert refused(cosignatures=[named.to_json()]) == "bad_cosignature"
