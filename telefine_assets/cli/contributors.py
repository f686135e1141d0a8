"""``telefine contributors``: who gave traces, what became of each, and proofs to keep."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.attest_shared import AcceptErased
from telefine_assets.cli.payouts_shared import opened, write_once
from telefine_assets.cli.shared import AsJson, Program, chosen, coded, print_json, print_table, short, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attribution.trail_summary import EarningDay, Summary
    from telefine_assets.ledger.records import Token

app = typer.Typer(no_args_is_help=True, help="Who gave traces, what became of them, and what they earned.")

Address = Annotated[str, typer.Argument(help="The wallet, in any spelling of its address.")]
First = Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD; by default the first there is.")]
Last = Annotated[str | None, typer.Option("--to", help="Last day; by default the last there is.")]

_LATEST = 10


@app.command("list")
def list_all(
    program: Program = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List who gave traces or earned anything, the best paid first.

    Example: telefine contributors list --limit 10
    """
    from telefine_assets.attribution.trail_summary import all_of

    place = opened(program)
    earned = place.payouts().totals_before(place.name, place.token(), None)
    found = all_of(place.records, place.name, earned)
    if as_json:
        fields = ("who", "given", "kept", "earned")
        print_json([{name: getattr(each, name) for name in fields} for each in found[:limit]])
        return
    print_table(
        ("contributor", "traces", "kept", "earned (smallest units)"),
        [(short(each.who, 200), each.given, each.kept, each.earned) for each in found[:limit]],
    )
    typer.echo(f"{min(limit, len(found))} of {len(found)}")


@app.command()
def show(address: Address, program: Program = None, as_json: AsJson = False) -> None:
    """Show one contributor on a page: what was given, kept, weighed, attested and paid.

    Example: telefine contributors show 0x52908400098527886e0f7030069857d2e4169ee7
    """
    from telefine_assets.attribution.trail_summary import summary_of
    from telefine_assets.cli.attest_shared import standing_in

    place, wallet = opened(program), _wallet(address)
    earned = place.payouts().totals_before(place.name, place.token(), None).get(wallet, 0)
    found = summary_of(place.records, place.name, wallet, earned, standing_in(place.settings, place.name))
    if not found.known:
        raise _unknown(wallet, place.name, place.program.cleaning.contributor_tag)
    if as_json:
        print_json(found.to_record())
    else:
        _show(found, place.token())


@app.command()
def why(
    address: Address, program: Program = None, first: First = None, last: Last = None, as_json: AsJson = False
) -> None:
    """Say of each trace of a contributor why it was paid, or why not.

    Each line has a stable code, so that scripts can count them.

    Example: telefine contributors why 0x52908400098527886e0f7030069857d2e4169ee7 --from 2026-11-01
    """
    from telefine_assets.attribution.arrivals import Register
    from telefine_assets.attribution.submissions import Scope
    from telefine_assets.attribution.trail import Trail
    from telefine_assets.cli.attest_shared import ledger_of, standing_in
    from telefine_assets.ledger.submissions import Submissions
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore
    from telefine_assets.store.tables import TableStore
    from telefine_assets.traces.days import TRACES
    from telefine_assets.traces.inspecting import Stored

    settings, name, own = chosen(program)
    wallet, files, tag = _wallet(address), Files(settings.store.uri), own.cleaning.contributor_tag
    stored = Stored(TableStore(files), RecordStore(files), name)
    lookup = Submissions(ledger_of(settings)).of_traces
    register = Register(Scope(settings.deployment, name), lookup, own.attribution.unsigned)
    days = {day for day in stored.tables.days(name, TRACES) if (first or "") <= day <= (last or "9999")}
    lines = list(Trail(stored, register, tag, standing_in(settings, name)).why(wallet, days))
    if not lines:
        raise _unknown(wallet, name, tag)
    if as_json:
        print_json([line.to_record() for line in lines])
        return
    for line in lines:
        unsigned = "; not signed" if line.side == "train" else ""
        signed = unsigned if line.submission is None else f"; signed, position {line.submission}"
        typer.echo(f"{line.day}  {short(line.trace_id)}  {line.code}: {short(line.told, 400)}{signed}")


@app.command()
def proof(
    trace_id: Annotated[str, typer.Argument(help="The trace's id in MLflow.")],
    uid: Annotated[str, typer.Argument(help="The attestation's uid, or the day it is about (YYYY-MM-DD).")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file; without it, it is printed.")] = None,
    program: Program = None,
) -> None:
    """Write the proof that a trace is in the trainset of an attestation, for its contributor to keep.

    Example: telefine contributors proof tr-0123456789abcdef0123456789abcdef 2026-11-02 --output proof.json
    """
    from telefine_assets.attestation.bundle import AttestationBundle
    from telefine_assets.attestation.files import TRAINSET
    from telefine_assets.attestation.trace_proof import check, prove
    from telefine_assets.cli.attest_shared import evidence_of, record_of

    settings, name, _ = chosen(program)
    record, evidence = record_of(settings, uid, name), evidence_of(settings)
    stated = AttestationBundle.from_bytes(evidence.get(record["bundle"])).statement["predicate"]
    trainset = next(file["sha256"] for file in stated["evidence"] if file["name"] == TRAINSET)
    made = prove(evidence.get(trainset), trace_id, record["uid"])
    check(made, record["uid"], stated["tracesetRoot"])
    if output is None:
        typer.echo(made.to_bytes().decode())
    else:
        write_once(output, made.to_bytes())


@app.command("check-proof")
def check_proof(
    file: Annotated[Path, typer.Argument(help="The proof.")],
    attestation: Annotated[Path, typer.Argument(help="The attestation: its archive, its folder, attestation.json.")],
    policy: Annotated[Path | None, typer.Option(help="Whom to trust; default: policy.json in the attestation.")] = None,
    accept_erased: AcceptErased = False,
    as_json: AsJson = False,
) -> None:
    """Check offline that a trace is in the trainset of an attestation, which is verified first.

    Exits 1 with a stable code when it is not.

    Example: telefine contributors check-proof proof.json ./monday --policy mine.json
    """
    from telefine_assets.attestation.archive import read_bundle
    from telefine_assets.attestation.handed_on import policy_among, verify_files
    from telefine_assets.attestation.policy_file import read_policy
    from telefine_assets.attestation.trace_proof import TraceProof, check

    if not file.is_file():
        raise TelefineError(f"{file}: no such file; make one with: telefine contributors proof TRACE_ID UID")
    with coded(as_json):
        held, files = TraceProof.from_bytes(file.read_bytes()), read_bundle(attestation)
        trusted = policy_among(files) if policy is None else read_policy(policy)
        verified = verify_files(files, trusted, int(time.time()), accept_erased).verified
        trace_id = check(held, verified.uid, verified.claim.traceset_root)
    lines = [
        f"valid: trace {short(trace_id)} is in the trainset of {verified.uid}",
        f"  signed by {verified.signer}; the line: {short(held.line, 400)}",
    ]
    if policy is None:
        lines.append("  note: the policy came with the attestation: compare its first key with the one you know")
    facts = {
        "valid": True,
        "trace_id": trace_id,
        "uid": verified.uid,
        "signer": verified.signer,
        "line": json.loads(held.line),
        "policy": None if policy is None else str(policy),
    }
    tell(as_json, facts, lines)


def _wallet(address: str) -> str:
    """The EIP-55 spelling of an address."""
    from telefine_assets.attribution.addresses import resolve_contributor

    found = resolve_contributor(address)
    if found.address is None:
        raise TelefineError(
            f"{short(address)!r} is no wallet ({found.reason}): give 0x and 40 hexadecimal digits; "
            "capitals among them are a checksum and must be right, small letters alone are none"
        )
    return found.address


def _unknown(wallet: str, program: str, tag: str) -> TelefineError:
    return TelefineError(
        f"no trace of {program} names {wallet}, and nothing was paid to it. Check the address, that the traces have "
        f"the tag {tag!r}, and that their days are loaded and cleaned (see `telefine traces stats`)"
    )


def _show(found: Summary, token: Token) -> None:
    dropped = ", ".join(f"{count} {rule}" for rule, count in found.dropped.items())
    typer.echo(found.who)
    typer.echo(f"  given     {found.given} traces on cleaned days")
    typer.echo(f"  kept      {found.kept}")
    typer.echo(f"  dropped   {found.given - found.kept}" + (f" ({dropped})" if dropped else ""))
    if found.misspelt:
        typer.echo(f"  misspelt  {found.misspelt} traces with a wrong checksum in the tag: their share is in escrow")
    typer.echo(f"  earned    {found.earned} smallest units of {token}, ever")
    typer.echo(f"            the proof: telefine payouts proof {found.who}")
    if found.days:
        print_table(
            ("day", "candidate", "weight (ppm)", "demos", "outcome", "amount", "attestation"),
            [
                (each.day, each.candidate[:12], _weight(each), len(each.demos), short(each.outcome), *_paid(each))
                for each in found.days[: -_LATEST - 1 : -1]
            ],
        )
    typer.echo(f"each trace, and why it was paid or not: telefine contributors why {found.who}")


def _weight(day: EarningDay) -> str:
    before, now = day.weight_before_ppm, day.weight_ppm
    return f"{now}" if before == now else f"{now}, corrected from {before}"


def _paid(day: Any) -> tuple[str, str]:
    return day.amount or "-", day.uid or "-"
