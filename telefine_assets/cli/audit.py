"""``telefine audit``: who decided what, when and why, and whether the log of it is whole."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from telefine_assets.cli.shared import AsJson, print_json, print_table, short, tell
from telefine_assets.errors import TelefineError

app = typer.Typer(no_args_is_help=True, help="Who decided what, when and why.")

_NEWEST = 50
_LONG = 1000


@app.command()
def verify(
    last: Annotated[
        str | None, typer.Option("--last", help="Digest of a row that must still be there, from an earlier verify.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute the whole chain again, and name the first row that is not what was written.

    Rows cut off at the end leave a chain that is whole: keep the digest that is
    printed somewhere else, and give it to the next verify as --last.

    Example: telefine audit verify
    """
    from telefine_assets.cli.attest_shared import ledger_of
    from telefine_assets.ledger.audit import Audit
    from telefine_assets.ledger.connection import LedgerError
    from telefine_assets.settings.loading import load_settings

    audit = Audit(ledger_of(load_settings()))
    newest = audit.newest()
    try:
        rows = audit.verify(last)
    except LedgerError as error:
        if not as_json:
            raise
        print_json({"whole": False, "problem": str(error)})
        raise typer.Exit(1) from None
    tell(as_json, {"whole": True, "rows": rows, "last": newest}, [f"whole: {rows} rows, the last is {newest}"])


@app.command()
def show(
    actor: Annotated[str | None, typer.Option("--actor", help="Only what this one did.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="Only this kind of thing: promoted, revoked, ...")] = (
        None
    ),
    subject: Annotated[str | None, typer.Option("--subject", help="Only what was done to this.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="From here on: YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS, in UTC.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many of the newest.")] = _NEWEST,
    as_json: AsJson = False,
) -> None:
    """Show the newest rows, oldest first. Whether they can be believed, says: telefine audit verify.

    Example: telefine audit show --action promoted --since 2026-11-01
    """
    from telefine_assets.cli.attest_shared import ledger_of
    from telefine_assets.ledger.audit import Audit
    from telefine_assets.settings.loading import load_settings

    found = Audit(ledger_of(load_settings())).rows(subject, actor=actor, action=action, since=_moment(since))
    shown = found[-limit:]
    if as_json:
        print_json([asdict(row) for row in shown])
        return
    print_table(
        ("row", "at", "by", "action", "subject", "details"),
        [(row.seq, row.at, short(row.actor), row.action, _told(row.subject), _details(row.details)) for row in shown],
    )
    typer.echo(f"{len(shown)} of {len(found)}")


def _moment(since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        found = datetime.fromisoformat(since)
    except ValueError:
        raise TelefineError(f"--since {since!r}: write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _details(details: dict[str, object]) -> str:
    return _told(", ".join(f"{name}: {value}" for name, value in details.items()))


def _told(text: str) -> str:
    return short(text, _LONG)
