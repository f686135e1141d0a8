"""``telefine attest``: ``log`` and ``keys``; ``revoke``, ``rotate``, ``admit`` and ``retire``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.cli.attest_shared import Reason, Yes, asked, audit_entry, ledger_of, signer_of, trust_of
from telefine_assets.cli.shared import AsJson, print_json, print_table, short, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attestation.log_records import Said
    from telefine_assets.attestation.replay import Line, LogState

Address = Annotated[str, typer.Argument(help="The key's address, EIP-55.")]
CompromisedFrom = Annotated[
    int | None,
    typer.Option(min=0, help="The key leaked: its attestations from this position of the log on are untrusted."),
]


def log(as_json: AsJson = False) -> None:
    """List the log's leaves: what is said, by whom, and whether it has any effect.

    Example: telefine attest log
    """
    state = _state()
    if as_json:
        print_json([asdict(line) for line in state.lines])
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
    """List the log's keys, and the positions at which each is good.

    Example: telefine attest keys
    """
    state = _state()
    if as_json:
        print_json([asdict(key) for key in state.keys.values()])
        return
    rows = [
        (key.address, key.admitted_at, _shown(key.retired_at), _shown(key.untrusted_from))
        for key in state.keys.values()
    ]
    print_table(["key", "admitted at", "retired at", "untrusted from"], rows)


def revoke(
    uid: Annotated[str, typer.Argument(help="The attestation's uid.")],
    reason: Reason,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Revoke an attestation, for ever: nothing more is promoted or paid on it.

    What was promoted or paid before stands; go back with: telefine programs rollback. Where feedback was wrong, correct
    it and go on with: telefine attest reissue

    Example: telefine attest revoke 0x3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a3f9a
    --reason "the holdout had leaked"
    """
    from telefine_assets.attestation.log_records import Revocation

    def missing(state: LogState) -> list[Said]:
        return [] if uid in state.revoked else [Revocation(uid, reason)]

    asked(f"Revoke {uid} for ever?", yes, as_json)
    _say("revoked", uid, reason, missing).tell(as_json)


def rotate(
    new_address: Address,
    reason: Reason,
    compromised_from: CompromisedFrom = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Admit a new key and retire the one that signs now, in one step.

    Run it while the settings still name the old key, then let them name the new one.

    Example: telefine attest rotate 0x52908400098527886E0F7030069857D2E4169EE7 --reason "a year is over"
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

    asked(f"Admit {new_address} and retire {own} for ever?", yes, as_json)
    _say("rotated", new_address, reason, missing, retired=own).tell(as_json, own, compromised_from)


def admit(new_address: Address, reason: Reason, yes: Yes = False, as_json: AsJson = False) -> None:
    """Admit a further key: a cosigner's, or one to be ready.

    Example: telefine attest admit 0x52908400098527886E0F7030069857D2E4169EE7 --reason "the auditor's key"
    """
    from telefine_assets.attestation.log_records import ADMIT, KeyRecord

    def missing(state: LogState) -> list[Said]:
        return [] if new_address in state.good else [KeyRecord(ADMIT, new_address, reason)]

    asked(f"Admit {new_address}?", yes, as_json)
    _say("admitted", new_address, reason, missing).tell(as_json)


def retire(
    address: Address,
    reason: Reason,
    compromised_from: CompromisedFrom = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Retire a key for ever; another one must be good.

    Of a key that is retired already, --compromised-from may still say that it leaked earlier.

    Example: telefine attest retire 0x52908400098527886E0F7030069857D2E4169EE7 --reason leaked --compromised-from 41
    """
    from telefine_assets.attestation.log_records import RETIRE, KeyRecord

    def missing(state: LogState) -> list[Said]:
        key = state.keys.get(address)
        known = None if key is None else key.untrusted_from
        if known is not None and (compromised_from is None or compromised_from >= known):
            return []
        return [KeyRecord(RETIRE, address, reason, compromised_from)]

    asked(f"Retire {address} for ever?", yes, as_json)
    _say("retired", address, reason, missing).tell(as_json, address, compromised_from)


@dataclass(frozen=True)
class _Told:
    """What became of something that was to be said in the log: its new lines, none where it says so already."""

    action: str
    subject: str
    state: LogState
    new: Sequence[Line]

    def tell(self, as_json: bool, leaked: str = "", leaked_from: int | None = None) -> None:
        """Print it, and what a thief may have said with a key that leaked."""
        suspect = [] if leaked_from is None else _said_with(self.state, leaked, leaked_from)
        lines = [f"position {line.position} of the log: {line.what}" for line in self.new]
        if not self.new:
            lines = [f"the log says so already: {self.subject} {self.action}"]
        for line in suspect:
            lines.append(f"check: position {line.position}, {short(line.what, 80)}, was said with the leaked key")
        erased = _erased_here(suspect)
        if erased:
            lines.append(
                f"erased here, and to be said again with the new key (telefine erase restate): {', '.join(erased)}"
            )
        facts = {
            "action": self.action,
            "subject": self.subject,
            "leaves": [asdict(line) for line in self.new],
            "said_with_leaked_key": [asdict(line) for line in suspect],
            "erasures_to_restate": erased,
        }
        tell(as_json, facts, lines)


def _say(
    action: str, subject: str, reason: str, missing: Callable[[LogState], Sequence[Said]], **details: object
) -> _Told:
    """Write to the log and, in the same step, to the audit log."""
    from telefine_assets.attestation.log_writing import say
    from telefine_assets.ledger.log import LogLeaves
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    leaves = LogLeaves(ledger_of(settings))
    signer = signer_of(settings.signer)
    entry = audit_entry(signer.address, action, subject, reason=reason, log=settings.deployment, **details)
    size = len(leaves.leaves())
    append_at = partial(leaves.append_at, audited=(entry, datetime.now(UTC)))
    state = say(leaves, settings.deployment, signer, missing, append_at)
    return _Told(action, subject, state, state.lines[size:])


def _said_with(state: LogState, leaked: str, first: int) -> list[Line]:
    """What was said with a leaked key, from a position on, while it was good."""
    return [
        line
        for line in state.lines[first:]
        if line.signer == leaked and line.void is None and not line.what.startswith(f"retire {leaked}")
    ]


def _erased_here(suspect: Sequence[Line]) -> list[str]:
    """The files of evidence that this deployment erased, and that nobody takes for erased any more."""
    from telefine_assets.keeping.restating import erased_here
    from telefine_assets.settings.loading import load_settings
    from telefine_assets.store.files import Files

    settings = load_settings()
    return erased_here(suspect, ledger_of(settings), Files(settings.store.uri)) if suspect else []


def _state() -> LogState:
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    return trust_of(settings, ledger_of(settings)).state()


def _signer_address() -> str:
    from telefine_assets.settings.loading import load_settings

    return signer_of(load_settings().signer).address


def _shown(position: int | None) -> object:
    return "" if position is None else position
