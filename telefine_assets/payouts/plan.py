"""How much of a pool each wallet gets: whole smallest units, summing exactly.

The escrow's part is fixed first, from the same sharing-out as everybody's: a
contributor who cannot be resolved never makes the others richer. A dust floor
then drops wallets whose part would not be worth its transfer, and their parts
go to the wallets that remain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from telefine_assets.attribution.addresses import address_order, require_wallet
from telefine_assets.attribution.allocation import largest_remainder
from telefine_assets.attribution.records import Fields, RecordError
from telefine_assets.attribution.weights import WeightLine, WeightTable
from telefine_assets.errors import TelefineError

MAX_UINT256 = 2**256 - 1

EMPTY_POOL = "empty_pool"
ALL_BELOW_FLOOR = "all_below_dust_floor"
ALL_IN_ESCROW = "all_in_escrow"

_AMOUNT = re.compile(r"0|[1-9][0-9]{0,77}")
_CODE = re.compile(r"[a-z][a-z0-9_]*")


class PayoutError(TelefineError):
    """A payout cannot be planned or paid as asked."""


@dataclass(frozen=True)
class Payment:
    """What one wallet gets.

    Attributes:
        address: the wallet, EIP-55.
        amount: smallest units of the token, above 0.
    """

    address: str
    amount: int


@dataclass(frozen=True)
class HeldAmount:
    """What is held in escrow for one reason.

    Attributes:
        reason: why its owner is unresolved, as a code.
        amount: smallest units of the token, above 0.
    """

    reason: str
    amount: int


@dataclass(frozen=True)
class PayoutPlan:
    """A pool, shared out.

    Attributes:
        pool: what there was to share out, in smallest units.
        payments: one per wallet, ascending by address.
        escrow: one per reason, ascending.
        below_floor: wallets that had weight but whose part was dust, ascending.
        reason: why no wallet is paid; set exactly when ``payments`` is empty.

    Raises:
        PayoutError: on construction, if a line is not positive, not in order,
            or the sums do not add up.
    """

    pool: int
    payments: tuple[Payment, ...]
    escrow: tuple[HeldAmount, ...]
    below_floor: tuple[str, ...] = ()
    reason: str | None = None

    def __post_init__(self) -> None:
        for payment in self.payments:
            require_wallet(payment.address, "plan.payments.address")
        _check_ascending("plan.payments", [address_order(payment.address) for payment in self.payments])
        _check_ascending("plan.escrow", [held.reason for held in self.escrow])
        amounts = [payment.amount for payment in self.payments] + [held.amount for held in self.escrow]
        if any(amount < 1 for amount in amounts):
            raise PayoutError("plan: an amount below 1. Leave the line out.")
        if (self.reason is None) != bool(self.payments):
            raise PayoutError("plan.reason: must be given exactly when no wallet is paid.")
        if not 0 <= self.pool <= MAX_UINT256 or self.unpaid not in (0, self.pool):
            raise PayoutError(
                f"plan: payments ({self.paid}) and escrow ({self.held}) must sum to the pool ({self.pool})."
            )

    @property
    def paid(self) -> int:
        """The sum of all payments."""
        return sum(payment.amount for payment in self.payments)

    @property
    def held(self) -> int:
        """The sum of the escrow."""
        return sum(line.amount for line in self.escrow)

    @property
    def unpaid(self) -> int:
        """What stays in the pool: nothing, or all of it when nothing is given out."""
        return self.pool - self.paid - self.held

    def to_record(self) -> dict[str, Any]:
        """The plan as JSON; amounts are decimal strings, since they pass 2**53."""
        return {
            "pool": str(self.pool),
            "payments": [{"address": p.address, "amount": str(p.amount)} for p in self.payments],
            "escrow": [{"reason": h.reason, "amount": str(h.amount)} for h in self.escrow],
            "below_floor": list(self.below_floor),
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> PayoutPlan:
        """Read what ``to_record`` wrote.

        Raises:
            RecordError: a field is missing, unknown or of the wrong type.
            PayoutError: the plan does not add up.
        """
        fields = Fields(record, "plan")
        plan = cls(
            pool=read_amount(fields, "pool"),
            payments=tuple(_read_payment(row) for row in fields.objects("payments")),
            escrow=tuple(read_held(row) for row in fields.objects("escrow")),
            below_floor=fields.texts("below_floor"),
            reason=fields.text_or_none("reason"),
        )
        fields.done()
        return plan


def plan_payout(pool: int, weights: WeightTable, dust_floor: int = 0) -> PayoutPlan:
    """Share ``pool`` out by ``weights``.

    Wallets are dropped, smallest weight first, until the exact part of every
    one that is left reaches the floor; wallets of equal weight stay or go
    together. No more are dropped than that. If none is left, nothing is given
    out, to the escrow neither, and the pool stays whole for the next time.

    Args:
        pool: smallest units of the token, 0 or more.
        weights: the weight table; it may be empty.
        dust_floor: the least that is worth paying, smallest units.

    Returns:
        Payments and escrow that sum to exactly ``pool``, or a plan that pays
        nothing and says why.

    Raises:
        PayoutError: ``pool`` or ``dust_floor`` is no integer, is negative or
            exceeds a uint256.
    """
    for name, value in (("pool", pool), ("dust_floor", dust_floor)):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_UINT256:
            raise PayoutError(f"{name}: expected smallest units, 0 to 2**256 - 1, found {value!r}.")
    if weights.reason is not None:
        return PayoutPlan(pool, (), (), reason=weights.reason)
    if pool == 0:
        return PayoutPlan(pool, (), (), reason=EMPTY_POOL)
    held = _escrow_amounts(pool, weights)
    escrow = tuple(HeldAmount(reason, amount) for reason, amount in held.items() if amount)
    everyone = tuple(line.address for line in weights.lines)
    to_wallets = pool - sum(held.values())
    if to_wallets == 0:
        return PayoutPlan(pool, (), escrow, everyone, ALL_IN_ESCROW)
    kept = _worth_paying(to_wallets, weights.lines, dust_floor)
    if not kept:
        return PayoutPlan(pool, (), (), everyone, ALL_BELOW_FLOOR)
    amounts = largest_remainder(to_wallets, kept)
    payments = tuple(Payment(address, amount) for address, amount in amounts.items() if amount)
    dropped = tuple(address for address in everyone if not amounts.get(address))
    return PayoutPlan(pool, payments, escrow, dropped)


def _escrow_amounts(pool: int, weights: WeightTable) -> dict[str, int]:
    """The escrow's amounts, by reason, as they come out when everybody shares."""
    # The prefix cannot begin an address, and sorts after all of them: of two
    # equal remainders the wallet's is served first.
    shares = {line.address: line.weight_ppm for line in weights.lines}
    shares |= {f"escrow:{line.reason}": line.weight_ppm for line in weights.escrow}
    amounts = largest_remainder(pool, shares)
    return {line.reason: amounts[f"escrow:{line.reason}"] for line in weights.escrow}


def _worth_paying(amount: int, lines: tuple[WeightLine, ...], dust_floor: int) -> dict[str, int]:
    """The most wallets whose exact parts of ``amount`` all reach the floor, with their weights."""
    by_weight: dict[int, list[str]] = {}
    for line in lines:
        by_weight.setdefault(line.weight_ppm, []).append(line.address)
    total = sum(line.weight_ppm for line in lines)
    # The smallest part grows with every wallet dropped, so the first set that
    # passes, starting from all of them, is the largest.
    for weight in sorted(by_weight):
        if amount * weight >= dust_floor * total:
            return {line.address: line.weight_ppm for line in lines if line.weight_ppm >= weight}
        total -= weight * len(by_weight[weight])
    return {}


def read_amount(fields: Fields, name: str) -> int:
    """A non-negative amount in its one decimal spelling, up to 2**256 - 1."""
    value = int(fields.text(name, _AMOUNT, "an amount as a decimal string"))
    if value > MAX_UINT256:
        raise RecordError(fields.path(name), "exceeds 2**256 - 1")
    return value


def read_held(row: Fields) -> HeldAmount:
    """One escrow line of a record."""
    held = HeldAmount(row.text("reason", _CODE, "a code"), read_amount(row, "amount"))
    row.done()
    return held


def _read_payment(row: Fields) -> Payment:
    payment = Payment(row.text("address"), read_amount(row, "amount"))
    row.done()
    return payment


def _check_ascending(where: str, keys: list[Any]) -> None:
    if any(low >= high for low, high in pairwise(keys)):
        raise PayoutError(f"{where}: must ascend strictly: sorted, each name once.")
