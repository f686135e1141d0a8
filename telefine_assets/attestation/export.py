"""An attestation as a folder that can be handed to a stranger.

::

    attestation.json      envelope, statement and log receipt
    policy.json           whom the sender says to trust: compare it with what you know
    evidence/<sha256>     the evidence files
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from telefine_assets.attestation.bundle import BUNDLE_FILE, AttestationBundle
from telefine_assets.attestation.eas import EasDomain
from telefine_assets.attestation.policy import SignerPolicy, TrustedSigner
from telefine_assets.attribution.records import Fields, load_json
from telefine_assets.canonical import canonical_json
from telefine_assets.errors import TelefineError

POLICY_FILE, EVIDENCE_FOLDER = "policy.json", "evidence"


def export(folder: Path, bundle: bytes, policy: SignerPolicy, get: Callable[[str], bytes]) -> list[Path]:
    """Write the folder; returns the files. ``get`` gives evidence by SHA-256."""
    statement = AttestationBundle.from_bytes(bundle).statement
    files = {BUNDLE_FILE: bundle, POLICY_FILE: canonical_json(policy_to_json(policy))}
    for file in statement["predicate"]["evidence"]:
        files[f"{EVIDENCE_FOLDER}/{file['sha256']}"] = get(file["sha256"])
    written = []
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return written


def policy_to_json(policy: SignerPolicy) -> dict[str, Any]:
    """A policy as ``policy.json`` holds it."""
    return {
        "domain": policy.domain.to_json(),
        "signers": [
            {"address": each.address, "firstIndex": each.first_index, "lastIndex": each.last_index}
            for each in policy.signers
        ],
        "logOrigin": policy.log_origin,
        "logKeys": sorted(policy.log_keys),
        "revokedUids": sorted(policy.revoked_uids),
    }


def read_policy(path: Path) -> SignerPolicy:
    """Read ``policy.json``.

    Raises:
        TelefineError: when it cannot be read or is no policy.
    """
    try:
        fields = Fields(load_json(path.read_bytes(), path.name), path.name)
    except OSError as error:
        raise TelefineError(f"{path}: cannot be read ({error.strerror}); name a policy with --policy") from None
    policy = SignerPolicy(
        domain=EasDomain.from_json(fields.child("domain")),
        signers=tuple(
            TrustedSigner(row.text("address"), row.integer("firstIndex", 0, 2**53), row.take("lastIndex"))
            for row in fields.objects("signers")
        ),
        log_origin=fields.text("logOrigin"),
        log_keys=frozenset(fields.texts("logKeys")),
        revoked_uids=frozenset(fields.texts("revokedUids")),
    )
    fields.done()
    return policy
