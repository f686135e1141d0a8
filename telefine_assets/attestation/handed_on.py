"""An attestation as a stranger has it: a few files by name, verified with what lies beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from telefine_assets.attestation.bundle import BUNDLE_FILE, AttestationBundle
from telefine_assets.attestation.export import EVIDENCE_FOLDER
from telefine_assets.attestation.failures import FailureCode, VerificationFailed
from telefine_assets.attestation.policy import SignerPolicy
from telefine_assets.attestation.policy_file import POLICY_FILE, parse_policy
from telefine_assets.attestation.reissued import recheck
from telefine_assets.attestation.snapshot import LOG_FILE, CheckedLog, Snapshot, check_snapshot
from telefine_assets.attestation.verify import VerifiedAttestation, verify_bundle
from telefine_assets.errors import TelefineError


@dataclass(frozen=True)
class HandedOn:
    """An attestation that was verified from its files.

    Attributes:
        bundle: the attestation.
        verified: what was verified.
        log: the log beside it; None where there is none.
    """

    bundle: AttestationBundle
    verified: VerifiedAttestation
    log: CheckedLog | None


def verify_files(files: Mapping[str, bytes], policy: SignerPolicy, at: int, accept_erased: bool = False) -> HandedOn:
    """Verify an attestation with the log and the evidence among its files.

    Args:
        files: contents by name, as ``archive.read_bundle`` gives them.
        policy: whom to trust; ``policy.json`` among the files is the sender's opinion.
        at: now, seconds since 1970 UTC.
        accept_erased: pass although evidence was erased, as ``verify`` does.

    Raises:
        VerificationFailed: with the code of what is wrong.
    """
    if BUNDLE_FILE not in files:
        raise VerificationFailed(FailureCode.BUNDLE_MALFORMED, f"there is no {BUNDLE_FILE}")
    bundle = AttestationBundle.from_bytes(files[BUNDLE_FILE])
    log = check_snapshot(Snapshot.from_bytes(files[LOG_FILE]), policy) if LOG_FILE in files else None
    verified = verify_bundle(
        bundle,
        lambda digest: files.get(f"{EVIDENCE_FOLDER}/{digest}"),
        policy if log is None else log.policy,
        at=at,
        log=log,
        recheck_decision=recheck,
        accept_erased=accept_erased,
    )
    return HandedOn(bundle, verified, log)


def policy_among(files: Mapping[str, bytes]) -> SignerPolicy:
    """Whom the sender says to trust: good only for who compares its first key with the one that he knows.

    Raises:
        TelefineError: there is no policy among the files, or it is none.
    """
    if POLICY_FILE not in files:
        raise TelefineError(f"there is no {POLICY_FILE} beside the attestation; say whom you trust with --policy FILE")
    return parse_policy(files[POLICY_FILE], POLICY_FILE)
