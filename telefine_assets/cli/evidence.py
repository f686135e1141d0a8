"""``telefine evidence``: attestations as single files, and evidence that nothing needs any more."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from telefine_assets.cli.shared import AsJson, Program, chosen, note, tell
from telefine_assets.errors import TelefineError

app = typer.Typer(no_args_is_help=True, help="Hand evidence on, and clear away what nothing names any more.")


@app.command()
def export(
    wanted: Annotated[
        str, typer.Argument(metavar="UID", help="The attestation's uid, or the day it is about (YYYY-MM-DD).")
    ],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file; by default <uid>.tar here.")] = None,
    program: Program = None,
    as_json: AsJson = False,
) -> None:
    """Write an attestation, all its evidence and the log into one archive that verifies anywhere.

    It is verified before it is written. The same attestation gives the same
    bytes on any machine, as long as nothing was added to the log and no
    cosignature came in.

    Example: telefine evidence export 2026-11-02 && telefine attest verify 0x....tar
    """
    from telefine_assets.attestation.archive import SUFFIX, pack, unpack
    from telefine_assets.attestation.export import exported
    from telefine_assets.attestation.handed_on import verify_files
    from telefine_assets.cli.attest_shared import evidence_of, ledger_of, record_of, signer_of, trust_of
    from telefine_assets.cli.payouts_shared import write_once

    settings, name, _ = chosen(program)
    record, evidence = record_of(settings, wanted, name), evidence_of(settings)
    trust = trust_of(settings, ledger_of(settings))
    packed = pack(exported(evidence.get(record["bundle"]), trust, signer_of(settings.signer), evidence.get))
    found = verify_files(unpack(packed), trust.log().policy, int(time.time()), accept_erased=True)
    uid = found.verified.uid
    write_once(output or Path(f"{uid}{SUFFIX}"), packed, as_json, {"uid": uid})


@app.command()
def gc(
    older_than: Annotated[int, typer.Option(min=1, help="Only files that nobody wrote for so many days.")] = 7,
    delete: Annotated[bool, typer.Option("--delete", help="Remove them; without it, they are only counted.")] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who removes them; it goes into the audit log.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find evidence that no record, no ledger row, no stored trace and no attestation reaches, and remove it.

    An attestation and all that it rests on is never removed. How much is removed,
    and the digest of the list, stands in the audit log. Deployments that share a
    store must share the ledger too: what another one names is not seen.

    Example: telefine evidence gc --older-than 30 --delete --by ann
    """
    from telefine_assets.cli.attest_shared import asked, audit_entry, ledger_of
    from telefine_assets.keeping.backing_up import TURN
    from telefine_assets.ledger.audit import Audit
    from telefine_assets.ledger.texts import texts
    from telefine_assets.ledger.turns import turn
    from telefine_assets.settings.loading import load_settings
    from telefine_assets.store.files import Files
    from telefine_assets.store.garbage import DIGITS, find_garbage, remove_garbage

    settings = load_settings()
    files, ledger = Files(settings.store.uri), ledger_of(settings)
    before = datetime.now(UTC) - timedelta(days=older_than)
    garbage = find_garbage(files, texts(ledger, DIGITS), before)
    facts = {"files": len(garbage.digests), "bytes": garbage.size, "kept": garbage.kept, "young": garbage.young}
    lines = [
        f"{len(garbage.digests)} files that nothing reaches, {garbage.size} bytes",
        f"{garbage.kept} files are reached; {garbage.young} more are not, and not {older_than} days old",
    ]
    if not garbage.digests or not delete:
        hint = ["nothing was removed; remove them with --delete"] if garbage.digests else []
        tell(as_json, facts | {"removed": 0}, [*lines, *hint])
        return
    if not by:
        raise TelefineError("the audit log wants to know who removes evidence: say it with --by")
    if not as_json:
        typer.echo("\n".join(lines))
    asked(f"Remove {len(garbage.digests)} files of evidence for ever?", yes, as_json)
    # Said before it is done: a run that is cut off has said more than it did.
    said = {"files": len(garbage.digests), "bytes": str(garbage.size), "digests": garbage.digest()}
    entry = audit_entry(by, "remove evidence", settings.deployment, **said)
    Audit(ledger).append(entry, datetime.now(UTC))
    with turn(ledger, TURN, 1, partial(note, as_json)):
        removed = remove_garbage(files, garbage, before)
    tell(as_json, facts | {"removed": removed, "digest": garbage.digest()}, [f"{removed} files removed"])
