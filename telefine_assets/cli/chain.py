"""``telefine chain``: the optional transactions. Nothing is sent without --send and a yes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.payouts_shared import STAGE, Place, TokenName, attested, opened
from telefine_assets.cli.shared import AsJson, Program, note, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.ledger.records import Token
    from telefine_assets.onchain.node import Node
    from telefine_assets.onchain.sender import Sender
    from telefine_assets.onchain.sending import Prepared, Records
    from telefine_assets.onchain.steps import Step
    from telefine_assets.settings.schema import Settings

app = typer.Typer(no_args_is_help=True, help="Anchor attestations and publish roots on a chain.")

RpcUrl = Annotated[
    str | None,
    typer.Option(help="The chain's node; better in TELEFINE_CHAIN__RPC_URL, where no process list shows it."),
]
Send = Annotated[bool, typer.Option("--send", help="Send the transaction; without it nothing leaves this machine.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before sending.")]
Keystore = Annotated[Path | None, typer.Option(help="Encrypted keystore of the sender; default: chain.keystore.")]
PasswordFile = Annotated[Path | None, typer.Option(help="Its password; default: chain.password_file.")]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds to wait for the receipt.")]


@dataclass(frozen=True)
class _How:
    """How a step is to be sent."""

    send: bool
    yes: bool
    keystore: Path | None
    password_file: Path | None
    timeout: float
    as_json: bool


@app.command()
def anchor(
    uid: Annotated[str, typer.Argument(help="The attestation's uid, or the day it is about (YYYY-MM-DD).")],
    program: Program = None,
    rpc_url: RpcUrl = None,
    send: Send = False,
    yes: Yes = False,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    timeout: Timeout = 180,
    as_json: AsJson = False,
) -> None:
    """Let the chain's EAS contract timestamp an attestation, verified again first.

    Example: telefine chain anchor 2026-11-02 --send
    """
    from telefine_assets.onchain.steps import Anchor

    place = opened(program)
    found = _uid(place, uid)
    node = _connected(place.settings, rpc_url)
    step = Anchor(node, place.settings.signer.eas_contract, found)
    _take(node, step, place, _How(send, yes, keystore, password_file, timeout, as_json))


@app.command()
def set_root(
    token: TokenName = None,
    program: Program = None,
    rpc_url: RpcUrl = None,
    send: Send = False,
    yes: Yes = False,
    keystore: Keystore = None,
    password_file: PasswordFile = None,
    timeout: Timeout = 180,
    as_json: AsJson = False,
) -> None:
    """Publish the newest root to the program's distributor, so that wallets can claim.

    Every claim is verified again and the totals are compared with the ledger.
    Where the owner is a Safe, enter "to" and "data" of the dry run there.

    Example: telefine chain set-root --send
    """
    from telefine_assets.onchain.steps import PublishRoot, checked_root

    place = opened(program)
    paid_in = place.token(token)
    root = checked_root(place.claims(None, paid_in))
    node = _connected(place.settings, rpc_url)
    step = PublishRoot(node, _distributor(place), paid_in, root, _roots(place, paid_in))
    _take(node, step, place, _How(send, yes, keystore, password_file, timeout, as_json))


@app.command()
def status(token: TokenName = None, program: Program = None, rpc_url: RpcUrl = None, as_json: AsJson = False) -> None:
    """Show what the chain says: which attestations are anchored, which root is in force, what is left to claim.

    Example: telefine chain status
    """
    from telefine_assets.onchain.steps import Anchor, distributor_state

    place = opened(program)
    node = _connected(place.settings, rpc_url)
    eas = place.settings.signer.eas_contract
    anchors = [(day, uid, Anchor(node, eas, uid).standing()) for day, uid in _attestations(place)]
    lines = [f"chain {node.chain_id}"]
    lines += [f"  {place.name} {day}  {anchored or f'{uid} is not anchored'}" for day, uid, anchored in anchors]
    facts: dict[str, Any] = {
        "chain_id": node.chain_id,
        "program": place.name,
        "attestations": [{"day": day, "uid": uid, "anchored": anchored} for day, uid, anchored in anchors],
        "distributor": None,
    }
    if place.name in place.settings.chain.distributors:
        paid_in = place.token(token)
        state = distributor_state(node, _distributor(place), paid_in, place.claims(None, paid_in))
        facts["distributor"] = state.to_record()
        lines += [f"  {line}" for line in state.lines()]
    else:
        lines.append(f"  {place.name} has no distributor (chain.distributors)")
    tell(as_json, facts, lines)


def _take(node: Node, step: Step, place: Place, how: _How) -> None:
    """See an earlier transaction through, or say that none is needed, or prepare one and perhaps send it."""
    from telefine_assets.onchain.sending import prepare, send, sent_earlier

    records = _records(place)
    earlier = sent_earlier(node, step.subject, records)
    if earlier and how.send:
        note(how.as_json, f"sent by an earlier run: {earlier}")
        return _see_through(node, step, earlier, records, how)
    standing = step.standing()
    if standing:
        return _tell(step, how, f"nothing to send: {standing}", standing=standing)
    if earlier:
        line = f"an earlier run sent {earlier}; --send waits for it and keeps its receipt"
        return _tell(step, how, line, transaction=earlier)
    sender = _sender(place.settings, how)
    if how.send and sender is None:
        raise TelefineError("nobody to send it; name --keystore and --password-file, or set them in chain")
    prepared = prepare(node, step.call(), sender.address if sender else step.permitted(), _max_cost(place))
    if not _confirmed(step, prepared, sender, how) or sender is None:
        return None
    transaction = send(node, prepared, sender, step.subject, records)
    note(how.as_json, f"sent: {transaction}")
    return _see_through(node, step, transaction, records, how)


def _confirmed(step: Step, prepared: Prepared, sender: Sender | None, how: _How) -> bool:
    """Show what would be sent, and ask."""
    from telefine_assets.cli.attest_shared import asked

    lines = [*prepared.lines(), f"  from      {sender.address if sender else 'nobody: no keystore is named'}"]
    if not how.send:
        dry_run = prepared.to_record() | {"from": sender.address if sender else None}
        _tell(step, how, *lines, "dry run: simulated, not sent; send it with --send", dry_run=dry_run)
        return False
    for line in lines:
        note(how.as_json, line)
    asked("Send it?", how.yes, how.as_json)
    return True


def _see_through(node: Node, step: Step, transaction: str, records: Records, how: _How) -> None:
    from telefine_assets.onchain.sending import see_through

    digest = see_through(node, step, transaction, records, how.timeout)
    standing = step.standing()
    line = f"done: {standing}; its receipt is evidence {digest}"
    _tell(step, how, line, standing=standing, transaction=transaction, receipt=digest)


def _tell(step: Step, how: _How, *lines: str, **facts: Any) -> None:
    """Say where the step stands; what is not known of it is null."""
    names = ("standing", "transaction", "receipt", "dry_run")
    tell(how.as_json, {"subject": step.subject} | {name: facts.get(name) for name in names}, lines)


def _connected(settings: Settings, rpc_url: str | None) -> Node:
    from telefine_assets.onchain.node import connect

    stored = settings.chain.rpc_url
    url = rpc_url or (stored.get_secret_value() if stored else None)
    if not url:
        raise TelefineError("no node is named; set TELEFINE_CHAIN__RPC_URL in the environment")
    return connect(url, settings.signer.chain_id)


def _sender(settings: Settings, how: _How) -> Sender | None:
    from telefine_assets.onchain.sender import Sender

    keystore, password = how.keystore or settings.chain.keystore, how.password_file or settings.chain.password_file
    if keystore is None:
        return None
    if password is None:
        raise TelefineError(f"{keystore} needs a password: name --password-file, or set chain.password_file")
    return Sender(keystore, password)


def _records(place: Place) -> Records:
    from datetime import UTC, datetime

    from telefine_assets.ledger.audit import Audit
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.onchain.sending import Records

    return Records(Audit(Ledger(place.settings.ledger.url)), place.evidence.put, lambda: datetime.now(UTC))


def _max_cost(place: Place) -> int:
    return int(place.settings.chain.max_cost)


def _distributor(place: Place) -> str:
    found = place.settings.chain.distributors.get(place.name)
    if found is None:
        raise TelefineError(f"chain.distributors names no contract for {place.name}; deploy one and set it")
    return found


def _attestations(place: Place) -> list[tuple[str, str]]:
    """Days that are attested, with the uid."""
    records = {day: place.records.read(place.name, "attestations", day) for day in _days(place, "attestations")}
    return [(day, str(record["uid"])) for day, record in records.items() if record["uid"]]


def _uid(place: Place, wanted: str) -> str:
    """The uid of an attestation of ours that verifies."""
    for day, uid in _attestations(place):
        if wanted in (uid, day):
            return attested(place, day).uid
    raise TelefineError(f"{place.name} has no attestation {wanted}; see `telefine chain status`")


def _roots(place: Place, token: Token) -> set[str]:
    """The roots of all stored payouts of a token."""
    from telefine_assets.payouts.token import of_token

    records = (place.records.read(place.name, STAGE, day) for day in _days(place, STAGE))
    return {record["root"] for record in of_token(records, token)}


def _days(place: Place, stage: str) -> list[str]:
    return place.records.days(place.name, stage)
