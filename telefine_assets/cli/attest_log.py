"""``telefine attest``: ``log`` and ``keys``; ``revoke``, ``rotate``, ``admit`` and ``retire``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.cli.attest_shared import Reason, Yes, asked, audit_entry, ledger_of, signer_of, trust_of
from telefine_assets.cli.shared import AsJson, print_table, short
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attestation.log_records import Said
    from telefine_assets.attestation.replay import LogState

Address = Annotated[str, typer.Argument(help="The key's address, EIP-55.")]
CompromisedFrom = Annotated[
    int | None,
    typer.Option(min=0, help="The key leaked: its attestations from this position of the log on are untrusted."),
]


def log(as_json: AsJson = False) -> None:
    """List the log's leaves: what is said, by whom, and whether it has any effect."""
    state = _state()
    if as_json:
        names = ("position", "kind", "signer", "what", "reason", "void")
        typer.echo(json.dumps([{name: getattr(line, name) for name in names} for line in state.lines], indent=2))
        return
    rows = [
        (
            line.position,
            short(line.kind),
            short(line.what, 80),
            short(line.signer),
            short(line.reason),
            line.void or "yes",
        )
        for line in state.lines
    ]
    print_table(["position", "kind", "what", "by", "reason", "valid"], rows)


def keys(as_json: AsJson = False) -> None:
    """List the log's keys, and the positions at which each is good."""
    state = _state()
    if as_json:
        names = ("address", "admitted_at", "retired_at", "untrusted_from")
        typer.echo(json.dumps([{name: getattr(key, name) for name in names} for key in state.keys.values()], indent=2))
        return
    rows = [
        (key.address, key.admitted_at, _shown(key.retired_at), _shown(key.untrusted_from))
        for key in state.keys.values()
    ]
    print_table(["key", "admitted at", "retired at", "untrusted from"], rows)


def revoke(
    uid: Annotated[str, typer.Argument(help="The attestation's uid.")], reason: Reason, yes: Yes = False
) -> None:
    """Revoke an attestation, for ever: nothing more is promoted or paid on it.

    What was promoted or paid before stands; go back with: telefine programs rollback
    """
    from telefine_assets.attestation.log_records import Revocation

    def missing(state: LogState) -> list[Said]:
        return [] if uid in state.revoked else [Revocation(uid, reason)]

    _say(f"Revoke {uid} for ever?", "revoked", uid, reason, yes, missing)


def rotate(new_address: Address, reason: Reason, compromised_from: CompromisedFrom = None, yes: Yes = False) -> None:
    """Admit a new key and retire the one that signs now, in one step.

    Run it while the settings still name the old key, then let them name the new one.
    """
    from telefine_assets.attestation.log_records import ADMIT, RETIRE, KeyRecord

    own = _signer_address()
    if new_address == own:
        raise TelefineError(f"{own} is the key that signs now; name the one that is to follow it")

    def missing(state: LogState) -> list[Said]:
        said: list[Said] = [] if new_address in state.good else [KeyRecord(ADMIT, new_address, reason)]
        if own in state.good:
            said.append(KeyRecord(RETIRE, own, reason, compromised_from))
        return said

    state = _say(
        f"Admit {new_address} and retire {own} for ever?", "rotated", new_address, reason, yes, missing, retired=own
    )
    if compromised_from is not None:
        _warn_of_others(state, own, compromised_from)


def admit(new_address: Address, reason: Reason, yes: Yes = False) -> None:
    """Admit a further key: a cosigner's, or one to be ready."""
    from telefine_assets.attestation.log_records import ADMIT, KeyRecord

    def missing(state: LogState) -> list[Said]:
        return [] if new_address in state.good else [KeyRecord(ADMIT, new_address, reason)]

    _say(f"Admit {new_address}?", "admitted", new_address, reason, yes, missing)


def retire(address: Address, reason: Reason, compromised_from: CompromisedFrom = None, yes: Yes = False) -> None:
    """Retire a key for ever; another one must be good.

    Of a key that is retired already, --compromised-from may still say that it leaked earlier.
    """
    from telefine_assets.attestation.log_records import RETIRE, KeyRecord

    def missing(state: LogState) -> list[Said]:
        key = state.keys.get(address)
        known = None if key is None else key.untrusted_from
        if known is not None and (compromised_from is None or compromised_from >= known):
            return []
        return [KeyRecord(RETIRE, address, reason, compromised_from)]

    state = _say(f"Retire {address} for ever?", "retired", address, reason, yes, missing)
    if compromised_from is not None:
        _warn_of_others(state, address, compromised_from)


def _say(
    question: str,
    action: str,
    subject: str,
    reason: str,
    yes: bool,
    missing: Callable[[LogState], Sequence[Said]],
    **details: object,
) -> LogState:
    """Ask, write to the log and, in the same step, to the audit log; says what became of it."""
    from telefine_assets.attestation.log_writing import say
    from telefine_assets.ledger.log import LogLeaves
    from telefine_assets.settings import load_settings

    settings = load_settings()
    leaves = LogLeaves(ledger_of(settings))
    signer = signer_of(settings.signer)
    asked(question, yes)
    entry = audit_entry(signer.address, action, subject, reason=reason, log=settings.deployment, **details)
    size = len(leaves.leaves())
    append_at = partial(leaves.append_at, audited=(entry, datetime.now(UTC)))
    state = say(leaves, settings.deployment, signer, missing, append_at)
    new = state.lines[size:]
    for line in new:
        typer.echo(f"position {line.position} of the log: {line.what}")
    if not new:
        typer.echo(f"the log says so already: {subject} {action}")
    return state


def _state() -> LogState:
    from telefine_assets.settings import load_settings

    settings = load_settings()
    return trust_of(settings, ledger_of(settings)).state()


def _signer_address() -> str:
    from telefine_assets.settings import load_settings

    return signer_of(load_settings().signer).address


def _warn_of_others(state: LogState, leaked: str, first: int) -> None:
    """Name what a thief may have said with the key while it was good."""
    for line in state.lines[first:]:
        if line.signer == leaked and line.void is None and not line.what.startswith(f"retire {leaked}"):
            typer.echo(f"check: position {line.position}, {short(line.what, 80)}, was said with the leaked key")


def _shown(position: int | None) -> object:
    return "" if position is None else position
