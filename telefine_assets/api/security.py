"""Who asks, and what for: keys, scopes and rate limits.

A route of the API names what it needs::

    Submitter = Annotated[Caller, requires("submit")]

A key stands in the header ``Authorization: Bearer telefine_...`` and nowhere
else; it is neither logged nor repeated. Who signed in with a browser has a cookie
instead, which counts only where a route says ``session=True``, and only for reading.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from telefine_assets.api.deployment import Deployment, deployment
from telefine_assets.api.problems import Problem
from telefine_assets.api.sessions import COOKIE
from telefine_assets.ledger.api_keys import ApiKey, Scope

_BEARER = HTTPBearer(
    auto_error=False, scheme_name="key", description="A key made by `telefine keys create`: telefine_<id>_<secret>."
)
NEEDED: dict[Any, Scope | None] = {}
"""For each dependency the scope that it asks of a key; None where it lets everybody in. For the description."""
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="telefine"'}


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        key: the key; None for a stranger.
    """

    key: ApiKey | None

    @property
    def name(self) -> str:
        """For the audit log and the tags of runs."""
        return f"key {self.key.key_id}" if self.key else "nobody"

    def opens(self, scope: Scope) -> bool:
        """Whether the caller has a key that opens what needs ``scope``."""
        return self.key is not None and self.key.opens(scope)


NOBODY = Caller(None)


def requires(scope: str, cost: int = 1, session: bool = False) -> Any:
    """A dependency that lets in keys with ``scope``; a request takes ``cost`` tokens of the key's bucket.

    With ``session``, a GET may come from somebody who signed in.
    """
    needed = Scope(scope)

    def dependency(request: Request, here: Annotated[Deployment, Depends(deployment)], _: _Bearer) -> Caller:
        caller = _caller(request, here, cost, session)
        check_scope(caller, needed)
        return caller

    NEEDED[dependency] = needed
    return Depends(dependency)


def check_scope(caller: Caller, needed: Scope) -> None:
    """Let only keys with the scope pass.

    Raises:
        Problem: 401 without a key, 403 with another one.
    """
    if caller.key is None:
        raise _unauthorized(f"this needs a key with the scope {needed}")
    if not caller.opens(needed):
        raise Problem(403, "wrong_scope", f"this needs a key with the scope {needed}", needs=needed.value)


def anyone(cost: int = 1, session: bool = False) -> Any:
    """A dependency that lets in everybody; a key, where there is one, must be good, and has its own limits.

    With ``session``, a GET may come from somebody who signed in.
    """

    def dependency(request: Request, here: Annotated[Deployment, Depends(deployment)], _: _Bearer) -> Caller:
        return _caller(request, here, cost, session)

    NEEDED[dependency] = None
    return Depends(dependency)


def admitted(request: Request, here: Deployment, presented: str, cost: int = 1) -> Caller:
    """Whoever presents a key.

    Raises:
        Problem: 401 where it is none that is good now, 429 where there were too many requests or tries.
    """
    now = here.clock().timestamp()
    key = here.keys.opened_by(presented, int(now * 1000))
    if key is None:
        # Guessing costs as much as asking without a key.
        _take(here.strangers.take, _address(request), 1, now)
        raise _unauthorized("the key is unknown, expired or revoked; the header is: Authorization: Bearer telefine_...")
    return _let_in(request, here, key, cost, now)


def still_in(request: Request, here: Deployment, caller: Caller) -> bool:
    """Whether the key or the session that let a caller in is good still; it takes no tokens."""
    now = here.clock().timestamp()
    if "authorization" not in request.headers:
        return _signed_in(request, here, now) is not None
    key = here.keys.find(caller.key.key_id) if caller.key else None
    return key is not None and key.is_good(int(now * 1000))


def charge(here: Deployment, connection: HTTPConnection, cost: float = 1) -> None:
    """Have an address pay for what asks nobody who he is.

    Raises:
        Problem: 429.
    """
    _take(here.strangers.take, _address(connection), cost, here.clock().timestamp())


def _caller(request: Request, here: Deployment, cost: int, session: bool) -> Caller:
    said = request.headers.get("authorization")
    if said is not None:
        scheme, _, presented = said.partition(" ")
        return admitted(request, here, presented if scheme.lower() == "bearer" else "", cost)
    now = here.clock().timestamp()
    key = _signed_in(request, here, now) if session and request.method == "GET" else None
    if key is not None:
        return _let_in(request, here, key, cost, now)
    _take(here.strangers.take, _address(request), cost, now)
    return NOBODY


def _let_in(request: Request, here: Deployment, key: ApiKey, cost: int, now: float) -> Caller:
    _take(here.callers.take, key.key_id, cost, now)
    # Whoever may read may be told, in a problem, what of the store is broken.
    request.state.reads = key.opens(Scope.READ)
    return Caller(key)


def _signed_in(request: Request, here: Deployment, now: float) -> ApiKey | None:
    """The key of the session whose cookie is sent, if it is good still."""
    key_id = request.app.state.sessions.key_of(request.cookies.get(COOKIE, ""), now)
    key = here.keys.find(key_id) if key_id else None
    return key if key is not None and key.is_good(int(now * 1000)) else None


def _take(take: Callable[[str, float, float], float], who: str, cost: float, now: float) -> None:
    waits = take(who, cost, now)
    if waits:
        seconds = math.ceil(waits)
        raise Problem(429, "rate_limited", f"try again in {seconds} s", {"Retry-After": str(seconds)})


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "no_good_key", detail, _CHALLENGE)


def _address(connection: HTTPConnection) -> str:
    """The caller's address; of IPv6 the network, since one line has 2**64 addresses. What is none is all the same."""
    try:
        address = ip_address(connection.client.host if connection.client else "")
    except ValueError:
        return "?"
    if not isinstance(address, IPv6Address):
        return str(address)
    # RFC 4291, section 2.5.5.2: ::ffff:a.b.c.d is a.b.c.d.
    return str(address.ipv4_mapped or f"{int(address) >> 64:x}::/64")


_Bearer = Annotated[Any, Security(_BEARER)]
