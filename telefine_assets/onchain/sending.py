"""Sending one transaction, once, and keeping its receipt.

What is sent is written into the audit log before it leaves, under its hash. A run
that dies afterwards is thus picked up by the next: it looks for that transaction
first. Nothing is ever sent beside a transaction that still waits, and a second one
would take the first one's nonce, so that the chain can run only one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from telefine_assets.canonical import canonical_json
from telefine_assets.ledger.records import AuditEntry, AuditRow
from telefine_assets.onchain.errors import ChainError
from telefine_assets.onchain.node import Call, Node, bound
from telefine_assets.onchain.sender import Sender, Signed
from telefine_assets.onchain.steps import Step
from telefine_assets.payouts.safe_csv import whole_tokens

if TYPE_CHECKING:
    from web3 import Web3

SENDING, DONE, FAILED = "transaction sent", "transaction done", "transaction failed"
GAS_MARGIN_PERCENT = 20
_WEI_DECIMALS = 18


class AuditLog(Protocol):
    """The part of ``ledger.audit.Audit`` that is used."""

    def append(self, entry: AuditEntry, at: datetime) -> AuditRow:
        """Append a row."""
        ...

    def rows(self, subject: str | None = None) -> list[AuditRow]:
        """The rows about a subject, oldest first."""
        ...


@dataclass(frozen=True)
class Records:
    """Where it is kept what was sent and what came of it."""

    audit: AuditLog
    put: Callable[[bytes], str]
    """Evidence; returns its SHA-256."""
    now: Callable[[], datetime]


@dataclass(frozen=True)
class Prepared:
    """A transaction that was simulated and can be signed.

    Attributes:
        call: what it does.
        transaction: EIP-1559, as eth-account signs it.
        likely: what it will probably cost, in wei.
        most: what it can cost at most, in wei.
    """

    call: Call
    transaction: Mapping[str, Any]
    likely: int
    most: int

    def to_record(self) -> dict[str, Any]:
        """The transaction as JSON; what it costs is wei, as decimal strings."""
        fields = self.transaction
        return {
            "what": self.call.what,
            "chain_id": fields["chainId"],
            "to": fields["to"],
            "data": fields["data"],
            "gas": fields["gas"],
            "likely_cost": str(self.likely),
            "most_cost": str(self.most),
        }

    def lines(self) -> list[str]:
        """A summary to confirm."""
        fields = self.transaction
        return [
            f"{self.call.what}",
            f"  chain     {fields['chainId']}",
            f"  to        {fields['to']}",
            f"  data      {fields['data']}",
            f"  gas       {fields['gas']} at most",
            f"  cost      about {whole_tokens(self.likely, _WEI_DECIMALS)}, "
            f"at most {whole_tokens(self.most, _WEI_DECIMALS)} of the chain's coin",
        ]


def prepare(node: Node, call: Call, sender: str, max_cost: int) -> Prepared:
    """Simulate a call and price it.

    A node that asks for an absurd fee is not believed: priority fees are paid
    whatever the block's own fee is.

    Raises:
        ChainError: the contract would refuse it, the chain has no EIP-1559, or
            it could cost more than ``max_cost`` wei.
    """
    node.ask(call.what, lambda web3: bound(web3, call).call({"from": sender}))
    estimate = node.ask(f"gas of {call.what}", lambda web3: bound(web3, call).estimate_gas({"from": sender}))
    base, tip, nonce = node.ask("fees", lambda web3: _fees(web3, sender))
    gas, fee = estimate * (100 + GAS_MARGIN_PERCENT) // 100, 2 * base + tip
    if gas * fee > max_cost:
        raise ChainError(f"{call.what} could cost {gas * fee} wei; chain.max_cost is {max_cost}: wait, or raise it")
    fields = {"from": sender, "gas": gas, "maxFeePerGas": fee, "maxPriorityFeePerGas": tip, "nonce": nonce}
    built = node.ask(
        call.what, lambda web3: bound(web3, call).build_transaction({**fields, "chainId": node.chain_id, "value": 0})
    )
    # eth-account wants no sender: the signature says who it is.
    transaction = {name: value for name, value in built.items() if name != "from"} | {"type": 2}
    return Prepared(call, transaction, estimate * (base + tip), gas * fee)


def _fees(web3: Web3, sender: str) -> tuple[int, int, int]:
    """The next block's fee per gas as far as known, the usual priority fee (both in wei), and the next nonce."""
    base = web3.eth.get_block("latest").get("baseFeePerGas")
    if base is None:
        raise ChainError("the chain has no EIP-1559 fees; send the call with a wallet that knows the chain")
    # Of the mined ones: a transaction that waits is replaced by the next, never joined.
    return base, web3.eth.max_priority_fee, web3.eth.get_transaction_count(web3.to_checksum_address(sender), "latest")


def send(node: Node, prepared: Prepared, sender: Sender, subject: str, records: Records) -> str:
    """Sign a transaction, write its hash into the audit log, and send it; returns the hash.

    Raises:
        ChainError: the sender cannot pay, has a transaction waiting, or the node refuses.
    """
    balance, waiting = node.ask("sender", lambda web3: _standing_of(web3, sender.address))
    if balance < prepared.most:
        raise ChainError(f"{sender.address} has {balance} wei; it could cost {prepared.most}: send it some first")
    if waiting > prepared.transaction["nonce"]:
        raise ChainError(f"a transaction of {sender.address} waits for its block; wait until it is done")
    signed: Signed = sender.sign(prepared.transaction)
    details: dict[str, object] = {"transaction": signed.hash, "what": prepared.call.what}
    records.audit.append(AuditEntry(sender.address, SENDING, subject, details), records.now())
    node.ask(f"sending {signed.hash}", lambda web3: web3.eth.send_raw_transaction(signed.raw))
    return signed.hash


def _standing_of(web3: Web3, address: str) -> tuple[int, int]:
    checked = web3.to_checksum_address(address)
    return web3.eth.get_balance(checked), web3.eth.get_transaction_count(checked, "pending")


def sent_earlier(node: Node, subject: str, records: Records) -> str | None:
    """The hash of a transaction that an earlier run sent and did not see through, if the chain knows of it."""
    open_hashes: list[str] = []
    for row in records.audit.rows(subject):
        open_hashes = [*open_hashes, str(row.details["transaction"])] if row.action == SENDING else []
    return next((each for each in reversed(open_hashes) if node.knows(each)), None)


def see_through(node: Node, step: Step, transaction: str, records: Records, timeout: float) -> str:
    """Wait for a transaction's receipt and keep it; returns the SHA-256 under which the evidence has it.

    Args:
        node: the chain.
        step: what was sent.
        transaction: its hash.
        records: where to keep the receipt.
        timeout: seconds to wait; afterwards the same command goes on waiting.

    Raises:
        ChainError: it is in no block yet, or it was run and failed.
    """
    receipt = node.awaited(transaction, timeout)
    if _hex(receipt["transactionHash"]) != transaction:
        raise ChainError(f"the node answered with another receipt than that of {transaction}; ask another node")
    proved = receipt["status"] == 1 and step.proved_by(receipt)
    digest = records.put(canonical_json(_receipt_record(node, step, receipt)))
    details: dict[str, object] = {"transaction": transaction, "receipt": digest}
    action = DONE if proved else FAILED
    records.audit.append(AuditEntry(str(receipt["from"]), action, step.subject, details), records.now())
    if not proved:
        raise ChainError(f"transaction {transaction} is in a block, but failed; its receipt is evidence {digest}")
    return digest


def _receipt_record(node: Node, step: Step, receipt: Mapping[str, Any]) -> dict[str, Any]:
    """A receipt as evidence; what may exceed 2**53 is a decimal string."""
    return {
        "what": step.subject,
        "chainId": str(node.chain_id),
        "transaction": _hex(receipt["transactionHash"]),
        "block": str(receipt["blockNumber"]),
        "blockHash": _hex(receipt["blockHash"]),
        "from": receipt["from"],
        "to": receipt["to"],
        "status": receipt["status"],
        "gasUsed": str(receipt["gasUsed"]),
        "effectiveGasPrice": str(receipt["effectiveGasPrice"]),
        "logs": [
            {"address": log["address"], "topics": [_hex(each) for each in log["topics"]], "data": _hex(log["data"])}
            for log in receipt["logs"]
        ],
    }


def _hex(value: bytes) -> str:
    return "0x" + bytes(value).hex()
