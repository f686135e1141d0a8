"""``telefine serve``: the API."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from telefine_assets.settings import Settings

Host = Annotated[str, typer.Option(help="The address to listen at; by default, of this machine alone.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 for any that is free.")]


def serve(host: Host = "127.0.0.1", port: Port = 8400) -> None:
    """Serve the API until it is stopped.

    Keys are made with: telefine keys create. What there is: /v1/openapi.json.

    Example: telefine serve --port 8400
    """
    import uvicorn

    from telefine_assets.settings import load_settings

    loopback, settings = _is_loopback(host), load_settings()
    app = app_of(settings)
    if not loopback:
        typer.echo(
            f"telefine: {host} can be reached from other machines, and this server speaks no TLS: put a proxy that "
            "does in front of it, and name it in api.trusted_proxies",
            err=True,
        )
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
    from uvicorn.config import LOGGING_CONFIG

    logging = deepcopy(LOGGING_CONFIG)
    logging["loggers"]["telefine"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    proxies = list(settings.api.trusted_proxies)
    return {
        "log_config": logging,
        # uvicorn's own access log has whole addresses, and somebody's key may be in one.
        "access_log": False,
        # h11 bounds the headers that it reads.
        "http": "h11",
        "ws": "none",
        "server_header": False,
        "proxy_headers": bool(proxies),
        "forwarded_allow_ips": proxies,
        "timeout_graceful_shutdown": 10,
    }


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        raise TelefineError(f"--host {host}: give an address, such as 127.0.0.1 or 0.0.0.0") from None
