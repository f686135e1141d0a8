"""``telefine alerts``: what was told to whom, what did not arrive, and whether a channel works."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.shared import AsJson, plain, print_json, print_table, program_names, short, tell
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.alerts.records import Delivery, Raised
    from telefine_assets.ledger.alerts import Alerts
    from telefine_assets.settings.schema import Settings

app = typer.Typer(no_args_is_help=True, help="See what people were told, test channels, and deliver again.")

Key = Annotated[str, typer.Argument(help="An alert's key, as `telefine alerts list` has it.")]
Only = Annotated[str | None, typer.Option("--program", "-p", help="Only this program's.", autocompletion=program_names)]
ToChannel = Annotated[str | None, typer.Option("--channel", help="Only to this channel.")]
By = Annotated[str | None, typer.Option("--by", help="Who asks, for the audit log; by default the login name.")]
_PATIENCE_MS = 60_000


@app.command("list")
def list_all(
    program: Only = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only of this kind, such as run_failed.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List alerts, the newest first.

    Example: telefine alerts list --kind run_failed
    """
    with _book() as (_, book):
        found = book.latest(limit, _kind(kind), program)
    if as_json:
        print_json([_record(each) for each in found])
        return
    rows = [(_when(each.raised_ms), each.alert.severity, each.alert.key, short(each.alert.subject)) for each in found]
    print_table(("raised (UTC)", "", "key", "subject"), rows)


@app.command()
def show(key: Key, as_json: AsJson = False) -> None:
    """Show an alert, and what became of it on each channel.

    Example: telefine alerts show champion_changed:triage:12
    """
    with _book() as (_, book):
        raised, deliveries = book.find(key), book.deliveries(key)
    if raised is None:
        raise TelefineError(f"{key}: no such alert; `telefine alerts list` has those there are")
    if as_json:
        print_json(_record(raised) | {"deliveries": [_delivery(each) for each in deliveries]})
        return
    typer.echo(plain(f"{raised.alert.subject}\n\n{raised.alert.text}\n"))
    print_table(("when (UTC)", "channel", "attempt", "", "why"), [_row(each) for each in deliveries])


@app.command()
def dead(as_json: AsJson = False) -> None:
    """List what was given up: alerts that did not come to a channel. `replay` sends them again.

    Example: telefine alerts dead
    """
    with _book() as (_, book):
        found = book.dead()
    if as_json:
        print_json([_delivery(each) for each in found])
        return
    rows = [(_when(each.at_ms), each.channel, each.key, each.attempt, short(each.reason, 120)) for each in found]
    print_table(("given up (UTC)", "channel", "key", "attempts", "why"), rows)


@app.command()
def replay(
    key: Annotated[str | None, typer.Argument(help="An alert's key, as `telefine alerts list` has it.")] = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="Everything that was given up.")] = False,
    channel: ToChannel = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Have what was given up, or waits, delivered: by the sensor, or at once by `telefine alerts deliver`.

    Example: telefine alerts replay --all-dead --channel ops
    """
    if (key is None) != all_dead:
        raise TelefineError("name one alert's key, or --all-dead")
    with _book() as (_, book):
        wanted = [(each.key, each.channel) for each in book.dead() if channel in (None, each.channel)]
        done = [
            {"key": each, "channels": book.replay(each, to, by or getpass.getuser(), _now_ms())}
            for each, to in (wanted if all_dead else [(str(key), channel)])
        ]
    lines = [f"{each['key']}: to {', '.join(each['channels'])}" for each in done]
    tell(as_json, done, lines or ["nothing was given up"])


@app.command()
def deliver(as_json: AsJson = False) -> None:
    """Deliver what is due now, without waiting for the sensor. Exits 1 when something did not arrive.

    Example: telefine alerts deliver
    """
    from telefine_assets.alerts.delivering import deliver_due
    from telefine_assets.alerts.raising import open_channels, patience_of

    with _book() as (settings, book):
        channels = open_channels(settings.alerts, settings.deployment)
        done = deliver_due(book, channels, patience_of(settings.alerts), _now_ms, _now_ms() + _PATIENCE_MS)
        waiting = book.waiting()
    facts = {"delivered": done.sent, "waiting": waiting, "failures": done.failures}
    tell(as_json, facts, [f"{done.sent} delivered, {waiting} wait"])
    if done.failures:
        raise TelefineError("; ".join(done.failures))


@app.command()
def test(
    channel: Annotated[str, typer.Argument(help="A channel's name in the settings.")], as_json: AsJson = False
) -> None:
    """Send a test message to a channel. Exits 1 when it did not arrive.

    Example: telefine alerts test ops
    """
    from telefine_assets.alerts.found import tested
    from telefine_assets.alerts.raising import open_channels
    from telefine_assets.alerts.records import Raised
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    channels = open_channels(settings.alerts, settings.deployment)
    if channel not in channels:
        raise TelefineError(f"alerts.channels: there is no {channel!r}; there are: {', '.join(channels) or 'none'}")
    at_ms = _now_ms()
    answer = channels[channel].send(Raised(tested(settings.deployment, channel, at_ms), at_ms), at_ms)
    if not answer.delivered:
        raise TelefineError(f"{channel}: {answer.reason}")
    tell(as_json, {"channel": channel, "delivered": True}, [f"{channel}: delivered"])


@app.command()
def secret() -> None:
    """Make a secret for a webhook, for TELEFINE_ALERTS__CHANNELS__<NAME>__SECRET and for its receiver.

    Example: telefine alerts secret
    """
    import secrets

    from telefine_assets.alerts.webhook import secret_of

    typer.echo(secret_of(secrets.token_bytes(32)))


@contextmanager
def _book() -> Iterator[tuple[Settings, Alerts]]:
    from telefine_assets.ledger.alerts import Alerts
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.settings.loading import load_settings

    settings = load_settings()
    with closing(Ledger(settings.ledger.url)) as ledger:
        yield settings, Alerts(ledger)


def _kind(name: str | None) -> Any:
    from telefine_assets.alerts.records import Kind

    if name is not None and name not in [*Kind]:
        raise TelefineError(f"--kind {name}: there is none; there are: {', '.join(Kind)}")
    return None if name is None else Kind(name)


def _record(raised: Raised) -> dict[str, Any]:
    return {"raised_ms": raised.raised_ms, **raised.alert.to_record()}


def _delivery(each: Delivery) -> dict[str, Any]:
    names = ("key", "channel", "attempt", "event", "at_ms", "due_ms", "reason")
    return {name: getattr(each, name) for name in names}


def _row(each: Delivery) -> tuple[object, ...]:
    return _when(each.at_ms), each.channel, each.attempt, each.event, short(each.reason, 120)


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
