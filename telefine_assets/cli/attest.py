"""``telefine attest``: attestations, exported and verified."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from telefine_assets.errors import TelefineError

app = typer.Typer(no_args_is_help=True, help="Export and verify attestations.")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="attestation.json, or the folder that it is in.")],
    policy: Annotated[
        Path | None, typer.Option(help="Whom to trust; default: policy.json beside the attestation.")
    ] = None,
) -> None:
    """Verify an attestation offline, from its own evidence.

    Exits 1 with a stable code (bad_signature, evidence_digest_mismatch, ...)
    and what is wrong. Example: telefine attest verify .telefine/attestations/latest
    """
    from telefine_assets.attestation.bundle import BUNDLE_FILE, AttestationBundle
    from telefine_assets.attestation.export import EVIDENCE_FOLDER, POLICY_FILE, read_policy
    from telefine_assets.attestation.failures import VerificationFailed
    from telefine_assets.attestation.files import recheck
    from telefine_assets.attestation.verify import verify_bundle

    path = file / BUNDLE_FILE if file.is_dir() else file
    if not path.is_file():
        raise TelefineError(f"{path}: no such file; export one with: telefine attest export UID FOLDER")
    trusted = read_policy(policy or path.parent / POLICY_FILE)

    def find(digest: str) -> bytes | None:
        stored = path.parent / EVIDENCE_FOLDER / digest
        return stored.read_bytes() if stored.is_file() else None

    try:
        bundle = AttestationBundle.from_bytes(path.read_bytes())
        found = verify_bundle(bundle, find, trusted, at=int(time.time()), recheck_decision=recheck)
    except VerificationFailed as failure:
        typer.echo(f"not valid: {failure}", err=True)
        raise typer.Exit(1) from None
    decision = found.claim.decision
    typer.echo(f"valid: {found.uid}")
    if policy is None:
        typer.echo("  note        the policy came with the attestation: compare the signer with the one you know")
    typer.echo(f"  signed by   {found.signer}, at position {found.log_index} of the log")
    typer.echo(f"  program     {found.claim.program} {found.claim.candidate_version[:12]}, day {found.claim.partition}")
    typer.echo(
        f"  claims      +{decision.delta_ppm / 10_000:.2f} pp on {decision.n} held-out items "
        f"(at least {decision.lower_ppm / 10_000:.2f} pp), p {decision.p} below {decision.alpha}: {decision.grade}"
    )
    typer.echo(f"  pays        {len(found.weights.lines)} wallets, {found.weights.escrow_ppm} ppm in escrow")
    typer.echo("  decided again from the per-item results; weights computed again from the demos")


@app.command()
def export(
    uid: Annotated[str, typer.Argument(help="The attestation's uid, or the day it is about (YYYY-MM-DD).")],
    folder: Annotated[Path, typer.Argument(help="Where to write it.")],
    program: Annotated[str | None, typer.Option(help="The program; needed when there are several.")] = None,
) -> None:
    """Write an attestation with all its evidence into a folder that verifies anywhere."""
    from telefine_assets.attestation.attesting import own_policy
    from telefine_assets.attestation.eas import EasDomain
    from telefine_assets.attestation.export import export as write
    from telefine_assets.settings import load_settings
    from telefine_assets.store.evidence import EvidenceStore
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore

    settings = load_settings()
    files = Files(settings.store.uri)
    records, evidence = RecordStore(files), EvidenceStore(files)
    if program is None and len(settings.programs) > 1:
        raise TelefineError(f"name the program with --program: {', '.join(settings.programs)}")
    for name in [program] if program else list(settings.programs):
        for day in records.days(name, "attestations"):
            record = records.read(name, "attestations", day)
            if record["uid"] and uid in (record["uid"], day):
                signer = settings.signer
                domain = EasDomain(signer.eas_version, signer.chain_id, signer.eas_contract)
                trusted = own_policy(domain, record["signer"], settings.deployment)
                write(folder, evidence.get(record["bundle"]), trusted, evidence.get)
                typer.echo(f"{folder}: attestation {record['uid']}")
                return
    raise TelefineError(f"no attestation {uid}; see the asset 'attestations' for the days that have one")
