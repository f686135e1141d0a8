"""What programs paid, as their pages show it: only what the ledger knows as paid."""

from __future__ import annotations

from dataclasses import dataclass

from telefine_assets.api.contributors import STAGE
from telefine_assets.api.deployment import Deployment
from telefine_assets.api.pages.words import Amount, amount
from telefine_assets.ledger.payouts import Payouts

MOST = 10


@dataclass(frozen=True)
class PaidDay:
    """What one day paid."""

    day: str
    attestation: str
    paid: Amount
    wallets: int
    held: Amount | None


def symbols(here: Deployment) -> dict[str, str]:
    """What tokens are called, by their contracts."""
    named = (own.payout for own in here.settings.programs.values())
    return {each.token_address: each.token_symbol for each in named if each.token_address}


def payouts(here: Deployment, program: str) -> list[PaidDay]:
    """The newest payouts of a program, the newest first.

    Raises:
        PayoutError: a stored plan is not the one that was paid by.
    """
    return here.kept.get(("paid days", program), here.records.stamp(program, STAGE), lambda: _payouts(here, program))


def _payouts(here: Deployment, program: str) -> list[PaidDay]:
    found: list[PaidDay] = []
    for day in reversed(here.records.days(program, STAGE)):
        if len(found) < MOST and (paid := _paid(here, program, day)) is not None:
            found.append(paid)
    return found


def _paid(here: Deployment, program: str, day: str) -> PaidDay | None:
    from telefine_assets.payouts.exports import checked_plan
    from telefine_assets.payouts.token import read_token

    record = here.records.read(program, STAGE, day)
    if not record["plan"]:
        return None
    plan, token, named = checked_plan(record, Payouts(here.ledger).of), read_token(record["token"]), symbols(here)
    if not plan.paid and not plan.held:
        return None
    held = amount(plan.held, token, named) if plan.held else None
    return PaidDay(day, record["attestation"], amount(plan.paid, token, named), len(plan.payments), held)
