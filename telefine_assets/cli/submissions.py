"""``telefine submissions``: traces that their contributors sign for, and the log that says who was first."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.payouts_shared import Place, opened, write_once
from telefine_assets.cli.shared import AsJson, Program, coded, print_json, print_table, program_names, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.attestation.signatures import Signer
    from telefine_assets.attribution.submissions import Scope
    from telefine_assets.ledger.records import SubmissionRow
    from telefine_assets.ledger.submissions import Submissions

app = typer.Typer(no_args_is_help=True, help="Sign for traces as their contributor, and log who was first.")

File = Annotated[Path, typer.Argument(help="The signed submission: what `sign` wrote, or a trace's tag.")]
Inputs = Annotated[Path, typer.Argument(help="JSON object with the program's input fields, as the trace has them.")]


@app.command()
def sign(
    inputs: Inputs,
    program: Program = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file; without it, it is printed.")] = None,
    keystore: Annotated[
        Path | None, typer.Option(help="The contributor's keystore; default: the signer set up.")
    ] = None,
    password_file: Annotated[Path | None, typer.Option(help="The keystore's password.")] = None,
) -> None:
    """Sign for a trace: nobody who signs for the same inputs later is paid for them.

    The result is the value of the trace's tag `telefine.submission`; hand it in
    with `telefine submissions receive` to be sure of your place.

    Example: telefine submissions sign inputs.json --program triage --output submission.json
    """
    import secrets
    import time

    from telefine_assets.attribution.submissions import sign_submission
    from telefine_assets.traces.clusters import cluster_of

    place = opened(program)
    digest = _scope(place).trace_digest(cluster_of(_inputs(place, inputs)))
    signer = _signer(place, keystore, password_file)
    tag = sign_submission(signer, digest, int(time.time()), "0x" + secrets.token_hex(32)).to_tag()
    if output is None:
        typer.echo(tag)
    else:
        write_once(output, tag.encode() + b"\n")


@app.command()
def check(file: File, inputs: Inputs, program: Program = None, as_json: AsJson = False) -> None:
    """Say whether a submission holds for these inputs; exits 1 with a stable code if not.

    Example: telefine submissions check submission.json inputs.json --program triage
    """
    from telefine_assets.attribution.receiving import checked

    place = opened(program)
    with coded(as_json):
        signed = checked(_scope(place), _inputs(place, inputs), _read(file), _now_ms())
    said = signed.submission
    facts = {"valid": True, "traceDigest": said.trace_digest, **signed.to_json()}
    tell(as_json, facts, [f"good: {said.contributor} signed for trace digest {said.trace_digest}"])


@app.command()
def receive(file: File, inputs: Inputs, program: Program = None, as_json: AsJson = False) -> None:
    """Check a submission and log it; what is there already keeps its place.

    Example: telefine submissions receive submission.json inputs.json --program triage
    """
    from telefine_assets.attribution.receiving import receive_submission

    place = opened(program)
    with coded(as_json):
        logged = receive_submission(_book(place), _scope(place), _inputs(place, inputs), _read(file), _now_ms())
    digest = logged.signed.submission.trace_digest
    facts = {"program": place.name, "traceDigest": digest, **logged.to_json()}
    tell(as_json, facts, [f"position {logged.position}: {logged.contributor}, trace digest {digest}"])


@app.command()
def log(
    program: Annotated[
        str | None, typer.Option("--program", "-p", help="Only this program's.", autocompletion=program_names)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the log of arrivals, the first first.

    Example: telefine submissions log --program triage
    """
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.submissions import Submissions
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    if program is not None:
        settings.program(program)
    rows = Submissions(Ledger(settings.ledger.url)).rows(program)
    if as_json:
        print_json([{"position": row.position, "program": row.entry.program, **_listed(row)} for row in rows])
        return
    print_table(
        ["position", "received (UTC)", "program", "contributor", "trace digest"],
        [
            (row.position, _utc(row.received_ms), row.entry.program, row.entry.contributor, row.entry.trace_digest)
            for row in rows
        ],
    )


@app.command()
def receipt(
    of: Annotated[str, typer.Argument(help="A trace digest, or a contributor's address.")], program: Program = None
) -> None:
    """Print receipts as JSON: each shows a submission's place under a head of the log that is signed now.

    Example: telefine submissions receipt 0x52908400098527886E0F7030069857D2E4169EE7 --program triage
    """
    from telefine_assets.attribution.addresses import resolve_contributor
    from telefine_assets.attribution.submission_log import receipts_of

    place = opened(program)
    rows = _book(place).rows()
    wallet = resolve_contributor(of).address
    wanted = [row for row in rows if wallet == row.entry.contributor or of.lower() == row.entry.trace_digest]
    if not wanted:
        raise TelefineError(f"nobody logged a submission under {of}; see: telefine submissions log")
    receipts = receipts_of(rows, wanted, place.settings.deployment, place.signer())
    print_json([each.to_json() for each in receipts])


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="What `receipt` printed.")],
    log_key: Annotated[list[str], typer.Option(help="The address that signs the log's heads; several are allowed.")],
    deployment: Annotated[str, typer.Option(help="Whose log it is.")],
    as_json: AsJson = False,
) -> None:
    """Check receipts offline: signature, place and head.

    Example: telefine submissions verify receipts.json --deployment shop
    --log-key 0x52908400098527886E0F7030069857D2E4169EE7
    """
    from telefine_assets.attribution.records import load_json
    from telefine_assets.attribution.submission_log import SubmissionReceipt, origin_of

    found = load_json(_read(file).encode(), str(file))
    receipts = [SubmissionReceipt.from_json(each) for each in (found if isinstance(found, list) else [found])]
    with coded(as_json):
        for each in receipts:
            each.verify(origin_of(deployment), _wallets(log_key))
    lines = [
        f"valid: {each.logged.contributor} is at position {each.logged.position} "
        f"with trace digest {each.logged.signed.submission.trace_digest}"
        for each in receipts
    ]
    tell(as_json, {"valid": True, "receipts": [each.to_json() for each in receipts]}, lines)


def _wallets(addresses: list[str]) -> Collection[str]:
    from telefine_assets.attribution.addresses import require_wallet

    return {require_wallet(address, "--log-key") for address in addresses}


def _scope(place: Place) -> Scope:
    from telefine_assets.attribution.submissions import Scope

    return Scope(place.settings.deployment, place.name)


def _book(place: Place) -> Submissions:
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.submissions import Submissions

    return Submissions(Ledger(place.settings.ledger.url))


def _signer(place: Place, keystore: Path | None, password_file: Path | None) -> Signer:
    from telefine_assets.attestation.signers import KeystoreSigner

    if keystore is None:
        return place.signer()
    if password_file is None:
        raise TelefineError("--keystore needs --password-file")
    password = _read(password_file).strip()
    return KeystoreSigner.from_file(keystore, lambda: password)


def _inputs(place: Place, file: Path) -> dict[str, Any]:
    """The program's own input fields, read as cleaning reads those of a trace."""
    from telefine_assets.programs.spec import load_spec
    from telefine_assets.traces.cleaning.reading import read_json

    found = read_json(_read(file))
    if not isinstance(found, dict):
        raise TelefineError(f"{file}: expected a JSON object with the input fields")
    names = load_spec(place.name, place.program).fields.inputs
    missing = [name for name in names if name not in found]
    if missing:
        raise TelefineError(f"{file}: lacks {', '.join(missing)}; {place.name} has the inputs {', '.join(names)}")
    return {name: found[name] for name in names}


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TelefineError(f"{file}: cannot be read ({type(error).__name__})") from None


def _listed(row: SubmissionRow) -> dict[str, Any]:
    from telefine_assets.attribution.receiving import logged_of

    return {"traceDigest": row.entry.trace_digest, **logged_of(row).to_json()}


def _utc(milliseconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _now_ms() -> int:
    import time

    return time.time_ns() // 1_000_000
