"""Why an attestation was not accepted: one stable code per failure.

The codes are an interface: scripts branch on them and the command line prints
them. They are never renamed or reused.
"""

from __future__ import annotations

from enum import StrEnum

from telefine_assets.errors import TelefineError


class FailureCode(StrEnum):
    """What verification found wrong."""

    BUNDLE_MALFORMED = "bundle_malformed"
    MALFORMED_ENVELOPE = "malformed_envelope"
    WRONG_SCHEMA = "wrong_schema"
    WRONG_DOMAIN = "wrong_domain"
    UID_MISMATCH = "uid_mismatch"
    BAD_SIGNATURE = "bad_signature"
    HIGH_S = "high_s"
    UNTRUSTED_SIGNER = "untrusted_signer"
    COSIGNATURES_MALFORMED = "cosignatures_malformed"
    BAD_COSIGNATURE = "bad_cosignature"
    THRESHOLD_NOT_MET = "threshold_not_met"
    REVOKED = "revoked"
    REPLACED_NOT_REVOKED = "replaced_not_revoked"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    DATA_MALFORMED = "data_malformed"
    STATEMENT_MALFORMED = "statement_malformed"
    STATEMENT_MISMATCH = "statement_mismatch"
    SALT_MISMATCH = "salt_mismatch"
    TIME_MISMATCH = "time_mismatch"
    PROGRAM_MISMATCH = "program_mismatch"
    BASELINE_MISMATCH = "baseline_mismatch"
    DELTA_MISMATCH = "delta_mismatch"
    HOLDOUT_MISMATCH = "holdout_mismatch"
    CLAIM_NOT_MET = "claim_not_met"
    WEIGHTS_DO_NOT_SUM = "weights_do_not_sum"
    WEIGHTS_MISMATCH = "weights_mismatch"
    PAYOUT_ROOT_MISMATCH = "payout_root_mismatch"
    EVIDENCE_MISSING = "evidence_missing"
    EVIDENCE_ERASED = "evidence_erased"
    EVIDENCE_DIGEST_MISMATCH = "evidence_digest_mismatch"
    EVIDENCE_MALFORMED = "evidence_malformed"
    DECISION_MISMATCH = "decision_mismatch"
    LOG_RECEIPT_MISSING = "log_receipt_missing"
    LOG_RECEIPT_MALFORMED = "log_receipt_malformed"
    LOG_PROOF_INVALID = "log_proof_invalid"
    LOG_HEAD_UNTRUSTED = "log_head_untrusted"
    LOG_MALFORMED = "log_malformed"
    LOG_ROOT_MISMATCH = "log_root_mismatch"
    LOG_GENESIS_UNTRUSTED = "log_genesis_untrusted"
    LOG_MISSING = "log_missing"
    LOG_STALE = "log_stale"
    LOG_INCONSISTENT = "log_inconsistent"


class VerificationFailed(TelefineError):
    """An attestation was not accepted.

    Attributes:
        code: the stable code.
        detail: which file or field is wrong, what was expected and found.
    """

    def __init__(self, code: FailureCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type[VerificationFailed], tuple[FailureCode, str]]:
        """Pickle by code and detail, so that the error survives a process boundary."""
        return type(self), (self.code, self.detail)


def expect(code: FailureCode, what: str, expected: object, found: object) -> None:
    """Refuse with ``code`` unless ``found`` equals ``expected``.

    Raises:
        VerificationFailed: naming ``what``, the expected and the found value.
    """
    if found != expected:
        raise VerificationFailed(code, f"{what}: expected {expected!r}, found {found!r}")
