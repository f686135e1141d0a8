"""A paid home whose chain is real: EAS's stand-in, a funded distributor, a sender with gas, a node over HTTP."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import AbstractContextManager, closing

import pytest
from eth_account import Account

from telefine_assets.cli.main import main
from telefine_assets.ledger.audit import Audit
from telefine_assets_tests.cli.attested_home import ALICE, BOB, KEY, MONDAY, TUESDAY, PaidHome
from telefine_assets_tests.onchain.evm import API_KEY, Evm, RpcServer, serving

POOL = 10**18 + 1
SENDER_KEY = "0b" * 32
PASSWORD = "correct horse battery staple"
SECRETS = (KEY, SENDER_KEY, PASSWORD, API_KEY)


class ChainHome(PaidHome):
    """Monday (Alice, and an ENS name) and Tuesday (Bob) are attested; Monday is paid."""

    def __init__(self, folder, monkeypatch, evm: Evm, template) -> None:
        self.evm = evm
        self.eas, self.token = evm.deploy("eas_stand_in"), evm.deploy("token", 10**30)
        self.sender = Account.from_key(SENDER_KEY).address
        self.distributor = evm.deploy("distributor", self.token.address, self.sender)
        evm.run(self.token.functions.transfer(self.distributor.address, 10 * POOL))
        evm.web3.eth.send_transaction({"from": evm.owner, "to": self.sender, "value": 10**18})
        keystore = Account.encrypt(SENDER_KEY, PASSWORD, kdf="pbkdf2", iterations=1)
        (folder / "sender.json").write_text(json.dumps(keystore))
        (folder / "password").write_text(PASSWORD + "\n")
        for name, value in {
            "SIGNER__PRIVATE_KEY": KEY,
            "SIGNER__CHAIN_ID": evm.chain_id,
            "SIGNER__EAS_CONTRACT": self.eas.address,
            "CHAIN__DISTRIBUTORS": json.dumps({"triage": self.distributor.address}),
            "CHAIN__KEYSTORE": "sender.json",
            "CHAIN__PASSWORD_FILE": "password",
            "CONFIG": folder / "telefine.yaml",
        }.items():
            monkeypatch.setenv(f"TELEFINE_{name}", str(value))
        # Each chain gives its contracts the same addresses, so that what was attested once serves all tests.
        if template.exists():
            shutil.copytree(template, folder / ".telefine")
        super().__init__(folder)
        if not template.exists():
            self._fill()
            shutil.copytree(folder / ".telefine", template)
        self.uid = self.records.read("triage", "attestations", MONDAY)["uid"]
        self.server = RpcServer(evm)

    def _fill(self) -> None:
        self.attest(MONDAY, [ALICE, "carol.eth"])
        self.attest(TUESDAY, [BOB])
        self.pay(MONDAY)
        self.ledger.close()

    def serving(self) -> AbstractContextManager[str]:
        """The node, at a URL."""
        return serving(self.server)

    def balance(self, who: str) -> int:
        """Tokens of a wallet."""
        return self.token.functions.balanceOf(who).call()

    def sent(self) -> int:
        """How many transactions of the sender are in blocks."""
        return self.evm.web3.eth.get_transaction_count(self.sender)

    def receipts(self) -> list[dict]:
        """The receipts that were kept, from the evidence."""
        kept = [row.details["receipt"] for row in Audit(self.ledger).rows() if "receipt" in row.details]
        return [json.loads(self.evidence.get(digest)) for digest in kept]

    def files(self) -> bytes:
        """Everything that was written, but the sender's own two files; of the ledger its rows, wherever they stand."""
        own = ("sender.json", "password")
        paths = [each for each in sorted(self.home.rglob("*")) if each.is_file() and each.name not in own]
        written = [each.read_bytes() for each in paths if not each.name.startswith("ledger.db")]
        with closing(sqlite3.connect(self.home / ".telefine" / "ledger.db")) as ledger:
            return b"".join([*written, *(line.encode() for line in ledger.iterdump())])


def run(capsys, *arguments) -> tuple[int, str, str]:
    """Run ``telefine``; returns exit code, output and errors, in which there is no secret."""
    with pytest.raises(SystemExit) as caught:
        main([*map(str, arguments)])
    done = capsys.readouterr()
    assert not [secret for secret in SECRETS if secret in done.out + done.err]
    return caught.value.code or 0, done.out, done.err
