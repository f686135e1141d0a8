"""``telefine payouts``: who is paid what."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from telefine_assets.errors import TelefineError

app = typer.Typer(no_args_is_help=True, help="Show payouts.")


@app.callback()
def payouts() -> None:
    """Payouts are planned by the asset ``contributor_payouts``; nothing here sends anything."""


@app.command()
def show(day: Annotated[str | None, typer.Argument(help="One day, YYYY-MM-DD; all by default.")] = None) -> None:
    """Print payouts: exact amounts in the token's smallest unit."""
    from telefine_assets.settings import load_settings
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore

    settings = load_settings()
    records = RecordStore(Files(settings.store.uri))
    found = [
        (name, each)
        for name in settings.programs
        for each in records.days(name, "contributor_payouts")
        if day in (None, each)
    ]
    if not found:
        raise TelefineError(f"no payout record of {day or 'any day'}; materialise contributor_payouts first")
    for name, each in found:
        _print(name, each, records.read(name, "contributor_payouts", each))


def _print(program: str, day: str, record: dict[str, Any]) -> None:
    typer.echo(f"{program} {day}: {record['outcome']} ({record['reason']})")
    plan = record["plan"]
    if not plan:
        return
    for payment in plan["payments"]:
        typer.echo(f"  {payment['address']}  {payment['amount']}")
    for held in plan["escrow"]:
        typer.echo(f"  {'escrow: ' + held['reason']:<42}  {held['amount']}")
    typer.echo(f"  {'sum':<42}  {plan['pool']}")
