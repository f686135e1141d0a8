"""``telefine attest cosign`` and ``add-cosignature``: m of n attesters."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from telefine_assets.cli.attest_shared import (
    Yes,
    asked,
    audit_entry,
    evidence_of,
    ledger_of,
    record_of,
    refuse,
    signer_of,
    trust_of,
    without_threshold,
)
from telefine_assets.cli.shared import AsJson, tell
from telefine_assets.errors import TelefineError


def cosign(
    file: Annotated[Path, typer.Argument(help="An exported attestation: archive or folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the cosignature.")],
    policy: Annotated[Path, typer.Option(help="Whom you trust: your own policy.json, not the one that came along.")],
    as_json: AsJson = False,
) -> None:
    """Verify an exported attestation completely, with the whole log, then sign it with your own key.

    Needs no deployment: of the settings only the signer's are read. Give the file
    to whoever keeps the attestation, for: telefine attest add-cosignature FILE

    Example: telefine attest cosign ./monday --output cosignature.json --policy mine.json
    """
    from telefine_assets.attestation.archive import read_bundle
    from telefine_assets.attestation.cosigning import cosign as sign
    from telefine_assets.attestation.cosigning import cosignature_file
    from telefine_assets.attestation.eas import Envelope
    from telefine_assets.attestation.failures import FailureCode, VerificationFailed
    from telefine_assets.attestation.handed_on import verify_files
    from telefine_assets.attestation.policy_file import read_policy
    from telefine_assets.cli.payouts_shared import write_once
    from telefine_assets.settings.loading import load_signer_settings

    trusted = read_policy(policy)
    try:
        found = verify_files(read_bundle(file), without_threshold(trusted), int(time.time()))
        if found.log is None:
            raise VerificationFailed(FailureCode.LOG_MISSING, "there is no log.json: it may have been revoked since")
    except VerificationFailed as failure:
        raise refuse("not valid, not signed", failure, as_json) from None
    signer = signer_of(load_signer_settings())
    judged = replace(found.log.policy, required=trusted.required, attesters=trusted.attesters)
    # Its leaf would be the next one of the log.
    if not judged.counts(signer.address, len(found.log.log)) or signer.address == found.verified.signer:
        raise TelefineError(
            f"{signer.address} would not count under attestation {found.verified.uid}: its key must be another than "
            "the attester's, good at the end of the log (telefine attest admit), and one of the policy's attesters"
        )
    envelope = Envelope.from_json(found.bundle.envelope)
    content = cosignature_file(found.verified.uid, sign(envelope, signer))
    write_once(output, content, as_json, {"uid": found.verified.uid, "signer": signer.address})


def add_cosignature(
    file: Annotated[Path, typer.Argument(help="What telefine attest cosign wrote.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take in another attester's signature, as a leaf of the log.

    Materialise the day's attestation again afterwards.

    Example: telefine attest add-cosignature cosignature.json
    """
    from telefine_assets.attestation.attesting import reverify
    from telefine_assets.attestation.bundle import AttestationBundle
    from telefine_assets.attestation.cosigning import cosignature_leaf, read_cosignature_file
    from telefine_assets.attestation.eas import Envelope
    from telefine_assets.attestation.log import leaf_hash
    from telefine_assets.ledger.cosignatures import Cosignatures
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    if not file.is_file():
        raise TelefineError(f"{file}: no such file; make one with: telefine attest cosign FOLDER -o FILE")
    uid, cosignature = read_cosignature_file(file.read_bytes(), file.name)
    record, evidence, ledger = record_of(settings, uid), evidence_of(settings), ledger_of(settings)
    envelope = Envelope.from_json(AttestationBundle.from_bytes(evidence.get(record["bundle"])).envelope)
    cosignature.check(envelope)
    trust = trust_of(settings, ledger)
    now = trust.log()
    # Its leaf is the log's next one, where the key must be good: what a retired key signs late may be a thief's.
    if cosignature.signer == envelope.signer or not now.policy.counts(cosignature.signer, len(now.log)):
        raise TelefineError(f"{cosignature.signer} does not count under attestation {uid}; see: telefine attest keys")
    asked(f"Add the signature of {cosignature.signer} to attestation {uid}?", yes, as_json)
    entry = audit_entry(cosignature.signer, "cosigned", uid, log=settings.deployment)
    leaf = cosignature_leaf(uid, cosignature)
    # Before the ledger's row, so that whoever is interrupted here has only to do it again.
    trust.leaves.append("0x" + leaf_hash(leaf).hex(), leaf)
    vrs = (cosignature.signature.v, cosignature.signature.r, cosignature.signature.s)
    added = Cosignatures(ledger).add(uid, cosignature.signer, vrs, (entry, datetime.now(UTC)))
    hindrance = reverify(record, trust, evidence.find).hindrance
    lines = [
        f"{uid}: {'signed' if added else 'was signed already'} by {cosignature.signer}",
        hindrance or "enough attesters have signed; materialise the day's attestation again",
    ]
    tell(as_json, {"uid": uid, "signer": cosignature.signer, "added": added, "hindrance": hindrance}, lines)
