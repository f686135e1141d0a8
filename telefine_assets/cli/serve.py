"""``telefine serve``: the API."""

from __future__ import annotations

import logging
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from telefine_assets.settings.schema import Settings

Host = Annotated[str, typer.Option(help="The address to listen at; by default, of this machine alone.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 for any that is free.")]


Drain = Annotated[
    bool | None,
    typer.Option("--drain/--no-drain", help="Whether to write what is handed in to MLflow; api.drain by default."),
]


def serve(host: Host = "127.0.0.1", port: Port = 8400, drain: Drain = None) -> None:
    """Serve the API until it is stopped, and write the traces that it takes in to MLflow.

    Keys are made with: telefine keys create. What there is: /v1/openapi.json.

    Example: telefine serve --port 8400
    """
    import uvicorn

    from telefine_assets.cli.spool_following import followed
    from telefine_assets.observing.logs import log_to
    from telefine_assets.observing.masking import Masker
    from telefine_assets.settings.loading import load_settings

    loopback, settings = _is_loopback(host), load_settings()
    _require_free(host, port)
    log_to(sys.stderr, settings.observing, Masker.of(settings), ("", "telefine", "uvicorn"))
    app = app_of(settings)
    if not loopback:
        typer.echo(
            f"telefine: {host} can be reached from other machines, and this server speaks no TLS: put a proxy that "
            "does in front of it, and name it in api.trusted_proxies",
            err=True,
        )
    drained = followed(logging.getLogger("telefine.spool").warning)
    with drained if (settings.api.drain if drain is None else drain) else nullcontext():
        uvicorn.run(app, host=host, port=port, **_options(settings))


def app_of(settings: Settings) -> FastAPI:
    """The API of a deployment, with its own Dagster and key.

    Raises:
        TelefineError: ledger or Dagster cannot be opened.
    """
    from telefine_assets.api.app import make_app
    from telefine_assets.cli.attest_shared import signer_of
    from telefine_assets.control.driver import open_control

    control = open_control(settings)
    return make_app(settings, control, lambda: datetime.now(UTC), lambda: signer_of(settings.signer))


def _options(settings: Settings) -> dict[str, Any]:
    """How uvicorn is run."""
    from telefine_assets.api.patience import PatientProtocol

    proxies = list(settings.api.trusted_proxies)
    return {
        "log_config": None,
        # uvicorn's own access log has whole addresses, and somebody's key may be in one.
        "access_log": False,
        # h11 bounds the headers that it reads.
        "http": PatientProtocol,
        "ws": "none",
        "server_header": False,
        "proxy_headers": bool(proxies),
        "forwarded_allow_ips": proxies,
        # Streams of events end only when they are ended.
        "timeout_graceful_shutdown": 5,
    }


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        raise TelefineError(f"--host {host}: give an address, such as 127.0.0.1 or 0.0.0.0") from None


def _require_free(host: str, port: int) -> None:
    """Refuse a port that is taken before anything is started for it."""
    import socket

    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as listening:
        # As the server does: a port that was left a moment ago is free.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
        except OSError as error:
            raise TelefineError(
                f"--port {port}: cannot be listened at on {host} ({error.strerror}); "
                "choose another with --port, or stop what listens there"
            ) from None
