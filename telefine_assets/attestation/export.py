"""An attestation as a folder that can be handed to a stranger.

::

    attestation.json      envelope, statement, log receipt and cosignatures
    policy.json           whom the sender says to trust: compare it with what you know
    log.json              the whole log under a newly signed head: every key and revocation
    evidence/<sha256>     the evidence files
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from telefine_assets.attestation.bundle import BUNDLE_FILE, AttestationBundle
from telefine_assets.attestation.log_writing import require_good
from telefine_assets.attestation.policy_file import POLICY_FILE, policy_bytes
from telefine_assets.attestation.signatures import Signer
from telefine_assets.attestation.snapshot import LOG_FILE, take_snapshot
from telefine_assets.attestation.trust import Trust
from telefine_assets.errors import TelefineError

EVIDENCE_FOLDER = "evidence"
RESTATE = "Then have it said again: telefine erase restate"


def export(folder: Path, stored: bytes, trust: Trust, signer: Signer, get: Callable[[str], bytes]) -> list[Path]:
    """Write the folder; returns the files.

    Raises:
        RecordRefused: see ``exported``; so is SigningError.
    """
    written = []
    for name, content in exported(stored, trust, signer, get).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return written


def exported(stored: bytes, trust: Trust, signer: Signer, get: Callable[[str], bytes]) -> dict[str, bytes]:
    """The folder's files by name.

    ``stored`` is the bundle as the evidence has it, ``get`` gives evidence by SHA-256. What the log says was
    erased is left out where it is gone.

    Raises:
        RecordRefused: the signer's key is not good in the log, so that nobody would believe its head.
        SigningError: the signer failed.
    """
    bundle = trust.cosigned(AttestationBundle.from_bytes(stored))
    now = trust.log()
    require_good(now.state, signer.address)
    snapshot = take_snapshot(trust.leaves.leaves(now.state.size), trust.origin, signer)
    files = {
        BUNDLE_FILE: bundle.to_bytes(),
        POLICY_FILE: policy_bytes(now.policy),
        LOG_FILE: snapshot.to_bytes(),
    }
    for file in bundle.statement["predicate"]["evidence"]:
        try:
            files[f"{EVIDENCE_FOLDER}/{file['sha256']}"] = get(file["sha256"])
        except TelefineError as error:
            words = now.state.erased.get(file["sha256"], ())
            if words and not any(now.policy.counts(line.signer, line.position) for line in words):
                raise TelefineError(f"{error}. Was it erased, and has the key leaked since? {RESTATE}") from error
            if not words:
                raise
    return files
