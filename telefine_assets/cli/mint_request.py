"""``telefine payouts mint-request``: write one, sign it, check it. Nothing is sent."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from telefine_assets.cli.payouts_shared import Place, attested, opened, replace_file, write_once
from telefine_assets.cli.shared import AsJson, Program, chosen, print_json, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attestation.verify import VerifiedAttestation
    from telefine_assets.attribution.weights import WeightTable
    from telefine_assets.deltaone.records import Decision
    from telefine_assets.payouts.mint_file import MintFile
    from telefine_assets.payouts.preflight import Problem
    from telefine_assets.settings.payout import MintSettings

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Mint requests for DeltaVerifier: write, sign, check. Nothing is sent.")

_Request = Annotated[Path, typer.Argument(metavar="FILE", help="A mint request, as `write` wrote it.")]


@app.command()
def write(
    day: Annotated[str, typer.Argument(help="The attested day, YYYY-MM-DD.")],
    max_cost: Annotated[int, typer.Option(help="What the run was allowed to cost, millionths of a US dollar.")],
    actual_cost: Annotated[int, typer.Option(help="What it cost, in the same unit.")],
    deadline: Annotated[int, typer.Option(help="Last second at which it is taken, since 1970 UTC.")],
    model_id: Annotated[str | None, typer.Option(help="The model's id on the chain.")] = None,
    chain_id: Annotated[int | None, typer.Option(help="The chain.")] = None,
    contract: Annotated[str | None, typer.Option(help="The DeltaVerifier's address.")] = None,
    spec_id: Annotated[str | None, typer.Option(help="Id of the benchmark's specification.")] = None,
    metric_family: Annotated[str | None, typer.Option(help="What kind of number the metric is.")] = None,
    escrow_wallet: Annotated[
        str | None, typer.Option(help="Who holds what unresolved contributors earned; needed if there are any.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The file; without it nothing is written.")] = None,
    program: Program = None,
    as_json: AsJson = False,
) -> None:
    """Write the mint request of an attested day, after verifying the attestation again.

    What is the same for every request stands in the settings, under payout.mint.
    The deadline is signed with all the rest and stays as it is in the file.
    Refuses, with codes, what the contract would refuse whatever its state, and
    an attestation that is paid for by nothing, or by another mint request.

    Example: telefine payouts mint-request write 2026-11-02 --max-cost 5000000 --actual-cost 2340000
    --deadline 1796083200 --output mint.json
    """
    from telefine_assets.payouts.mint_file import MintFile
    from telefine_assets.payouts.mint_request import benchmark_spec_hash
    from telefine_assets.payouts.minting import MintTerms, mint_request
    from telefine_assets.payouts.preflight import Chain, preflight

    place = opened(program)
    known = place.program.payout.mint
    model = _needed("model_id", model_id or known.model_id)
    if not model.isdecimal():
        raise TelefineError(f"--model-id {model!r} is no whole number")
    verified = attested(place, day)
    terms = MintTerms(
        _needed("chain_id", chain_id or known.chain_id),
        _needed("contract", contract or known.contract),
        int(model),
        benchmark_spec_hash(_needed("spec_id", spec_id or known.spec_id)),
        metric_family or known.metric_family,
        max_cost,
        actual_cost,
        deadline,
        escrow_wallet or known.escrow_wallet,
    )
    request = mint_request(verified, _decision(place, verified), terms)
    _refuse(preflight(request, Chain(), int(time.time())), as_json)
    file = MintFile(request)
    _require_only(place, file, verified)
    wallets = {each.wallet for each in request.contributors}
    small = [line for line in verified.weights.lines if line.address not in wallets]
    paid = _paid(place, verified)
    facts = _facts(file) | {"tree_pays": paid, "below_one_bps": [line.address for line in small]}
    lines = [*_lines(file, verified.weights), *_tree_lines(paid)]
    lines += [
        f"  {line.address}  {line.weight_ppm} ppm, less than one basis point: gets nothing by this request"
        for line in small
    ]
    write_once(output, file.to_bytes(), as_json, facts, lines)


@app.command()
def sign(
    file: _Request,
    yes: Annotated[bool, typer.Option("--yes", help="Sign; without it, only shows what would be signed.")] = False,
    program: Program = None,
    as_json: AsJson = False,
) -> None:
    """Add this deployment's signature to a mint request, after verifying the attestation that it rests on.

    Scores, commitments and weights must be those of our own stored evidence, and
    the terms those that the settings name under payout.mint. The first request
    that is signed for an attested day is its only one, for ever.

    Example: telefine payouts mint-request sign mint.json --yes
    """
    from telefine_assets.payouts.preflight import Chain, preflight

    place, found = opened(program), _read(file)
    _refuse(preflight(found.request, Chain(), int(time.time())), as_json)
    verified = _same_as_ours(place, found)
    _require_only(place, found, verified)
    paid = _paid(place, verified)
    lines = [*_lines(found, verified.weights), *_tree_lines(paid)]
    if yes:
        signer = place.signer()
        place.mint_requests().record(verified.uid, found.request.digest, verified.claim.replaces)
        found = found.signed_by(signer)
        replace_file(file, found.to_bytes())
    done = f"{file}: signed by {', '.join(found.signers)}" if yes else "dry run: nothing signed; sign with --yes"
    tell(as_json, _facts(found) | {"tree_pays": paid, "signed": yes, "file": str(file)}, [*lines, done])


@app.command()
def check(
    file: _Request,
    head: Annotated[str | None, typer.Option(help="The model's commitment on the chain now.")] = None,
    attester: Annotated[list[str] | None, typer.Option(help="A registered attester; may be repeated.")] = None,
    required: Annotated[int | None, typer.Option(help="How many attesters must sign.", min=1)] = None,
    used_key: Annotated[list[str] | None, typer.Option(help="A used idempotency key; may be repeated.")] = None,
    reward: Annotated[str | None, typer.Option(help="What it would mint, smallest units.")] = None,
    budget: Annotated[str | None, typer.Option(help="What may still be minted, smallest units.")] = None,
    program: Program = None,
    as_json: AsJson = False,
) -> None:
    """Name every reason for which the contract would refuse; exits 1 if there is one.

    Who is registered and how many must sign may stand in the settings, under
    payout.mint. What neither they nor the options say is not checked, and listed.

    Example: telefine payouts mint-request check mint.json --required 2
    """
    from telefine_assets.payouts.preflight import Chain, preflight, signature_problems

    found, known = _read(file), _settings(program)
    registered = attester or known.attesters
    chain = Chain(
        head=head,
        used_keys=None if used_key is None else frozenset(used_key),
        attesters=frozenset(registered) if registered else None,
        required=required or known.required,
        reward=_amount("--reward", reward),
        budget=_amount("--budget", budget),
    )
    lines = _lines(found)
    if chain.unknown:
        lines.append(f"  not checked  {', '.join(chain.unknown)}")
    if not as_json:
        typer.echo("\n".join(lines))
    problems = preflight(found.request, chain, int(time.time()))
    _refuse(problems + signature_problems(found.request, found.signatures, chain), as_json)
    facts = {"valid": True, **_facts(found), "unchecked": chain.unknown}
    tell(as_json, facts, ["nothing stands against it"])


def _settings(program: str | None) -> MintSettings:
    """What the settings say of the contract; nothing where a file is checked without a deployment."""
    from telefine_assets.settings.file import config_path
    from telefine_assets.settings.payout import MintSettings

    if program is None and not config_path().is_file():
        return MintSettings()
    return chosen(program)[2].payout.mint


def _needed(name: str, value: T | None) -> T:
    if value is None:
        raise TelefineError(f"give --{name.replace('_', '-')}, or set payout.mint.{name}")
    return value


def _read(file: Path) -> MintFile:
    from telefine_assets.payouts.mint_file import MintFile

    if not file.is_file():
        raise TelefineError(f"{file}: no such file; write one with: telefine payouts mint-request write")
    return MintFile.from_bytes(file.read_bytes())


def _decision(place: Place, verified: VerifiedAttestation) -> Decision:
    """The decision in the attested evidence."""
    import json

    from telefine_assets.attestation.files import REPORT
    from telefine_assets.deltaone.records import Decision

    digest = next(each.sha256 for each in verified.claim.evidence if each.name == REPORT)
    return Decision.from_record(json.loads(place.evidence.get(digest))["decision"])


def _same_as_ours(place: Place, file: MintFile) -> VerifiedAttestation:
    """Refuse to sign what our own evidence and settings do not say."""
    from telefine_assets.payouts.minting import require_faithful, require_terms

    uid = file.request.payload.anchors.attestation_hash
    for day in place.records.days(place.name, "attestations"):
        if place.records.read(place.name, "attestations", day)["uid"] == uid:
            verified = attested(place, day)
            require_faithful(file.request, verified, _decision(place, verified))
            require_terms(file.request, verified.weights, place.program.payout.mint)
            return verified
    raise TelefineError(f"{place.name} has no attestation {uid}; choose the right program with --program")


def _require_only(place: Place, file: MintFile, verified: VerifiedAttestation) -> None:
    """Refuse a request for what is not paid for, or beside another one."""
    place.mint_requests().require(verified.uid, file.request.digest, verified.claim.replaces)


def _paid(place: Place, verified: VerifiedAttestation) -> dict[str, str] | None:
    """What the cumulative tree pays for an attestation."""
    paid = place.paid_for(verified)
    return None if paid is None else {"pool": str(paid.pool), "token": str(paid.token)}


def _tree_lines(paid: dict[str, str] | None) -> list[str]:
    if paid is None:
        return []
    return [
        f"  note: the cumulative tree pays for this attestation too, {paid['pool']} smallest units",
        f"  of {paid['token']}; what is minted comes on top of it",
    ]


def _facts(file: MintFile) -> dict[str, Any]:
    return {"digest": file.request.digest, "request": file.request.to_json(), "signers": list(file.signers)}


def _lines(file: MintFile, weights: WeightTable | None = None) -> list[str]:
    """A request in words; only with the attested weights is it known who holds the escrow."""
    from telefine_assets.payouts.minting import escrow_wallet_of

    request = file.request
    escrow = escrow_wallet_of(request, weights) if weights else None
    payload = request.payload
    lines = [
        f"mint request {request.digest}",
        f"  model        {request.model_id}, chain {request.chain_id}, contract {request.verifying_contract}",
        f"  scores       {payload.baseline_bps} to {payload.candidate_bps} bps on {payload.samples} items",
        f"  attestation  {payload.anchors.attestation_hash}",
        f"  deadline     {payload.deadline}",
    ]
    for place, each in enumerate(request.contributors):
        label = ", and what rounding leaves" if place == 0 else ""
        label += ", in escrow: what unresolved contributors earned" if each.wallet == escrow else ""
        lines.append(f"  {each.wallet}  {each.weight:>5} bps{label}")
    return [*lines, f"  signed by    {', '.join(file.signers) or 'nobody yet'}"]


def _refuse(problems: list[Problem], as_json: bool) -> None:
    """Print problems and exit 1 if there are any; with ``--json``, the first one's code is the answer's."""
    if not problems:
        return
    for problem in problems:
        typer.echo(str(problem), err=True)
    if as_json:
        found = [{"code": each.code, "detail": each.text} for each in problems]
        print_json({"valid": False, **found[0], "problems": found})
    raise typer.Exit(1)


def _amount(option: str, text: str | None) -> int | None:
    if text is not None and not text.isdecimal():
        raise TelefineError(f"{option} {text!r} is no amount in smallest units")
    return None if text is None else int(text)
