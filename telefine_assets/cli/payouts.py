"""``telefine payouts``: who is paid what, who can claim what, and files to pay by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli import mint_request
from telefine_assets.cli.payouts_shared import STAGE, Place, TokenName, attested, opened, write_once
from telefine_assets.cli.shared import AsJson, Program, print_json, short, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attestation.standing import DayStanding
    from telefine_assets.ledger.records import Token
    from telefine_assets.payouts.cumulative import ClaimSet
    from telefine_assets.payouts.plan import HeldAmount

app = typer.Typer(no_args_is_help=True, help="Show payouts and write the files to pay by.")
app.add_typer(mint_request.app, name="mint-request")

Day = Annotated[str | None, typer.Option("--day", help="The payout of this day, YYYY-MM-DD; the newest by default.")]
ExportDay = Annotated[
    str | None,
    typer.Option("--day", help="The payout of this day, YYYY-MM-DD: safe-csv needs it, others take the newest."),
]


class Format(StrEnum):
    """What a payout can be exported as."""

    SAFE_CSV = "safe-csv"
    CLAIMS = "claims"
    DUMP = "dump"


@app.callback()
def payouts() -> None:
    """Payouts are recorded by the asset ``contributor_payouts``; nothing here sends or records anything."""


@app.command()
def plan(
    day: Annotated[str, typer.Argument(help="An attested day, YYYY-MM-DD.")],
    program: Program = None,
    as_json: AsJson = False,
) -> None:
    """Work out what a day would pay with the pool as it is set now, recording nothing.

    The attestation is verified again first. A day that was paid stays paid as
    it was: see `telefine payouts show`.

    Example: telefine payouts plan 2026-11-02
    """
    from telefine_assets.payouts.plan import plan_payout
    from telefine_assets.payouts.token import token_record

    place = opened(program)
    verified = attested(place, day)
    settings = place.program.payout
    planned = plan_payout(int(settings.pool), verified.weights, int(settings.dust_floor))
    paid = place.paid_for(verified)
    note = "this would be paid" if paid is None else f"was paid already, by plan {paid.plan} in {paid.token}"
    token = token_record(place.token())
    record = {"outcome": "dry run", "reason": note, "plan": planned.to_record(), "token": token}
    tell(as_json, record, _lines(place.name, day, record))


@app.command()
def show(
    day: Annotated[str | None, typer.Argument(help="One day, YYYY-MM-DD; all by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print payouts: exact amounts in the token's smallest unit, and what was revoked since of what they rest on.

    Example: telefine payouts show 2026-11-02
    """
    from telefine_assets.attestation.standing_shown import told_of
    from telefine_assets.cli.attest_shared import standing_in
    from telefine_assets.settings.loading import load_settings
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore

    settings = load_settings()
    records = RecordStore(Files(settings.store.uri))
    found = [(name, each) for name in settings.programs for each in records.days(name, STAGE) if day in (None, each)]
    if not found:
        raise TelefineError(f"no payout record of {day or 'any day'}; materialise {STAGE} first")
    standings = {name: standing_in(settings, name) for name in {name for name, _ in found}}
    rows = [(name, each, records.read(name, STAGE, each), standings[name](each)) for name, each in found]
    facts = [{"program": name, "day": each, **record, "standing": told_of(now)} for name, each, record, now in rows]
    lines = ((*_lines(name, each, record), *_since(now)) for name, each, record, now in rows)
    tell(as_json, facts, [line for of_day in lines for line in of_day])


@app.command()
def proof(
    address: Annotated[str, typer.Argument(help="The wallet.")],
    token: TokenName = None,
    program: Program = None,
    day: Day = None,
) -> None:
    """Print what a wallet shows the contract, as JSON: root, total ever earned, proof.

    The proof is verified first. The contract pays the total minus what was claimed.

    Example: telefine payouts proof 0x52908400098527886E0F7030069857D2E4169EE7
    """
    from telefine_assets.attribution.addresses import resolve_contributor
    from telefine_assets.payouts.exports import checked_claim, claim_record

    wallet = resolve_contributor(address)
    if wallet.address is None:
        raise TelefineError(f"{address!r} is no wallet ({wallet.reason}); give its address")
    place = opened(program)
    claims = place.claims(day, place.token(token))
    print_json({"root": claims.root} | claim_record(checked_claim(claims, wallet.address)))


@app.command()
def export(
    kind: Annotated[
        Format,
        typer.Option("--format", help="safe-csv: one day's airdrop; claims: all proofs; dump: the OpenZeppelin tree."),
    ],
    output: Annotated[Path | None, typer.Option(help="The file; without it nothing is written.")] = None,
    token_address: Annotated[
        str | None, typer.Option(help="The ERC-20 token, for safe-csv of a payout that names none.")
    ] = None,
    token: TokenName = None,
    program: Program = None,
    day: ExportDay = None,
    as_json: AsJson = False,
) -> None:
    """Write a file to pay by, checked again from the stored payout.

    safe-csv pays the amounts of --day at once; claims and dump let wallets claim
    all they ever earned. Use the one or the other: both together pay twice.
    Without --output, only says what the file would hold. What was paid in
    another token than today's settings name needs --token.

    Example: telefine payouts export --format claims --output claims.json
    """
    place = opened(program)
    paid_in = place.token(token)
    made = (
        _airdrop(place, day, paid_in, token_address)
        if kind is Format.SAFE_CSV
        else _tree(place.claims(day, paid_in), kind)
    )
    write_once(output, made.content, as_json, {"format": kind, **made.facts}, made.lines)


@dataclass(frozen=True)
class _Export:
    """A file's content, and what there is to say about it."""

    content: bytes
    facts: dict[str, Any]
    lines: list[str]


def _airdrop(place: Place, day: str | None, token: Token, token_address: str | None) -> _Export:
    """The airdrop of a day, read back to the same integers."""
    from telefine_assets.payouts.exports import checked_plan
    from telefine_assets.payouts.safe_csv import read_safe_csv, safe_csv
    from telefine_assets.payouts.token import contract_of

    contract = contract_of(token) or token_address
    if day is None:
        raise TelefineError("an airdrop is of one day: name it with --day")
    if contract is None:
        raise TelefineError(
            "the token has no address: name its contract with --token-address, or in payout.token_address"
        )
    if token_address not in (None, contract):
        raise TelefineError(f"the token is {token}, --token-address is {token_address}: leave the option out")
    paid = checked_plan(place.payout(day, token), place.payouts().of)
    content = safe_csv(paid.payments, contract, token.decimals)
    if read_safe_csv(content, contract, token.decimals) != paid.payments:
        raise TelefineError("the airdrop does not read back as the payments; nothing is written")
    facts = {"payments": len(paid.payments), "paid": str(paid.paid), "pool": str(paid.pool)}
    lines = [f"{len(paid.payments)} payments, {paid.paid} of {paid.pool} smallest units"]
    lines += [f"not in the file: {held.amount} in escrow ({held.reason})" for held in paid.escrow]
    return _Export(content, facts | {"escrow": _held(paid.escrow)}, lines)


def _tree(claims: ClaimSet, kind: Format) -> _Export:
    """The claims with their proofs, or the tree alone."""
    from telefine_assets.payouts.exports import claims_document

    document = claims_document(claims)
    content = document if kind is Format.CLAIMS else claims.dump_bytes()
    if content is None:
        raise TelefineError("nobody has earned anything yet, so that there is no tree to dump")
    totals = claims.totals
    lines = [f"{len(totals.wallets)} wallets under root {claims.root}"]
    lines += [f"not in the file: {held.amount} ever held in escrow ({held.reason})" for held in totals.escrow]
    return _Export(
        content, {"wallets": len(totals.wallets), "root": claims.root, "escrow": _held(totals.escrow)}, lines
    )


def _held(escrow: Iterable[HeldAmount]) -> list[dict[str, str]]:
    """What no wallet gets, and why."""
    return [{"reason": each.reason, "amount": str(each.amount)} for each in escrow]


def _lines(program: str, day: str, record: dict[str, Any]) -> Iterator[str]:
    from telefine_assets.payouts.token import read_token

    yield f"{program} {day}: {record['outcome']} ({record['reason']})"
    plan = record["plan"]
    if not plan:
        return
    yield from (f"  {payment['address']}  {payment['amount']}" for payment in plan["payments"])
    yield from (f"  {'escrow: ' + held['reason']:<42}  {held['amount']}" for held in plan["escrow"])
    yield f"  {'sum':<42}  {plan['pool']}"
    yield f"  smallest units of {read_token(record['token'])}"


def _since(standing: DayStanding) -> Iterator[str]:
    from telefine_assets.attestation.standing_shown import sentence_of

    if said := sentence_of(standing):
        yield f"  since then: {short(said, 1000)} What was paid stands, and is paid once."
