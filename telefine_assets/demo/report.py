"""What the demonstration prints at its end, read from what the stages stored."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from telefine_assets.demo.people import PEOPLE
from telefine_assets.settings.schema import Settings
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore

if TYPE_CHECKING:
    from rich.console import Console

PROGRAM = "film_reviews"


def print_report(settings: Settings, console: Console, seconds: float) -> None:
    """Print the report; the attestation is exported and verified on the way."""
    files = Files(settings.store.uri)
    records, evidence = RecordStore(files), EvidenceStore(files)
    days = records.days(PROGRAM, "contributor_payouts")
    console.rule("[bold]Report")
    _traces(console, [records.read(PROGRAM, "cleaned_traces", day) for day in days])
    for day in days:
        _decision(console, day, records)
    for day in days:
        if records.read(PROGRAM, "attestations", day)["uid"]:
            _proof(settings, console, records.read(PROGRAM, "attestations", day), evidence)
            _payout(settings, console, day, records)
    _next(settings, console, seconds)


def _traces(console: Console, reports: list[dict[str, Any]]) -> None:
    from rich.table import Table

    dropped: Counter[str] = Counter()
    for report in reports:
        dropped.update(report["dropped"])
    came, kept = (sum(report[name] for report in reports) for name in ("traces_in", "kept"))
    table = Table(title=f"Traces: {came} in, {kept} kept", title_justify="left")
    table.add_column("dropped because")
    table.add_column("traces", justify="right")
    for reason, count in sorted(dropped.items()):
        table.add_row(reason, str(count))
    console.print(table)
    names = {person.wallet: person.name for person in PEOPLE}
    careless = {names.get(wallet, wallet) for report in reports for wallet in report["careless"]}
    if careless:
        console.print(f"Careless by the desk's checks, so not learnt from: {', '.join(sorted(careless))}")


def _decision(console: Console, day: str, records: RecordStore) -> None:
    compiled = records.read(PROGRAM, "compiled_programs", day)
    report = records.read(PROGRAM, "deltaone_reports", day)
    if compiled["candidate"] is None:
        console.print(f"{day}: no candidate: {compiled['reason']}")
        return
    console.print(f"\n[bold]{day}: DeltaOne {'reached' if report['reached'] else 'not reached'}[/bold]")
    if report["reached"]:
        public = report["public"]
        console.print(
            f"  holdout   {public['n']} items that no compile has seen ({public['unresolved']} unresolved), "
            f"look {public['k']}\n"
            f"  baseline  {public['baseline_ppm'] / 10_000:.1f} %\n"
            f"  candidate {public['candidate_ppm'] / 10_000:.1f} %\n"
            f"  gain      {public['delta_ppm'] / 10_000:+.2f} pp, interval {public['lower_ppm'] / 10_000:+.2f} "
            f"to {public['upper_ppm'] / 10_000:+.2f} pp, p {public['p_value']} (needs below {public['alpha_k']})\n"
            f"  grade     {public['grade']}"
        )
    console.print(f"  {report['sentence']}")


def _proof(settings: Settings, console: Console, record: dict[str, Any], evidence: EvidenceStore) -> None:
    import time

    from telefine_assets.attestation.archive import read_bundle
    from telefine_assets.attestation.export import export
    from telefine_assets.attestation.handed_on import verify_files
    from telefine_assets.cli.attest_shared import ledger_of, signer_of, trust_of

    folder = settings.home / "attestations" / "latest"
    trust = trust_of(settings, ledger_of(settings))
    export(folder, evidence.get(record["bundle"]), trust, signer_of(settings.signer), evidence.get)
    found = verify_files(read_bundle(folder), trust.log().policy, int(time.time())).verified
    console.print(f"\n[bold]Attestation[/bold] {found.uid}\n  signed by {found.signer}")
    console.print("  verified: signature, log, evidence; decided and weighed again from the evidence")
    console.print(f"  verify it yourself: telefine attest verify {_short(folder)}", soft_wrap=True)


def _payout(settings: Settings, console: Console, day: str, records: RecordStore) -> None:
    from rich.table import Table

    payout = settings.program(PROGRAM).payout
    record = records.read(PROGRAM, "contributor_payouts", day)
    weights = records.read(PROGRAM, "contributor_weights", day)
    given = weights["given"]
    used = {line["address"]: line for line in weights["weights"]["lines"]}
    plan = record["plan"]
    paid = {each["address"]: each["amount"] for each in plan["payments"]}
    table = Table(
        title=f"\nPayout of {day}, in 10^-{payout.token_decimals} {payout.token_symbol}", title_justify="left"
    )
    table.add_column("who", no_wrap=True)
    table.add_column("wallet", no_wrap=True)
    for name in ("kept", "demos", "amount"):
        table.add_column(name, justify="right", no_wrap=True, min_width=len(plan["pool"]) if name == "amount" else None)
    for person in PEOPLE:
        line = used.get(person.wallet)
        is_mistyped = person.habit == "bad_address"
        table.add_row(
            f"{person.name} ({person.habit.replace('_', ' ')})",
            person.wallet[:8] + "...",
            str(given.get(person.wallet, given.get("unresolved:bad_checksum", 0) if is_mistyped else 0)),
            str(len(line["trace_ids"]) if line else 0),
            paid.get(person.wallet, "0"),
        )
    for held in plan["escrow"]:
        demos = sum(len(each["trace_ids"]) for each in weights["weights"]["escrow"] if each["reason"] == held["reason"])
        table.add_row("escrow", held["reason"], "", str(demos), held["amount"])
    table.add_section()
    table.add_row("sum", "", "", "", plan["pool"])
    console.print(table)


def _next(settings: Settings, console: Console, seconds: float) -> None:
    console.rule("[bold]Where to look next")
    console.print(
        f"make ui                      graph, partitions, checks and lineage in Dagster\n"
        f"make mlflow                  the traces, feedback and program versions in MLflow\n"
        f"telefine payouts show        the amounts again\n"
        f"docs/tutorial.md             the same with your own program\n\n"
        f"{seconds:.0f} s; everything is in {settings.home}",
        soft_wrap=True,
    )


def _short(path: Any) -> str:
    from pathlib import Path

    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)
