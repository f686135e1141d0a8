"""Raising alerts, each once; and what the settings say of channels, as those who deliver want it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from telefine_assets.alerts.anomalies import Rules
from telefine_assets.alerts.channels import Answer, AppriseChannel, Channel, WebhookChannel
from telefine_assets.alerts.delivering import Patience
from telefine_assets.alerts.found import alerts_on
from telefine_assets.alerts.records import Alert, Raised
from telefine_assets.settings.alerts import AlertsSettings, AnomalySettings, AnyChannel, WebhookSettings


class Book(Protocol):
    """Where alerts are recorded (``ledger.alerts.Alerts``)."""

    def find(self, key: str) -> Raised | None:
        """An alert by its key."""
        ...

    def unknown(self, found: Sequence[Alert]) -> list[Alert]:
        """Those that were not recorded yet."""
        ...

    def record(self, alert: Alert, channels: Collection[str], at_ms: int) -> bool:
        """Record an alert, to be delivered; whether it is new."""
        ...


def raise_all(book: Book, found: Sequence[Alert], settings: AlertsSettings, deployment: str, at_ms: int) -> list[Alert]:
    """Record what was found and is new, to be delivered to the channels that want it.

    What had happened before alerts were turned on is recorded and told nobody:
    so nothing has to be remembered but the alerts, and whoever looks with a lost
    cursor tells nothing twice and leaves nothing out.

    Returns:
        What people will be told.
    """
    hello = alerts_on(deployment, sorted(settings.channels))
    new = book.unknown(found)
    if on_since_ms(book, deployment) is None:
        for each in new:
            book.record(each, (), at_ms)
        new = [hello]
    return [each for each in new if raise_one(book, each, settings, at_ms)]


def on_since_ms(book: Book, deployment: str) -> int | None:
    """When alerts were turned on, in Unix milliseconds; None before the first."""
    hello = book.find(alerts_on(deployment, ()).key)
    return hello.raised_ms if hello else None


def raise_one(book: Book, alert: Alert, settings: AlertsSettings, at_ms: int) -> bool:
    """Record an alert, to be delivered to the channels that want it; whether it is new."""
    wanted = [name for name, channel in settings.channels.items() if channel.wants(alert.kind, alert.program)]
    return book.record(alert, wanted, at_ms)


def open_channels(settings: AlertsSettings, deployment: str) -> dict[str, Channel]:
    """The channels of a deployment, by name."""
    return {
        name: _opened(name, channel, settings.timeout_seconds, deployment)
        for name, channel in settings.channels.items()
    }


def missing(name: str, channel: AnyChannel) -> list[str]:
    """The variables of the environment that a channel lacks."""
    needed = {"URL": channel.url} | ({"SECRET": channel.secret} if isinstance(channel, WebhookSettings) else {})
    return [f"TELEFINE_ALERTS__CHANNELS__{name.upper()}__{each}" for each, found in needed.items() if not found]


@dataclass(frozen=True)
class _Incomplete:
    """A channel that cannot be used yet."""

    lacks: Sequence[str]

    def send(self, raised: Raised, at_ms: int) -> Answer:
        """See :class:`~telefine_assets.alerts.channels.Channel`."""
        return Answer(False, f"set {' and '.join(self.lacks)} in the environment")


def _opened(name: str, channel: AnyChannel, seconds: float, deployment: str) -> Channel:
    if lacks := missing(name, channel):
        return _Incomplete(lacks)
    url = channel.url.get_secret_value() if channel.url else ""
    if isinstance(channel, WebhookSettings):
        return WebhookChannel(url, channel.secret.get_secret_value() if channel.secret else "", deployment, seconds)
    return AppriseChannel(url, seconds)


def patience_of(settings: AlertsSettings) -> Patience:
    """How long is tried."""
    return Patience(
        settings.max_attempts,
        settings.first_pause_seconds * 1000,
        settings.longest_pause_minutes * 60_000,
        round(settings.timeout_seconds * 1000),
    )


def rules_of(settings: AnomalySettings) -> Rules:
    """What counts as odd."""
    return Rules(
        settings.window_days,
        round(settings.threshold * 1000),
        settings.least_volume_percent,
        round(settings.least_points * 10_000),
        settings.min_traces,
    )
