"""The page of a contributor, by address: what is public by design, and to readers what was given."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from telefine_assets.api.contributors import claim_of, granted, summary
from telefine_assets.api.deployment import Deployment
from telefine_assets.api.pages.certified import certified
from telefine_assets.api.pages.contributor_view import Earned, earned
from telefine_assets.api.pages.payouts_read import symbols
from telefine_assets.api.pages.rendering import page
from telefine_assets.api.parameters import Here
from telefine_assets.api.problems import Problem, not_found
from telefine_assets.api.security import Caller, anyone
from telefine_assets.attribution.addresses import Unresolved, resolve_contributor
from telefine_assets.attribution.trail_summary import Summary
from telefine_assets.ledger.api_keys import Scope

router = APIRouter(include_in_schema=False)
Visitor = Annotated[Caller, anyone(session=True)]
_CURES = {
    Unresolved.BAD_CHECKSUM: "the capital and small letters of this address do not fit together: a digit may be "
    "wrong; copy it again from your wallet",
    Unresolved.ENS_NAME: "names are not looked up, since their owners change; paste the address that it stands for",
    Unresolved.ZERO_ADDRESS: "the zero address is nobody's; paste your own",
}
_CURE = "an address is 0x and 40 digits from 0 to 9 and a to f; copy it from your wallet"


@router.get("/contributors")
def ask_for_address(request: Request, caller: Visitor, address: str | None = None) -> Response:
    """Ask whose page is wanted, and lead there."""
    if address is None:
        return page(request, caller, "contributors")
    return RedirectResponse(f"/contributors/{_wallet(address)}", 303)


@router.get("/contributors/{address}")
def show_contributor(request: Request, caller: Visitor, here: Here, address: str) -> Response:
    """Show what a wallet earned and how it claims that; to readers also what it gave."""
    wallet = _wallet(address)
    given = _given(here, wallet) if caller.opens(Scope.READ) else {}
    programs = [found for name in sorted(here.settings.programs) if (found := _earned(here, name, wallet))]
    if not programs and not given:
        raise not_found(
            f"nothing is told of {wallet}: no attestation gives it a part, and nothing was paid to it. A part shows "
            "here when a program that learnt from your traces is attested"
        )
    return page(request, caller, "contributor", address=wallet, programs=programs, given=given)


def _wallet(text: str) -> str:
    """The wallet that is meant.

    Raises:
        Problem: 400, with what cures it.
    """
    found = resolve_contributor(text)
    if found.address is None:
        raise Problem(400, "no_wallet", _CURES.get(found.reason or Unresolved.MISSING, _CURE))
    return found.address


def _earned(here: Deployment, program: str, wallet: str) -> Earned | None:
    contract = here.settings.chain.distributors.get(program)
    payments, claim = granted(here, program, wallet), claim_of(here, program, wallet)
    return earned(program, wallet, certified(here, program), payments, claim, symbols(here), contract)


def _given(here: Deployment, wallet: str) -> dict[str, Summary]:
    found = {name: summary(here, name, wallet) for name in sorted(here.settings.programs)}
    return {name: each for name, each in found.items() if each.known}
