"""Signing in with an API key, so that its holder may read the pages that need one.

Both forms stand on this page alone. It tells its own origin where it came from, as
no other page does: else a browser would name no origin when a form is sent.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from telefine_assets.api.deployment import Deployment
from telefine_assets.api.pages.rendering import page
from telefine_assets.api.parameters import Here
from telefine_assets.api.problems import Problem
from telefine_assets.api.security import NOBODY, Caller, admitted, anyone, charge
from telefine_assets.api.sessions import COOKIE, SECONDS, Sessions
from telefine_assets.ledger.api_keys import Scope

router = APIRouter(include_in_schema=False)
Visitor = Annotated[Caller, anyone(session=True)]
_FORM = "application/x-www-form-urlencoded"


@router.get("/sign-in")
def show_form(request: Request, caller: Visitor) -> Response:
    """Show the form, or who is signed in."""
    return _page(request, caller, None)


@router.post("/sign-in")
async def sign_in(request: Request, here: Here) -> Response:
    """Open a session with a key, which is sent in the body and nowhere else."""
    _check_origin(request, here)
    presented = await _field(request, "key")
    return await run_in_threadpool(_signed_in, request, here, presented)


@router.post("/sign-out")
def sign_out(request: Request, here: Here) -> Response:
    """End the session."""
    _check_origin(request, here)
    charge(here, request)
    _close(request)
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(COOKIE, **_cookie(request))
    return answer


def _signed_in(request: Request, here: Deployment, presented: str) -> Response:
    try:
        caller = admitted(request, here, presented)
    except Problem as problem:
        if problem.status != 401:
            raise
        return _page(request, NOBODY, "This key is unknown, expired or revoked.", 401)
    if caller.key is None or not caller.opens(Scope.READ):
        return _page(request, NOBODY, "This key is good, but it has not the scope read, which the pages need.", 403)
    token = _close(request).open(caller.key.key_id, here.clock().timestamp())
    answer = RedirectResponse("/", 303)
    answer.set_cookie(COOKIE, token, max_age=SECONDS, **_cookie(request))
    return answer


def _close(request: Request) -> Sessions:
    """End the session whose cookie is sent; nobody could end it any more once another one takes its place."""
    sessions: Sessions = request.app.state.sessions
    sessions.close(request.cookies.get(COOKIE, ""))
    return sessions


def _page(request: Request, caller: Caller, problem: str | None, status: int = 200) -> Response:
    answer = page(request, caller, "sign_in", status, problem=problem, key=caller.key)
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


def _cookie(request: Request) -> dict[str, Any]:
    return {"path": "/", "httponly": True, "samesite": "strict", "secure": request.url.scheme == "https"}


def _check_origin(request: Request, here: Deployment) -> None:
    """A form of another site, or no form, opens and ends no session."""
    site, host = request.headers.get("sec-fetch-site"), request.headers.get("host")
    own = (f"http://{host}", f"https://{host}") if host else ()
    if not (request.headers.get("origin") in own if site is None else site == "same-origin"):
        charge(here, request)
        raise Problem(403, "other_origin", "this form may be sent from its own page alone; open /sign-in and send it")


async def _field(request: Request, name: str) -> str:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Problem(415, "not_a_form", f"send the form, as {_FORM}")
    try:
        fields = parse_qsl((await request.body()).decode("ascii"), max_num_fields=1)
    except ValueError:
        raise Problem(400, "bad_request", "the body is not what the form sends") from None
    return dict(fields).get(name, "").strip()
