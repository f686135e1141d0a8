"""``telefine keys``: who may ask the API for what."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.shared import AsJson, print_json, print_table, short, tell

if TYPE_CHECKING:
    from telefine_assets.ledger.api_keys import ApiKey, ApiKeys

app = typer.Typer(no_args_is_help=True, help="Keys of the API: made, listed and revoked.")

By = Annotated[str | None, typer.Option("--by", help="Who decides, for the audit log; by default the login name.")]


@app.command()
def create(
    holder: Annotated[str, typer.Argument(help="Whose key it is, such as 'the triage service'.")],
    scope: Annotated[list[str], typer.Option("--scope", "-s", help="read, submit, operate or admin; may be repeated.")],
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="How long it is good.")] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once: only a hash of it is kept. `admin` opens everything.

    Example: telefine keys create "the triage service" --scope submit --days 90
    """
    import secrets

    from telefine_assets.ledger.api_keys import NewKey, scopes_named

    now = datetime.now(UTC)
    wanted = NewKey(holder, scopes_named(scope), now + timedelta(days=days) if days else None)
    key, secret = _keys().create(wanted, secrets.token_bytes(40), _who(by), now)
    if as_json:
        print_json(_record(key) | {"key": secret})
        return
    typer.echo(secret)
    typer.echo("Keep it now: it is not shown again, and nobody can find it out.", err=True)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the keys, without their secrets.

    Example: telefine keys list
    """
    found = _keys().all()
    if as_json:
        print_json([_record(key) for key in found])
        return
    print_table(
        ("key", "holder", "scopes", "made", "expires", "state"),
        [
            (
                *(key.key_id, short(key.holder), ", ".join(sorted(key.scopes)), _day(key.created_ms)),
                *(_day(key.expires_ms), _state(key)),
            )
            for key in found
        ],
    )


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, the 16 digits after telefine_.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the audit log.")],
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key, at once and for ever.

    Example: telefine keys revoke 3f9a2c0011223344 --reason "it was in a log"
    """
    key = _keys().revoke(key_id, reason, _who(by), datetime.now(UTC))
    tell(as_json, _record(key), [f"{key.key_id}: revoked, {short(key.holder)}"])


def _keys() -> ApiKeys:
    from telefine_assets.ledger.api_keys import ApiKeys
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.settings.loading import load_settings

    return ApiKeys(Ledger(load_settings().ledger.url))


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _record(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "holder": key.holder,
        "scopes": sorted(key.scopes),
        "created_ms": key.created_ms,
        "expires_ms": key.expires_ms,
        "revoked_ms": key.revoked_ms,
        "state": _state(key),
    }


def _state(key: ApiKey) -> str:
    if key.revoked_ms is not None:
        return "revoked"
    return "good" if key.is_good(int(datetime.now(UTC).timestamp() * 1000)) else "expired"


def _day(ms: int | None) -> str:
    return "-" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
