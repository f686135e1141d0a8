"""``telefine attest``: attestations, exported and verified; the log and its keys."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.cli import attest_cosign, attest_log
from telefine_assets.cli.attest_shared import refuse
from telefine_assets.cli.shared import short
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attestation.handed_on import HandedOn
    from telefine_assets.attestation.policy import SignerPolicy

app = typer.Typer(no_args_is_help=True, help="Export and verify attestations; the log, its keys and revocations.")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="An archive, a folder, or attestation.json in one.")],
    policy: Annotated[
        Path | None, typer.Option(help="Whom to trust; default: policy.json beside the attestation.")
    ] = None,
    pin: Annotated[
        Path | None,
        typer.Option(help="Your own policy: used if it is there; kept at what the newest log says on success."),
    ] = None,
) -> None:
    """Verify an attestation offline, from its own evidence and the log beside it.

    Exits 1 with a stable code (bad_signature, evidence_digest_mismatch, ...)
    and what is wrong. Example: telefine attest verify .telefine/attestations/latest
    """
    from telefine_assets.attestation.archive import read_bundle
    from telefine_assets.attestation.failures import VerificationFailed
    from telefine_assets.attestation.handed_on import policy_among, verify_files
    from telefine_assets.attestation.policy_file import read_policy

    own = pin if pin is not None and pin.is_file() else None
    if own is not None and policy is not None and own.resolve() != policy.resolve():
        raise TelefineError(f"{own} is there and would be replaced; name it alone, or pin to another file")
    source = policy or own
    try:
        files = read_bundle(file)
        trusted = read_policy(source) if source else policy_among(files)
        found = verify_files(files, trusted, int(time.time()))
    except VerificationFailed as failure:
        raise refuse("not valid", failure) from None
    pinned = None if pin is None else _keep(pin, found)
    _print(found)
    if source is None:
        typer.echo("  note        the policy came with the attestation: compare its first key with the one you know")
    _print_unchecked(found, trusted)
    if pinned is not None:
        typer.echo(f"  pinned      {pinned} leaves, in {pin}")
    if pinned is not None and own is None:
        typer.echo("  note        trust on first use: from now on a log that is shorter or rewritten is refused")


def _print(found: HandedOn) -> None:
    verified = found.verified
    claim, decision = verified.claim, verified.claim.decision
    typer.echo(f"valid: {verified.uid}")
    typer.echo(f"  signed by   {verified.signer}, at position {verified.log_index} of the log")
    for each in verified.signers:
        if each != verified.signer:
            typer.echo(f"  and by      {each}")
    typer.echo(f"  program     {short(claim.program)} {claim.candidate_version[:12]}, day {claim.partition}")
    typer.echo(
        f"  claims      +{decision.delta_ppm / 10_000:.2f} pp on {decision.n} held-out items "
        f"(at least {decision.lower_ppm / 10_000:.2f} pp), p {short(decision.p)} below {short(decision.alpha)}: "
        f"{short(decision.grade)}"
    )
    typer.echo(f"  pays        {len(verified.weights.lines)} wallets, {verified.weights.escrow_ppm} ppm in escrow")
    typer.echo("  decided again from the per-item results; weights computed again from the demos")
    if found.log is not None:
        state = found.log.state
        typer.echo(f"  log         {state.size} leaves, first key {state.genesis}, good now: {', '.join(state.good)}")
        if state.void:
            typer.echo(f"  log         {len(state.void)} leaves have no effect; see: telefine attest log")


def _print_unchecked(found: HandedOn, policy: SignerPolicy) -> None:
    if found.log is None:
        typer.echo("  not checked whether it was revoked, or its key retired, after the receipt: no log.json beside it")
    elif policy.head is None:
        typer.echo("  not checked whether this log is the one that others see: no head is pinned (see --pin)")
    else:
        typer.echo(f"  log         contains the {policy.head.size} leaves that were pinned")


def _keep(pin: Path, found: HandedOn) -> int:
    """Write the policy with the newest head, and what the log says up to it of keys and revocations; returns its size.

    Raises:
        TelefineError: there is no log, hence no head.
    """
    from telefine_assets.attestation.policy_file import policy_bytes
    from telefine_assets.cli.payouts_shared import replace_file

    if found.log is None:
        raise TelefineError("there is no log.json beside the attestation, hence no head to pin; export it again")
    head = found.log.pin()
    replace_file(pin, policy_bytes(replace(found.log.policy, head=head)))
    return head.size


@app.command()
def export(
    uid: Annotated[str, typer.Argument(help="The attestation's uid, or the day it is about (YYYY-MM-DD).")],
    folder: Annotated[Path, typer.Argument(help="Where to write it.")],
    program: Annotated[str | None, typer.Option(help="The program; needed when there are several.")] = None,
) -> None:
    """Write an attestation with all its evidence and the log into a folder that verifies anywhere.

    The head of the log is signed for it, with this deployment's key.
    """
    from telefine_assets.attestation.export import export as write
    from telefine_assets.cli.attest_shared import evidence_of, ledger_of, record_of, signer_of, trust_of
    from telefine_assets.settings import load_settings

    settings = load_settings()
    if program is None and len(settings.programs) > 1:
        raise TelefineError(f"name the program with --program: {', '.join(settings.programs)}")
    record, evidence = record_of(settings, uid, program), evidence_of(settings)
    trust = trust_of(settings, ledger_of(settings))
    write(folder, evidence.get(record["bundle"]), trust, signer_of(settings.signer), evidence.get)
    typer.echo(f"{folder}: attestation {record['uid']}")


app.command("log")(attest_log.log)
app.command("keys")(attest_log.keys)
app.command("revoke")(attest_log.revoke)
app.command("rotate")(attest_log.rotate)
app.command("admit")(attest_log.admit)
app.command("retire")(attest_log.retire)
app.command("cosign")(attest_cosign.cosign)
app.command("add-cosignature")(attest_cosign.add_cosignature)
