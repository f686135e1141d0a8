"""``telefine status``: where a deployment stands, at one look."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import typer

from telefine_assets.cli.run import record_of
from telefine_assets.cli.schedule import when
from telefine_assets.cli.shared import AsJson, hurried, print_table, short
from telefine_assets.errors import TelefineError
from telefine_assets.pages.numbers import gain

if TYPE_CHECKING:
    from telefine_assets.control.driver import DagsterControl
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.settings.schema import Settings

_LONG = 1000


def status(as_json: AsJson = False) -> None:
    """Show programs, their stages, champions and waiting traces, the last DeltaOne, runs, and what runs by itself.

    Example: telefine status --json
    """
    with hurried():
        found = _found()
        if as_json:
            typer.echo(json.dumps(found, indent=2))
        else:
            _show(found)


def _found() -> dict[str, Any]:
    from telefine_assets.control.driver import open_control
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    with closing(open_control(settings)) as control, closing(Ledger(settings.ledger.url)) as ledger:
        return {
            "deployment": settings.deployment,
            "programs": [_program(settings, control, ledger, each) for each in settings.programs],
            "runs": [record_of(each) for each in control.unfinished()],
            **_automation(control),
        }


def _program(settings: Settings, control: DagsterControl, ledger: Ledger, program: str) -> dict[str, Any]:
    from dataclasses import asdict

    from telefine_assets.cli.spool import told
    from telefine_assets.ledger.champions import Champions
    from telefine_assets.ledger.spool import Spool

    champion, lag = Champions(ledger).current(program), Spool(ledger).lag(program)
    stages = control.stages(program)
    failed = control.failed(program, stages)
    return {
        "program": program,
        "champion": {"version": champion.version, "since": champion.day, "how": champion.how} if champion else None,
        "deltaone": _last_report(settings, program),
        "spool": told(lag),
        "stages": [asdict(each) for each in stages],
        "failed": record_of(failed) if failed else None,
        "latest": _latest(settings, program),
    }


def _latest(settings: Settings, program: str) -> dict[str, Any] | None:
    """What came of the newest day of which anything is stored."""
    from telefine_assets.control.outcome import EVERYTHING, latest_day, read_outcome

    day = latest_day(settings, program)
    if day is None:
        return None
    try:
        return read_outcome(settings, program, day, EVERYTHING).to_record()
    except TelefineError as error:
        return {"day": day, "sentence": f"what came of it cannot be told: {error}"}


def _last_report(settings: Settings, program: str) -> dict[str, Any] | None:
    """The newest day that was compared, and what came of it."""
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore

    records = RecordStore(Files(settings.store.uri))
    days = records.days(program, "deltaone_reports")
    if not days:
        return None
    record = records.read(program, "deltaone_reports", days[-1])
    public = record.get("public") or {}
    return {
        "day": days[-1],
        "reached": record["reached"],
        "code": record["code"],
        "delta_ppm": public.get("delta_ppm"),
        "amended": _amended(settings, program, days[-1]) if record["reached"] else "",
    }


def _amended(settings: Settings, program: str, day: str) -> str:
    """What was revoked of it, in words; nothing else of the state waits for evidence that is broken."""
    from telefine_assets.attestation.standing_shown import in_short
    from telefine_assets.cli.attest_shared import standing_in

    try:
        return in_short(standing_in(settings, program)(day))
    except TelefineError as error:
        return f"what stands of it cannot be told: {error}"


def _automation(control: DagsterControl) -> dict[str, Any]:
    """What runs by itself; the rest can be shown while a program's code cannot be loaded."""
    from dataclasses import asdict

    try:
        return {"automation": [asdict(each) for each in control.automation(None)], "automation_error": None}
    except TelefineError as error:
        return {"automation": [], "automation_error": str(error)}


def _show(found: dict[str, Any]) -> None:
    for program in found["programs"]:
        _show_program(program)
    typer.echo("")
    _show_runs(found["runs"])
    typer.echo("")
    if found["automation_error"]:
        typer.echo(found["automation_error"], err=True)
    rows = [
        (each["name"], "on" if each["running"] else "off", when(each["next_ms"]), when(each["last_ms"]), _said(each))
        for each in found["automation"]
    ]
    print_table(("by itself", "", "next", "last", "said"), rows)


def _show_program(program: dict[str, Any]) -> None:
    champion, report = program["champion"], program["deltaone"]
    serves = f"{champion['version'][:12]} ({champion['how']}, {champion['since']})" if champion else "the first version"
    typer.echo(f"{program['program']}: {serves} serves; {_report(report)}")
    rows = [
        (
            *(f"  {each['stage']}", each["last_day"] or "-", each["materialised"], _days(each["running"])),
            *(_days(each["failed"]), _days(each["untried"]), when(each["at_ms"])),
        )
        for each in program["stages"]
    ]
    if latest := program["latest"]:
        since = report["amended"] if report and report["day"] == latest["day"] else ""
        typer.echo(f"  {latest['day']}: {short(latest['sentence'], _LONG)}{since and f'; {since}'}")
    if failed := program["failed"]:
        typer.echo(f"  failed: {_days(failed['days'])}: {short(failed['error'], _LONG)} (run {failed['run_id']})")
    if said := _spool(program["spool"]):
        typer.echo(f"  {said}")
    print_table(("  stage", "last day", "days", "running", "failed", "not tried", "made at (UTC)"), rows)


def _report(report: dict[str, Any] | None) -> str:
    if report is None:
        return "nothing was compared yet"
    delta = "" if report["delta_ppm"] is None else f" {gain(report['delta_ppm'])}"
    amended = f", {report['amended']}" if report["amended"] else ""
    return f"last comparison {report['day']}: {'DeltaOne' if report['reached'] else report['code']}{delta}{amended}"


def _spool(spool: dict[str, Any]) -> str:
    """What waits to be written to MLflow; nothing is said where nothing waits."""
    said = []
    if spool["waiting"]:
        said.append(f"{spool['waiting']} traces wait for MLflow, the oldest for {spool['oldest_seconds']} s")
    if spool["refused"]:
        said.append(f"MLflow refuses {spool['refused']}: telefine spool refused")
    return "; ".join(said)


def _show_runs(runs: Sequence[dict[str, Any]]) -> None:
    if not runs:
        typer.echo("no run goes on")
        return
    rows = [
        (each["run_id"], each["program"] or "-", _days(each["days"]), each["status"], short(each["progress"]))
        for each in runs
    ]
    print_table(("run", "program", "days", "status", "progress"), rows)


def _days(days: Sequence[str]) -> str:
    return "-" if not days else days[-1] if len(days) == 1 else f"{len(days)}: {days[0]} to {days[-1]}"


def _said(each: dict[str, Any]) -> str:
    return short(f"{each['last']}: {each['said']}" if each["said"] else each["last"] or "-")
