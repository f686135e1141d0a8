"""Whether the server lives, and whether what it needs is there."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote, urlsplit, urlunsplit

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import text
from starlette.responses import Response

from telefine_assets.api.deployment import Deployment
from telefine_assets.api.parameters import Here
from telefine_assets.api.problems import logger
from telefine_assets.api.security import Caller, anyone
from telefine_assets.control.surroundings import cure_of
from telefine_assets.errors import TelefineError
from telefine_assets.ledger.api_keys import Scope
from telefine_assets.ledger.spool import Spool
from telefine_assets.observing.masking import Masker

if TYPE_CHECKING:
    from sqlalchemy import Engine

router = APIRouter(prefix="/v1", tags=["health"])
Anyone = Annotated[Caller, anyone()]
_SECONDS = 2.0


class Alive(BaseModel):
    """The server answers."""

    alive: bool = True


class Check(BaseModel):
    """One thing that the server needs."""

    name: str = Field(examples=["ledger"])
    ready: bool
    cause: str | None = Field(description="Why not; for callers whose key has the scope read.")


class Ready(BaseModel):
    """Whether the server can do its work."""

    ready: bool
    checks: list[Check]
    hints: list[Check] = Field(description="What keeps the server from nothing, but wants somebody to look.")


class NotReady(TelefineError):
    """Something that the server needs is not there."""


@router.get("/health")
async def health() -> Alive:
    """Whether the server lives. It asks nothing of anybody."""
    return Alive()


@router.get("/ready", response_model=Ready, responses={503: {"model": Ready, "description": "Not ready"}})
def ready(caller: Anyone, here: Here) -> Response:
    """Whether ledger, store and MLflow can be reached; as a hint, whether the spool comes to MLflow."""
    checks = [_checked(here, name, test, caller.opens(Scope.READ)) for name, test in _TESTS.items()]
    all_ready = all(check.ready for check in checks)
    hints = [_checked(here, "spool", _spool, caller.opens(Scope.READ))]
    content = Ready(ready=all_ready, checks=checks, hints=hints).model_dump_json()
    return Response(content, 200 if all_ready else 503, media_type="application/json")


def readiness(here: Deployment) -> dict[str, bool]:
    """Which of the things that the server needs are there."""
    return {name: _cause(here, test) is None for name, test in _TESTS.items()}


def _checked(here: Deployment, name: str, test: Callable[[Deployment], None], tell: bool) -> Check:
    cause = _cause(here, test)
    if cause is not None:
        logger.warning("not ready: %s: %s", name, cause)
    return Check(name=name, ready=cause is None, cause=cause if tell else None)


def _cause(here: Deployment, test: Callable[[Deployment], None]) -> str | None:
    """Why something is not there, with what helps where that is known; None where it is."""
    try:
        test(here)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        first, cure = next(iter(str(error).splitlines()), ""), cure_of(error)
        return Masker.of(here.settings)(f"{type(error).__name__}: {first}" + (f"; {cure}" if cure else ""))
    return None


def _ledger(here: Deployment) -> None:
    here.leaves.size()


def _spool(here: Deployment) -> None:
    late, now_ms = here.settings.api.drain_late_seconds, int(here.clock().timestamp() * 1000)
    lags = Spool(here.ledger).lags(here.settings.programs)
    if still := [name for name, lag in lags.items() if lag.stands_still(now_ms, late)]:
        raise NotReady(f"nothing of {', '.join(still)} was written to MLflow for {late} seconds, though traces wait")


def _store(here: Deployment) -> None:
    here.files.names("records")


def _mlflow(here: Deployment) -> None:
    uri = here.settings.mlflow.tracking_uri
    if uri.startswith(("http://", "https://")):
        _answers(uri)
    elif "://" in uri and not uri.startswith("file:"):
        # SQLite would make a file that is not there.
        _, sqlite, file = uri.partition("sqlite:///")
        if sqlite and not Path(file).is_file():
            raise NotReady("MLflow's database is not there; log a trace, or set mlflow.tracking_uri")
        with here.kept.get("mlflow", uri, lambda: _engine(uri)).connect() as connection:
            connection.execute(text("SELECT 1"))
    elif not Path(uri.removeprefix("file://")).is_dir():
        raise NotReady("MLflow's folder is not there; log a trace, or set mlflow.tracking_uri")


def _engine(uri: str) -> Engine:
    from sqlalchemy import create_engine

    return create_engine(uri, hide_parameters=True, pool_pre_ping=True)


def _answers(uri: str) -> None:
    from urllib.request import Request, urlopen

    # urllib would take a user and password for the host, and its error would name them.
    parts = urlsplit(uri)
    login, _, host = parts.netloc.rpartition("@")
    encoded = b64encode(unquote(login).encode()).decode()
    request = Request(  # noqa: S310 - http or https, by the settings
        f"{urlunsplit(parts._replace(netloc=host)).rstrip('/')}/health",
        headers={"Authorization": f"Basic {encoded}"} if login else {},
    )
    with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        answer.read(100)


_TESTS: dict[str, Callable[[Deployment], None]] = {"ledger": _ledger, "store": _store, "mlflow": _mlflow}
