"""``telefine payouts``: who is paid what."""

from __future__ import annotations

from typing import Annotated, Any

import typer

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
    for name in settings.programs:
        for each in records.days(name, "contributor_payouts"):
            if day in (None, each):
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
