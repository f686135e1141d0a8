"""``telefine erase restate``: erasures are said again in the log after the key that said them leaked."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from telefine_assets.cli.attest_shared import Yes, asked
from telefine_assets.cli.backup import By, user
from telefine_assets.cli.shared import AsJson, note, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attestation.log_records import Said
    from telefine_assets.attestation.replay import LogState
    from telefine_assets.attestation.snapshot import CheckedLog
    from telefine_assets.keeping.restating import Restating
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.settings.schema import Settings


def restate(yes: Yes = False, by: By = None, as_json: AsJson = False) -> None:
    """Say again in the log what this deployment erased, where the key that said it has leaked since.

    With the key that the settings name now. Said again is only what the ledger and
    its audit log know as erased here, what is really gone, and what an attestation
    rests on that was made before. Run again, it says nothing more. Exits 1 where
    a file is missing that nothing of this excuses.

    Example: telefine erase restate --yes
    """
    from telefine_assets.cli.attest_shared import ledger_of, trust_of
    from telefine_assets.keeping.backing_up import TURN
    from telefine_assets.keeping.restating import plan_restating
    from telefine_assets.ledger.turns import turn
    from telefine_assets.settings.loading import load_settings
    from telefine_assets.store.files import Files

    settings = load_settings()
    ledger = ledger_of(settings)
    with turn(ledger, TURN, 1, partial(note, as_json)):
        log = trust_of(settings, ledger).log()
        found = plan_restating(ledger, Files(settings.store.uri), log)
        note(as_json, "\n".join(_lines(found)))
        if found.again:
            asked(f"Say {len(found.again)} erasures again, for ever?", yes, as_json)
            _say(settings, ledger, log, found, by or user())
    tell(as_json, {name: dict(getattr(found, name)) for name in ("again", "there", "missing")}, _done(found))
    if found.missing:
        raise TelefineError(
            f"{len(found.missing)} files are missing, and nothing was erased here that excuses it: put them back from "
            f"a backup (telefine restore), {min(found.missing)} for one"
        )


def _say(settings: Settings, ledger: Ledger, log: CheckedLog, found: Restating, by: str) -> None:
    """Say again what ``found`` says, unless it was said since ``log``; the audit log has it in the same step."""
    from telefine_assets.attestation.log_records import Erasure
    from telefine_assets.attestation.log_writing import say
    from telefine_assets.cli.attest_shared import audit_entry, signer_of
    from telefine_assets.cli.erase_doing import require_counts
    from telefine_assets.ledger.log import LogLeaves

    signer, leaves = signer_of(settings.signer), LogLeaves(ledger)
    require_counts(log, signer.address)

    def missing(state: LogState) -> list[Said]:
        since = {file for file, words in state.erased.items() if words[-1].position >= log.state.size}
        return [Erasure(f"0x{file}", reason) for file, reason in found.again.items() if file not in since]

    entry = audit_entry(by, "said erasures again", settings.deployment, signer=signer.address, files=[*found.again])
    say(leaves, log.state.origin, signer, missing, partial(leaves.append_at, audited=(entry, datetime.now(UTC))))


def _done(found: Restating) -> list[str]:
    return [f"{len(found.again)} erasures were said again"] if found.again else []


def _lines(found: Restating) -> list[str]:
    return [
        *(f"to be said again: {file} was erased here ({reason})" for file, reason in found.again.items()),
        *(f"not said again: {file} is there ({why})" for file, why in found.there.items()),
        *(f"MISSING, and not said again: {file}: {why}" for file, why in found.missing.items()),
        *([] if found.again or found.there or found.missing else ["nothing must be said again"]),
    ]
