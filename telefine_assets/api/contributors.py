"""Contributors: what they gave, what became of it, what they earned, and how they claim it.

Public by design, by address: payouts and claim proofs, which a contract pays by.
Everything else about a contributor needs a key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from datetime import date, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from telefine_assets.api.answers import PUBLIC, Asked, Page, stored
from telefine_assets.api.deployment import Deployment
from telefine_assets.api.parameters import Here, Program, QueryDay, Wallet
from telefine_assets.api.problems import Problem, documented, not_found
from telefine_assets.api.security import Caller, anyone, requires
from telefine_assets.api.standings import standing, standings_stamp
from telefine_assets.attribution.trail import TraceLine
from telefine_assets.attribution.trail_summary import Summary, all_of, summary_of
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.traces.days import CLEANED, TRACES

if TYPE_CHECKING:
    from telefine_assets.attribution.trail import Trail
    from telefine_assets.ledger.records import Token
    from telefine_assets.payouts.cumulative import ClaimSet

router = APIRouter(prefix="/v1/programs/{program}/contributors", tags=["contributors"])
Anyone = Annotated[Caller, anyone()]
Reader = Annotated[Caller, requires("read")]
Searcher = Annotated[Caller, requires("read", cost=10)]
STAGE = "contributor_payouts"
MOST_DAYS = 31
_STAGES = (CLEANED, "contributor_weights", "compiled_programs", "attestations", STAGE)


class Contributor(BaseModel):
    """Somebody who gave traces or earned anything."""

    who: str = Field(description="The wallet, or the text of a tag that names none.")
    given: int
    kept: int
    earned: str = Field(description="Ever, in the token's smallest unit.", examples=["1000000000000000000"])


class Payment(BaseModel):
    """What a day granted a wallet."""

    day: str
    attestation: str
    token: str = Field(description="Contract or symbol, and decimals.", examples=["TOKEN/18"])
    amount: str = Field(description="In the token's smallest unit.", examples=["1000000000000000000"])


class Paid(BaseModel):
    """All that was granted to a wallet."""

    address: str
    totals: dict[str, str] = Field(description="By token, in its smallest unit.", examples=[{"TOKEN/18": "5"}])
    payments: list[Payment]


class ClaimProof(BaseModel):
    """What a wallet shows the contract, which pays the total minus what was claimed."""

    token: str = Field(description="Contract or symbol, and decimals.", examples=["TOKEN/18"])
    root: str
    address: str
    total: str
    proof: list[str]


@router.get("", response_model=Page[Contributor], responses=documented(404))
def list_contributors(request: Request, caller: Reader, here: Here, program: Program, asked: Asked) -> Response:
    """List who gave traces or earned anything, by address."""
    found = here.kept.get(
        ("contributors", program),
        here.records.stamp(program, *_STAGES),
        lambda: sorted(all_of(here.records, program, _earned(here, program)), key=lambda each: each.who),
    )
    page = asked.of(f"contributors of {program}", found, lambda each: each.who, str)
    items = [{name: getattr(each, name) for name in Contributor.model_fields} for each in page.items]
    return stored(request, {"items": items, "next": page.next})


@router.get("/{address}", response_model=Summary, responses=documented(404))
def show_contributor(request: Request, caller: Reader, here: Here, program: Program, address: Wallet) -> Response:
    """Show one contributor: what was given, kept, weighed, attested and paid, by day."""
    found = summary(here, program, address)
    if not found.known:
        raise not_found(f"nothing is known of {address} in {program}")
    return stored(request, found.to_record())


@router.get("/{address}/traces", response_model=Page[TraceLine], responses=documented(404))
def list_traces(
    request: Request,
    caller: Searcher,
    here: Here,
    program: Program,
    address: Wallet,
    asked: Asked,
    first: QueryDay = None,
    last: QueryDay = None,
) -> Response:
    """Say of each trace of a contributor why it was paid, or why not; of the last day by default, of 31 at most."""
    listing = f"traces of {address} in {program}"
    after = asked.after(listing, tuple[str, int])
    trail = _trail(here, program)
    days = [day for day in _days(trail, first, last) if after is None or day >= after[0]]
    seen = 0 if after is None else after[1]
    lines = (
        (line, (day, number))
        for day in days
        for number, line in enumerate(trail.why(address, {day}), start=1)
        if day != (after or ("",))[0] or number > seen
    )
    page = asked.page(listing, list(islice(lines, asked.limit + 1)), lambda each: list(each[1]))
    return stored(request, {"items": [line.to_record() for line, _ in page.items], "next": page.next})


@router.get("/{address}/payouts", response_model=Paid, responses=documented(404))
def show_payouts(request: Request, caller: Anyone, here: Here, program: Program, address: Wallet) -> Response:
    """What was granted to a wallet, by day: only what the ledger knows as paid."""
    payments = granted(here, program, address)
    if not payments:
        raise not_found(f"{program} has granted {address} nothing")
    totals: dict[str, int] = defaultdict(int)
    for each in payments:
        totals[each["token"]] += int(each["amount"])
    told = {token: str(amount) for token, amount in totals.items()}
    return stored(request, {"address": address, "totals": told, "payments": payments}, caching=PUBLIC)


@router.get("/{address}/claim", response_model=ClaimProof, responses=documented(404))
def show_claim(request: Request, caller: Anyone, here: Here, program: Program, address: Wallet) -> Response:
    """What a wallet shows the contract, under the newest root. The proof is verified first."""
    shown = claim_of(here, program, address)
    if shown is None:
        raise not_found(f"{address} has nothing to claim of {program}")
    return stored(request, shown, caching=PUBLIC)


def summary(here: Deployment, program: str, address: str) -> Summary:
    """What a wallet gave and what became of it, for callers who may read that."""
    return here.asked_for.get(
        ("contributor", program, address),
        _stamp(here, program),
        lambda: summary_of(
            here.records,
            program,
            address,
            _earned(here, program).get(address, 0),
            partial(standing, here, program),
        ),
        worth=lambda found: found.known,
    )


def _stamp(here: Deployment, program: str) -> Hashable:
    stamps = here.records.stamp(program, *_STAGES), standings_stamp(here, program)
    return None if None in stamps else stamps


def granted(here: Deployment, program: str, address: str) -> list[dict[str, str]]:
    """What was granted to a wallet, oldest first: the fields of ``Payment``.

    Raises:
        PayoutError: a stored plan is not the one that was paid by.
    """
    payments = here.kept.get(("payouts", program), here.records.stamp(program, STAGE), lambda: _payments(here, program))
    return payments.get(address, [])


def claim_of(here: Deployment, program: str, address: str) -> dict[str, Any] | None:
    """What a wallet shows the contract, the fields of ``ClaimProof``; None where it has nothing to claim.

    Raises:
        PayoutError: the stored tree is not that of the ledger's totals, or the proof does not hold.
    """
    from telefine_assets.payouts.exports import checked_claim, claim_record

    claims = here.kept.get(("claims", program), here.records.stamp(program, STAGE), lambda: _claims(here, program))
    if claims is None or address not in {wallet.address for wallet in claims.totals.wallets}:
        return None
    shown = {"token": str(_token(here, program)), "root": claims.root}
    return shown | claim_record(checked_claim(claims, address))


def _token(here: Deployment, program: str) -> Token:
    from telefine_assets.payouts.token import token_of

    return token_of(here.settings.programs[program].payout)


def _earned(here: Deployment, program: str) -> dict[str, int]:
    return Payouts(here.ledger).totals_before(program, _token(here, program), None)


def _payments(here: Deployment, program: str) -> dict[str, list[dict[str, str]]]:
    """Payments by wallet, oldest first, of plans that are the ledger's.

    Raises:
        PayoutError: a stored plan is not the one that was paid by.
    """
    from telefine_assets.payouts.exports import checked_plan
    from telefine_assets.payouts.token import read_token

    payout_of, found = Payouts(here.ledger).of, defaultdict(list)
    for day in here.records.days(program, STAGE):
        record = here.records.read(program, STAGE, day)
        for each in checked_plan(record, payout_of).payments if record["plan"] else ():
            token, attestation = str(read_token(record["token"])), record["attestation"]
            paid = {"day": day, "attestation": attestation, "token": token, "amount": str(each.amount)}
            found[each.address].append(paid)
    return dict(found)


def _claims(here: Deployment, program: str) -> ClaimSet | None:
    """The claims under the newest root of today's token, of a tree built again; None where nobody earned any.

    Raises:
        PayoutError: the stored tree is not that of the ledger's totals.
    """
    from telefine_assets.payouts.exports import checked_claims, newest

    records = [here.records.read(program, STAGE, day) for day in here.records.days(program, STAGE)]
    if not any(record["root"] for record in records):
        return None
    return checked_claims(newest(records, _token(here, program)), _earned(here, program))


def _trail(here: Deployment, program: str) -> Trail:
    from telefine_assets.attribution.arrivals import Register
    from telefine_assets.attribution.submissions import Scope
    from telefine_assets.attribution.trail import Trail
    from telefine_assets.ledger.submissions import Submissions
    from telefine_assets.store.records import RecordStore
    from telefine_assets.store.tables import TableStore
    from telefine_assets.traces.inspecting import Stored

    own = here.settings.programs[program]
    where = Stored(TableStore(here.files), RecordStore(here.files), program)
    scope, lookup = Scope(here.settings.deployment, program), Submissions(here.ledger).of_traces
    register, tag = Register(scope, lookup, own.attribution.unsigned), own.cleaning.contributor_tag
    return Trail(where, register, tag, partial(standing, here, program))


def _days(trail: Trail, first: str | None, last: str | None) -> list[str]:
    """The stored days that are asked for, oldest first."""
    there: list[Any] = trail.stored.tables.days(trail.stored.program, TRACES)
    until = last or (there[-1] if there else "")
    since = first or until
    try:
        if since and date.fromisoformat(until) - date.fromisoformat(since) >= timedelta(days=MOST_DAYS):
            raise Problem(422, "no_such_days", f"query.first: at most {MOST_DAYS} days at once")
    except ValueError:
        raise Problem(422, "no_such_days", "query: there is no such day") from None
    return [day for day in there if since <= day <= until]
