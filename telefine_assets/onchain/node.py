"""A chain's node, asked through web3.

Its URL often holds an API key, and the libraries repeat URLs in their errors: no
error that leaves this module holds it, and neither does the error's context.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from telefine_assets.onchain.errors import ChainError

if TYPE_CHECKING:
    from web3 import Web3

T = TypeVar("T")
SECONDS_PER_ANSWER = 30.0


@dataclass(frozen=True)
class Call:
    """One transaction that is wanted.

    Attributes:
        what: the call, for people and for the records.
        contract: EIP-55.
        abi: at least the function.
        function: its name.
        arguments: as web3 encodes them.
    """

    what: str
    contract: str
    abi: list[dict[str, Any]]
    function: str
    arguments: tuple[Any, ...]


class Node:
    """A node of the chain that is meant."""

    def __init__(self, web3: Web3, url: str, chain_id: int) -> None:
        """Use ``web3``; see ``connect``."""
        self._web3, self._url, self.chain_id = web3, url, chain_id

    def ask(self, what: str, question: Callable[[Web3], T]) -> T:
        """The answer to a question.

        Raises:
            ChainError: the contract refuses, or the node does, or gives no answer.
        """
        from web3.exceptions import ContractLogicError, Web3RPCError

        try:
            return question(self._web3)
        except ChainError:
            raise
        except ContractLogicError as error:
            problem = f"the contract refuses ({self._told(error.message)})"
        except Web3RPCError as error:
            problem = f"the node refuses ({self._told(error.message)})"
        except Exception as error:  # noqa: BLE001 - transports raise anything, with the URL in it
            problem = f"no answer from the node ({type(error).__name__}); check TELEFINE_CHAIN__RPC_URL"
        raise ChainError(f"{what}: {problem}")

    def code(self, address: str) -> bytes:
        """The code at an address; empty where there is no contract."""
        return self.ask(f"code of {address}", lambda web3: bytes(web3.eth.get_code(_checked(address))))

    def read(self, address: str, abi: list[dict[str, Any]], function: str, *arguments: Any) -> Any:
        """What a contract's view function returns."""
        return self.ask(f"{function} of {address}", lambda web3: _bound(web3, address, abi, function, arguments).call())

    def awaited(self, transaction: str, timeout: float) -> Mapping[str, Any]:
        """The receipt of a transaction, waited for.

        Raises:
            ChainError: it is in no block after ``timeout`` seconds.
        """
        from web3.exceptions import TimeExhausted

        def wait(web3: Web3) -> Mapping[str, Any]:
            try:
                return web3.eth.wait_for_transaction_receipt(_hash(transaction), timeout)
            except TimeExhausted:
                raise ChainError(
                    f"transaction {transaction} is in no block after {timeout:g} s; "
                    "the same command again goes on waiting for it"
                ) from None

        return self.ask(f"receipt of {transaction}", wait)

    def events(
        self, receipt: Mapping[str, Any], address: str, abi: list[dict[str, Any]], event: str
    ) -> list[Mapping[str, Any]]:
        """The arguments of each event of that name that the contract at ``address`` logged in a transaction."""

        def read(web3: Web3) -> list[Mapping[str, Any]]:
            from web3.logs import DISCARD

            contract = web3.eth.contract(address=_checked(address), abi=abi)
            found = contract.events[event]().process_receipt(receipt, errors=DISCARD)
            return [each["args"] for each in found if each["address"] == contract.address]

        return self.ask(f"events of {address}", read)

    def knows(self, transaction: str) -> bool:
        """Whether a transaction is in a block or waits for one."""
        from web3.exceptions import TransactionNotFound

        def look(web3: Web3) -> bool:
            try:
                web3.eth.get_transaction(_hash(transaction))
            except TransactionNotFound:
                return False
            return True

        return self.ask(f"transaction {transaction}", look)

    def _told(self, message: object) -> str:
        """A message of the node or of a contract: one short line of text, without what the URL hides."""
        line = "".join(each for each in str(message) if each.isprintable())
        for part in self._hidden():
            line = line.replace(part, "**********")
        return line[:200]

    def _hidden(self) -> list[str]:
        """Whatever of the URL may be a key, as it stands there and decoded; the longest first."""
        place = urlsplit(self._url)
        values = [value for pair in parse_qsl(place.query) for value in pair]
        parts = [self._url, place.netloc, place.query, place.username, place.password, *place.path.split("/"), *values]
        parts += (place.hostname or "").split(".")
        spelled = {each for part in parts if part for each in (part, unquote(part))}
        # Shorter parts ("v2") are no keys, and would blot out words; a password is one however short.
        secret = [each for each in spelled if len(each) >= 8 or each in (place.username, place.password)]
        return sorted(secret, key=len, reverse=True)


def connect(url: str, chain_id: int) -> Node:
    """A node, if it is on the chain that is meant.

    Raises:
        ChainError: web3 is not installed, the node does not answer, or is on another chain.
    """
    try:
        from web3 import HTTPProvider, Web3
    except ImportError:
        raise ChainError("transactions need the package web3: install telefine-assets[chain]") from None
    if urlsplit(url).scheme not in ("http", "https"):
        raise ChainError("the node's URL must begin with https:// or http://; set TELEFINE_CHAIN__RPC_URL")
    # At the level of debugging, both libraries log the URL.
    for library in ("web3", "urllib3"):
        logging.getLogger(library).setLevel(logging.INFO)
    # Not tried again in silence: a transaction is sent once, and the reader told.
    provider = HTTPProvider(url, request_kwargs={"timeout": SECONDS_PER_ANSWER}, exception_retry_configuration=None)
    node = Node(Web3(provider), url, chain_id)
    found = node.ask("eth_chainId", lambda web3: web3.eth.chain_id)
    if found != chain_id:
        raise ChainError(f"the node is on chain {found}, signer.chain_id is {chain_id}; choose the right node")
    return node


def bound(web3: Web3, call: Call) -> Any:
    """The call as web3 simulates, estimates and builds it."""
    return _bound(web3, call.contract, call.abi, call.function, call.arguments)


def _bound(web3: Web3, address: str, abi: list[dict[str, Any]], function: str, arguments: tuple[Any, ...]) -> Any:
    return web3.eth.contract(address=_checked(address), abi=abi).functions[function](*arguments)


def _checked(address: str) -> Any:
    """An address as web3 wants it; settings may spell it in lower case."""
    from web3 import Web3

    return Web3.to_checksum_address(address)


def _hash(transaction: str) -> Any:
    from hexbytes import HexBytes

    return HexBytes(transaction)
