"""Who asks, and what for: keys, scopes and rate limits.

A route of the API names what it needs::

    Submitter = Annotated[Caller, requires("submit")]

A key stands in the header ``Authorization: Bearer telefine_...`` and nowhere
else; it is neither logged nor repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from telefine_assets.api.deployment import Deployment, deployment
from telefine_assets.api.problems import Problem
from telefine_assets.ledger.api_keys import ApiKey, Scope

_BEARER = HTTPBearer(
    auto_error=False, scheme_name="key", description="A key made by `telefine keys create`: telefine_<id>_<secret>."
)
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


def requires(scope: str, cost: int = 1) -> Any:
    """A dependency that lets in keys with ``scope``; a request takes ``cost`` tokens of the key's bucket."""
    needed = Scope(scope)

    def dependency(request: Request, here: Annotated[Deployment, Depends(deployment)], _: _Bearer) -> Caller:
        caller = _caller(request, here, cost)
        if caller.key is None:
            raise _unauthorized(f"this needs a key with the scope {needed}")
        if not caller.opens(needed):
            raise Problem(403, "wrong_scope", f"this needs a key with the scope {needed}", needs=needed.value)
        return caller

    return Depends(dependency)


def anyone(cost: int = 1) -> Any:
    """A dependency that lets in everybody; a key, where there is one, must be good, and has its own limits."""

    def dependency(request: Request, here: Annotated[Deployment, Depends(deployment)], _: _Bearer) -> Caller:
        return _caller(request, here, cost)

    return Depends(dependency)


def _caller(request: Request, here: Deployment, cost: int) -> Caller:
    now, said = here.clock(), request.headers.get("authorization")
    if said is None:
        _take(here.strangers.take, _address(request), cost, now.timestamp())
        return Caller(None)
    scheme, _, presented = said.partition(" ")
    key = here.keys.opened_by(presented, int(now.timestamp() * 1000)) if scheme.lower() == "bearer" else None
    if key is None:
        # Guessing costs as much as asking without a key.
        _take(here.strangers.take, _address(request), 1, now.timestamp())
        raise _unauthorized("the key is unknown, expired or revoked; the header is: Authorization: Bearer telefine_...")
    _take(here.callers.take, key.key_id, cost, now.timestamp())
    return Caller(key)


def _take(take: Callable[[str, int, float], float], who: str, cost: int, now: float) -> None:
    waits = take(who, cost, now)
    if waits:
        seconds = math.ceil(waits)
        raise Problem(429, "rate_limited", f"try again in {seconds} s", {"Retry-After": str(seconds)})


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "no_good_key", detail, _CHALLENGE)


def _address(request: Request) -> str:
    """The caller's address; of IPv6 the network, since one line has 2**64 addresses."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else host


_Bearer = Annotated[Any, Security(_BEARER)]
