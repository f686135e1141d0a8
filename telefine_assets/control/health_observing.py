"""A check of what is sent elsewhere: packages are installed, receivers can be reached, the folder can be written."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from telefine_assets.control.health import Broken, Check, Skipped

if TYPE_CHECKING:
    from telefine_assets.settings.schema import Settings

_SECONDS = 3.0
_PORTS = {"http": 80, "https": 443}


def observing(settings: Settings) -> str:
    """Everything that ``observing`` names is there."""
    from telefine_assets.observing.extras import MissingExtra
    from telefine_assets.observing.observer import Observer

    own = settings.observing
    try:
        Observer.of(settings).opened()
    except MissingExtra as error:
        raise Broken(str(error), "pip install 'telefine-assets[observability]'") from None
    folder, dsn = own.metrics.textfile_dir, own.sentry_dsn
    if folder is not None and not os.access(folder, os.W_OK):
        raise Broken(
            f"observing.metrics.textfile_dir = {folder}: cannot be written",
            "make it, and let this user write there; node_exporter reads it",
        )
    named = {
        "observing.otlp_endpoint": own.otlp_endpoint,
        "observing.metrics.pushgateway": own.metrics.pushgateway,
        "TELEFINE_OBSERVING__SENTRY_DSN": dsn.get_secret_value() if dsn else None,
    }
    receivers = {name: address for name, address in named.items() if address is not None}
    if not receivers and folder is None:
        raise Skipped("nothing is sent anywhere; the API's metrics tell what runs on this machine count")
    for name, address in receivers.items():
        _require_reachable(name, address)
    return ", ".join([*receivers, *(["observing.metrics.textfile_dir"] if folder else [])])


def _require_reachable(name: str, address: str) -> None:
    """Refuse a receiver that takes no connection; neither path nor key of its address is told."""
    parts = urlsplit(address)
    place = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    try:
        socket.create_connection(place, _SECONDS).close()
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise Broken(
            f"{name}: {place[0]}:{place[1]} takes no connection ({said})",
            f"start it, or mend {name}; until then runs go on, and what they send is lost",
        ) from None


OBSERVING = Check("observing", observing, "look at observing in telefine.yaml")
