"""Totals ever earned per wallet, and the tree from which they are claimed.

The contract pays total minus already claimed. A claim skipped for months is thus
still there in the newest tree, an old proof claimed late pays no more than its
own total, and a double claim pays nothing: it is arithmetic, not bookkeeping.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from telefine_assets.attribution.addresses import address_order, require_wallet
from telefine_assets.attribution.records import Fields
from telefine_assets.payouts.merkle import ZERO_ROOT, StandardMerkleTree
from telefine_assets.payouts.plan import (
    MAX_UINT256,
    HeldAmount,
    Payment,
    PayoutError,
    PayoutPlan,
    read_amount,
    read_held,
)

ESCROW = "escrow:"
"""What a reason begins with where it stands among wallets, as in the ledger."""


@dataclass(frozen=True)
class CumulativeTotals:
    """What every wallet has ever earned, and what was ever held back.

    Attributes:
        wallets: total per wallet in smallest units, ascending by address.
        escrow: total per reason, ascending.
    """

    wallets: tuple[Payment, ...] = ()
    escrow: tuple[HeldAmount, ...] = ()

    def __post_init__(self) -> None:
        for wallet in self.wallets:
            require_wallet(wallet.address, "totals.wallets.address")
        for amount in self._amounts():
            if not 1 <= amount <= MAX_UINT256:
                raise PayoutError(f"totals: {amount} is not within 1 to 2**256 - 1.")
        orders = [address_order(wallet.address) for wallet in self.wallets]
        reasons = [held.reason for held in self.escrow]
        if orders != sorted(set(orders)) or reasons != sorted(set(reasons)):
            raise PayoutError("totals: must ascend strictly: sorted, each name once.")

    @property
    def total(self) -> int:
        """Everything ever given out, the escrow included."""
        return sum(self._amounts())

    def _amounts(self) -> list[int]:
        return [wallet.amount for wallet in self.wallets] + [held.amount for held in self.escrow]

    def to_record(self) -> dict[str, Any]:
        """The totals as JSON; amounts are decimal strings."""
        return {
            "wallets": [{"address": w.address, "amount": str(w.amount)} for w in self.wallets],
            "escrow": [{"reason": h.reason, "amount": str(h.amount)} for h in self.escrow],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> CumulativeTotals:
        """Read what ``to_record`` wrote.

        Raises:
            RecordError: a field is missing, unknown or of the wrong type.
            PayoutError: an amount of 0, or lines out of order.
        """
        fields = Fields(record, "totals")
        wallets = []
        for row in fields.objects("wallets"):
            wallets.append(Payment(row.text("address"), read_amount(row, "amount")))
            row.done()
        totals = cls(tuple(wallets), tuple(read_held(row) for row in fields.objects("escrow")))
        fields.done()
        return totals


@dataclass(frozen=True)
class Claim:
    """What a wallet shows the contract.

    Attributes:
        address: the wallet.
        total: what it has ever earned, smallest units.
        proof: siblings from its leaf to the root, 0x and 64 digits each.
    """

    address: str
    total: int
    proof: tuple[str, ...]


@dataclass(frozen=True)
class ClaimSet:
    """The newest totals under one root.

    Attributes:
        totals: what the tree was built over.
        root: the Merkle root; ``ZERO_ROOT`` while nobody has earned anything.
    """

    totals: CumulativeTotals
    root: str
    _tree: StandardMerkleTree | None = field(repr=False, compare=False)

    def claim(self, address: str) -> Claim:
        """The claim of one wallet.

        Raises:
            PayoutError: the wallet has earned nothing.
        """
        if self._tree is None:
            raise PayoutError(f"{address} has no claim: nobody has earned anything yet.")
        proof = self._tree.proof(address)
        return Claim(address, self._tree.amount(address), tuple(proof))

    def claims(self) -> Iterator[Claim]:
        """The claims of all wallets, ascending by address."""
        return (self.claim(wallet.address) for wallet in self.totals.wallets)

    def dump_bytes(self) -> bytes | None:
        """The tree in OpenZeppelin's ``standard-v1`` form, or None for no tree."""
        return None if self._tree is None else self._tree.dump_bytes()


def add_payout(totals: CumulativeTotals, plan: PayoutPlan) -> CumulativeTotals:
    """The totals after one more payout.

    The same plans in any order give the same totals. Adding a plan twice pays
    it twice: the caller's ledger holds one key per payout.

    Raises:
        PayoutError: a total would exceed 2**256 - 1.
    """
    wallets = {wallet.address: wallet.amount for wallet in totals.wallets}
    for payment in plan.payments:
        wallets[payment.address] = wallets.get(payment.address, 0) + payment.amount
    escrow = {held.reason: held.amount for held in totals.escrow}
    for held in plan.escrow:
        escrow[held.reason] = escrow.get(held.reason, 0) + held.amount
    return CumulativeTotals(
        tuple(Payment(a, wallets[a]) for a in sorted(wallets, key=address_order)),
        tuple(HeldAmount(reason, escrow[reason]) for reason in sorted(escrow)),
    )


def build_claims(totals: CumulativeTotals) -> ClaimSet:
    """The tree over the totals, from which every wallet can claim."""
    if not totals.wallets:
        return ClaimSet(totals, ZERO_ROOT, None)
    tree = StandardMerkleTree((wallet.address, wallet.amount) for wallet in totals.wallets)
    return ClaimSet(totals, tree.root, tree)
