"""``telefine attest``: attestations, exported and verified; the log and its keys."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.cli import attest_cosign, attest_log, attest_reissue, attest_verifier
from telefine_assets.cli.attest_shared import AcceptErased, refuse
from telefine_assets.cli.shared import AsJson, Program, chosen, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attestation.handed_on import HandedOn

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
    accept_erased: AcceptErased = False,
    as_json: AsJson = False,
) -> None:
    """Verify an attestation offline, from its own evidence and the log beside it.

    Exits 1 with a stable code (bad_signature, evidence_digest_mismatch, ...)
    and what is wrong; with evidence_erased where files are missing because
    a person's words in them were erased, which proves nothing of the claim.

    Example: telefine attest verify ./monday --pin mine.json
    """
    from telefine_assets.attestation.archive import read_bundle
    from telefine_assets.attestation.failures import VerificationFailed
    from telefine_assets.attestation.handed_on import policy_among, verify_files
    from telefine_assets.attestation.policy_file import read_policy
    from telefine_assets.cli.attest_shown import facts_of, lines_of

    own = pin if pin is not None and pin.is_file() else None
    if own is not None and policy is not None and own.resolve() != policy.resolve():
        raise TelefineError(f"{own} is there and would be replaced; name it alone, or pin to another file")
    source = policy or own
    try:
        files = read_bundle(file)
        trusted = read_policy(source) if source else policy_among(files)
        found = verify_files(files, trusted, int(time.time()), accept_erased)
    except VerificationFailed as failure:
        raise refuse("not valid", failure, as_json) from None
    facts = facts_of(found) | {"policy": None if source is None else str(source)}
    facts["pinned"] = None if pin is None else {"size": _keep(pin, found), "file": str(pin), "first": own is None}
    tell(as_json, facts, lines_of(found, trusted, facts))


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
    program: Program = None,
    as_json: AsJson = False,
) -> None:
    """Write an attestation with all its evidence and the log into a folder that verifies anywhere.

    The head of the log is signed for it, with this deployment's key.

    Example: telefine attest export 2026-11-02 ./monday && telefine attest verify ./monday
    """
    from telefine_assets.attestation.export import export as write
    from telefine_assets.cli.attest_shared import evidence_of, ledger_of, record_of, signer_of, trust_of

    settings, name, _ = chosen(program)
    record, evidence = record_of(settings, uid, name), evidence_of(settings)
    trust = trust_of(settings, ledger_of(settings))
    files = write(folder, evidence.get(record["bundle"]), trust, signer_of(settings.signer), evidence.get)
    facts = {"uid": record["uid"], "folder": str(folder), "files": [str(each.relative_to(folder)) for each in files]}
    tell(as_json, facts, [f"{folder}: attestation {record['uid']}"])


app.command("log")(attest_log.log)
app.command("keys")(attest_log.keys)
app.command("revoke")(attest_log.revoke)
app.command("reissue")(attest_reissue.reissue)
app.command("rotate")(attest_log.rotate)
app.command("admit")(attest_log.admit)
app.command("retire")(attest_log.retire)
app.command("cosign")(attest_cosign.cosign)
app.command("add-cosignature")(attest_cosign.add_cosignature)
app.command("verifier")(attest_verifier.verifier)
