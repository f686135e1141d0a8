"""A check of alerts: every channel can be used, what is to be told is told, and nothing was given up."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from telefine_assets.control.health import Broken, Check, Skipped

if TYPE_CHECKING:
    from telefine_assets.settings.schema import Settings

_LONG_MS = 3_600_000
"""What is due for so long would have been tried in some hundred ticks."""


def alerts(settings: Settings) -> str:
    """Channels have an address that can be used, and nothing waits to be replayed."""
    from telefine_assets.alerts.raising import missing
    from telefine_assets.ledger.alerts import Alerts
    from telefine_assets.ledger.connection import Ledger

    if not settings.alerts.enabled:
        raise Skipped("alerts.enabled is false: nobody is told of anything")
    if not settings.alerts.channels:
        raise Broken(
            "alerts are on, and there is no channel",
            "name one under alerts.channels, such as ops: {kind: apprise}, and set TELEFINE_ALERTS__CHANNELS__OPS__URL",
        )
    for name, channel in settings.alerts.channels.items():
        if lacks := missing(name, channel):
            raise Broken(f"{name}: has no address or secret", f"set {' and '.join(lacks)} in the environment")
        if channel.kind == "apprise" and not _known(channel.url.get_secret_value() if channel.url else ""):
            raise Broken(
                f"{name}: apprise knows no service under its url",
                f"look at TELEFINE_ALERTS__CHANNELS__{name.upper()}__URL, and at apprise's list of services",
            )
    with closing(Ledger(settings.ledger.url)) as opened:
        book = Alerts(opened)
        now_ms = time.time_ns() // 1_000_000
        dead, waiting, ahead, late = book.dead(), book.waiting(), book.ahead(now_ms), book.late(now_ms - _LONG_MS)
    if dead:
        raise Broken(
            f"{len(dead)} did not arrive and were given up; the last one, to {dead[-1].channel}: {dead[-1].reason}",
            "mend the channel (`telefine alerts test NAME`), then `telefine alerts replay --all-dead`",
        )
    if ahead:
        raise Broken(
            f"{len(ahead)} wait that were written at times still to come: the clock was ahead then, or is behind now",
            "set the clock right; the next tick of telefine_alerts, or `telefine alerts deliver`, sends them",
        )
    if late:
        raise Broken(
            f"{waiting} wait to be delivered, and nobody tries: the sensor telefine_alerts is off, or no daemon runs",
            "`telefine schedule on telefine_alerts`, start the daemon; `telefine alerts deliver` sends them at once",
        )
    return f"{', '.join(settings.alerts.channels)}; {waiting} wait to be delivered"


def _known(url: str) -> bool:
    from telefine_assets.alerts.channels import apprise_service

    return apprise_service(url) is not None


ALERTS = Check("alerts", alerts, "look at alerts in telefine.yaml, and at ledger.url")
