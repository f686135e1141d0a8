"""A real EVM in process, and the same chain behind a real HTTP node."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import vyper
from eth_tester.exceptions import TransactionFailed
from web3 import EthereumTesterProvider, Web3
from web3.datastructures import NamedElementOnion
from web3.exceptions import ContractLogicError

from telefine_assets.onchain.distributor import distributor

API_KEY = "a-secret-of-the-nodes-owner"
# Fixed: estimating it runs everything several times.
GAS = {"gas": 3_000_000}
FOLDER = Path(__file__).parent


@cache
def compiled(name: str) -> tuple[list, str]:
    """ABI and bytecode of a contract of this folder, or of the distributor."""
    if name == "distributor":
        return distributor().abi, distributor().bytecode
    source = (FOLDER / f"{name}.vy").read_text()
    made = vyper.compile_code(source, output_formats=["abi", "bytecode"])
    return made["abi"], made["bytecode"]


class Evm:
    """A chain of its own with funded accounts; each transaction is a block."""

    def __init__(self) -> None:
        self.provider = EthereumTesterProvider()
        self.web3 = Web3(self.provider)
        self.tester = self.provider.ethereum_tester
        self.owner, self.stranger, *_ = self.web3.eth.accounts
        self.chain_id = self.web3.eth.chain_id

    def deploy(self, name: str, *arguments):
        """Deploy a contract by its name; ``owner`` pays."""
        abi, bytecode = compiled(name)
        made = self.web3.eth.contract(abi=abi, bytecode=bytecode).constructor(*arguments)
        receipt = self.web3.eth.wait_for_transaction_receipt(made.transact({"from": self.owner, **GAS}))
        assert receipt["status"] == 1
        return self.web3.eth.contract(address=receipt["contractAddress"], abi=abi)

    def run(self, function, sender=None):
        """Send a call in a transaction that succeeds; returns the receipt."""
        sent = function.transact({"from": sender or self.owner, **GAS})
        receipt = self.web3.eth.wait_for_transaction_receipt(sent)
        assert receipt["status"] == 1
        return receipt

    def refusal(self, function, sender=None) -> str:
        """Why a call is refused; fails when it is not."""
        try:
            function.call({"from": sender or self.owner})
        except (ContractLogicError, TransactionFailed) as error:
            return str(error)
        raise AssertionError("it was not refused")


class RpcServer:
    """An HTTP node over an ``Evm`` that can be told to fail."""

    def __init__(self, evm: Evm) -> None:
        self.evm, self.asked, self.failing = evm, [], {}
        self.answers: dict[str, object] = {}
        self.refusing: dict[str, str] = {}
        self.without_logs = False
        # eth-tester does not count what waits for a block in the nonce "pending"; a real node does.
        self.waiting = 0
        self._request = evm.provider.request_func(evm.web3, NamedElementOnion([]))
        self._lock = threading.Lock()

    def answer(self, request: dict) -> dict | None:
        """The answer to one request; None when the connection is to break, before or after the work was done."""
        method = request["method"]
        with self._lock:
            self.asked.append(method)
            failing = self.failing.get(method)
            if failing == "before":
                return None
            head = {"jsonrpc": "2.0", "id": request["id"]}
            if method in self.refusing:
                return head | {"error": {"code": -32000, "message": self.refusing[method]}}
            if method in self.answers:
                return head | {"result": self.answers[method]}
            try:
                result = self._request(method, request["params"])
            except (ContractLogicError, TransactionFailed) as error:
                reason = str(error.args[0]).removeprefix("execution reverted: ")
                return head | {"error": {"code": 3, "message": f"execution reverted: {reason}"}}
            except Exception as error:  # noqa: BLE001 - a node answers whatever it is
                return head | {"error": {"code": -32000, "message": repr(error)}}
            if self.without_logs and method == "eth_getTransactionReceipt" and result["result"]:
                result["result"] = {**result["result"], "logs": []}
            if method == "eth_getTransactionCount" and request["params"][1] == "pending":
                result["result"] += self.waiting
            return None if failing == "after" else head | {"result": _hexadecimal(result["result"])}


def _hexadecimal(value):
    """Integers as JSON-RPC writes them."""
    if isinstance(value, dict):
        return {name: _hexadecimal(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_hexadecimal(each) for each in value]
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return hex(value) if isinstance(value, int) and not isinstance(value, bool) else value


@contextmanager
def serving(server: RpcServer) -> Iterator[str]:
    """Serve over HTTP on loopback; yields the URL, which holds an API key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = server.answer(request)
            if answer is None:
                self.send_error(502)
                return
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/v2/{API_KEY}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
