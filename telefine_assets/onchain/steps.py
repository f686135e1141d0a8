"""The two steps that Telefine can take on a chain: anchor an attestation, publish a root.

Each can say whether the chain is already as wanted, so that a step that was sent
before (by an earlier run, or by somebody else) is not sent again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from telefine_assets.attribution.addresses import ZERO_ADDRESS
from telefine_assets.ledger.records import Token
from telefine_assets.onchain.distributor import distributor
from telefine_assets.onchain.errors import ChainError
from telefine_assets.onchain.node import Call, Node
from telefine_assets.payouts.cumulative import ClaimSet
from telefine_assets.payouts.exports import claims_document
from telefine_assets.payouts.merkle import ZERO_ROOT
from telefine_assets.payouts.plan import PayoutError
from telefine_assets.payouts.token import contract_of


def _item(name: str, kind: str, **more: bool) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


EAS_ABI: list[dict[str, Any]] = [
    {
        "type": "function",
        "name": name,
        "stateMutability": mutability,
        "inputs": [_item("data", "bytes32")],
        "outputs": [_item("", "uint64")],
    }
    for name, mutability in (("timestamp", "nonpayable"), ("getTimestamp", "view"))
] + [
    {
        "type": "event",
        "name": "Timestamped",
        "anonymous": False,
        "inputs": [_item("data", "bytes32", indexed=True), _item("timestamp", "uint64", indexed=True)],
    }
]
"""The part of ``IEAS`` that is used.

Source: https://github.com/ethereum-attestation-service/eas-contracts (contracts/IEAS.sol)
"""

_TOKEN_ABI: list[dict[str, Any]] = [
    {"type": "function", "name": name, "stateMutability": "view", "inputs": inputs, "outputs": [_item("", kind)]}
    for name, inputs, kind in (
        ("balanceOf", [_item("account", "address")], "uint256"),
        ("decimals", [], "uint8"),
    )
]


class Step(Protocol):
    """Something that a chain should come to say."""

    @property
    def subject(self) -> str:
        """What the audit log knows it by."""
        ...

    def standing(self) -> str | None:
        """What the chain says, if it is as wanted; None if a transaction is needed."""
        ...

    def call(self) -> Call:
        """The transaction that brings it about.

        Raises:
            ChainError: the chain is in no state for it.
        """
        ...

    def proved_by(self, receipt: Mapping[str, Any]) -> bool:
        """Whether a receipt shows, by the contract's own event, that it was done."""
        ...

    def permitted(self) -> str:
        """An address that may send it, for whom it is simulated when no keystore is named."""
        ...


class Anchor:
    """``EAS.timestamp(uid)``: the chain's own word that an attestation existed by then."""

    def __init__(self, node: Node, contract: str, uid: str) -> None:
        """Anchor ``uid`` (0x and 64 digits) at the EAS contract.

        Raises:
            ChainError: there is no contract at that address.
        """
        self._node, self._contract, self._uid = node, contract, uid
        if not node.code(contract):
            raise ChainError(f"signer.eas_contract = {contract}: no contract there on chain {node.chain_id}")
        self.subject = f"chain {node.chain_id}: {contract} timestamp {uid}"

    def standing(self) -> str | None:
        """When it was anchored."""
        found = self._node.read(self._contract, EAS_ABI, "getTimestamp", bytes.fromhex(self._uid[2:]))
        return (
            f"{self._uid} is anchored since {datetime.fromtimestamp(found, UTC):%Y-%m-%d %H:%M:%S} UTC"
            if found
            else None
        )

    def call(self) -> Call:
        """The transaction."""
        data = bytes.fromhex(self._uid[2:])
        what = f"EAS.timestamp({self._uid})"
        return Call(what, self._contract, EAS_ABI, "timestamp", (data,))

    def proved_by(self, receipt: Mapping[str, Any]) -> bool:
        """Whether EAS logged this uid."""
        events = self._node.events(receipt, self._contract, EAS_ABI, "Timestamped")
        return any(each["data"] == bytes.fromhex(self._uid[2:]) for each in events)

    def permitted(self) -> str:
        """Anybody may."""
        return ZERO_ADDRESS


class PublishRoot:
    """``set_root(root, epoch)``: lets wallets claim what a payout granted."""

    def __init__(self, node: Node, contract: str, token: Token, root: str, ours: Collection[str]) -> None:
        """Publish ``root``; ``ours`` are the roots of all stored payouts of ``token``, which it may replace.

        Raises:
            ChainError: the distributor whose source is in this package is not
                at that address, or pays out another token.
        """
        self._node, self._contract, self._root, self._ours = node, contract, root, ours
        require_distributor(node, contract, token)
        self.subject = f"chain {node.chain_id}: {contract} set_root {root}"

    def _read(self, function: str) -> Any:
        return self._node.read(self._contract, distributor().abi, function)

    def standing(self) -> str | None:
        """In which epoch it is in force."""
        in_force = "0x" + self._read("root").hex()
        return f"{self._root} is in force, epoch {self._read('epoch')}" if in_force == self._root else None

    def call(self) -> Call:
        """The transaction, for the epoch after the chain's.

        Raises:
            ChainError: the root in force is none of ours: it is newer than what
                is stored here, or somebody else's.
        """
        in_force, epoch = "0x" + self._read("root").hex(), self._read("epoch") + 1
        if in_force not in (ZERO_ROOT, *self._ours):
            raise ChainError(
                f"{self._contract}: the root in force, {in_force}, is of no payout of this token stored here. "
                "Is the store an old copy? Restore the newest one. If nobody of yours set that root, find out who did"
            )
        root = bytes.fromhex(self._root[2:])
        what = f"set_root({self._root}, {epoch})"
        return Call(what, self._contract, distributor().abi, "set_root", (root, epoch))

    def proved_by(self, receipt: Mapping[str, Any]) -> bool:
        """Whether the distributor logged this root."""
        events = self._node.events(receipt, self._contract, distributor().abi, "RootSet")
        return any(each["root"] == bytes.fromhex(self._root[2:]) for each in events)

    def permitted(self) -> str:
        """The owner."""
        return str(self._read("owner"))


def require_distributor(node: Node, contract: str, paid: Token) -> None:
    """Refuse an address where another contract is, or none, or one of another token than was paid.

    Amounts are in the token's smallest unit: with other decimals, each would be
    some power of ten too much or too little. Of a payout that named no
    contract, the decimals are all that can be compared.

    Raises:
        ChainError: as said.
    """
    code = node.code(contract)
    if not distributor().is_at(code):
        found = "another contract" if code else "no contract"
        raise ChainError(
            f"{contract}: there is {found} there on chain {node.chain_id}, not the one of onchain/distributor.vy"
        )
    token = node.read(contract, distributor().abi, "token")
    found_decimals = node.read(token, _TOKEN_ABI, "decimals")
    if (contract_of(paid) or token, paid.decimals) != (token, found_decimals):
        raise ChainError(f"{contract}: its token {token} has {found_decimals} decimals, what was paid is {paid}")


def checked_root(claims: ClaimSet) -> str:
    """The root to publish, after every claim under it was verified.

    Args:
        claims: of the newest stored payout, as ``checked_claims`` compared them with the ledger.

    Raises:
        PayoutError: nobody has earned anything, or a proof does not hold.
    """
    if claims.root == ZERO_ROOT:
        raise PayoutError("Nobody has earned anything yet: there is no root to publish.")
    claims_document(claims)
    return claims.root


@dataclass(frozen=True)
class DistributorState:
    """What a distributor says, beside the newest stored payout; amounts in the token's smallest unit.

    Attributes:
        contract: its address.
        owner: who may set roots.
        token: the token's contract.
        root: the root in force.
        epoch: its number.
        newest: the root of the newest stored payout.
        claimed: what was claimed ever.
        owed: what is left to claim under ``newest``.
        held: what the contract has.
    """

    contract: str
    owner: str
    token: str
    root: str
    epoch: int
    newest: str
    claimed: int
    owed: int
    held: int

    def to_record(self) -> dict[str, Any]:
        """The state as JSON; amounts are decimal strings."""
        amounts = {name: str(getattr(self, name)) for name in ("claimed", "owed", "held")}
        return {**vars(self), **amounts}

    def lines(self) -> list[str]:
        """The state in words."""
        short = f": {self.owed - self.held} short, fund it first" if self.held < self.owed else ""
        return [
            f"distributor {self.contract}, owner {self.owner}, token {self.token}",
            f"root {self.root}, epoch {self.epoch}"
            + ("" if self.root == self.newest else f"; the newest is {self.newest}: telefine chain set-root"),
            f"claimed {self.claimed}, left to claim {self.owed}, held {self.held}{short}",
        ]


def distributor_state(node: Node, contract: str, paid: Token, claims: ClaimSet) -> DistributorState:
    """Ask a distributor, and compare it with the newest stored payout.

    Raises:
        ChainError: there is no distributor at that address, or not of this token.
    """
    require_distributor(node, contract, paid)
    names = ("owner", "token", "root", "epoch", "total_claimed")
    owner, token, root, epoch, claimed = (node.read(contract, distributor().abi, name) for name in names)
    owed = sum(wallet.amount for wallet in claims.totals.wallets) - claimed
    held = node.read(token, _TOKEN_ABI, "balanceOf", contract)
    return DistributorState(contract, owner, token, "0x" + root.hex(), epoch, claims.root, claimed, owed, held)
