"""Who sends transactions: an encrypted keystore that is opened for one signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telefine_assets.attribution.addresses import checksum_address
from telefine_assets.attribution.records import load_json
from telefine_assets.errors import TelefineError
from telefine_assets.onchain.errors import ChainError


@dataclass(frozen=True)
class Signed:
    """A transaction that can be sent.

    Attributes:
        raw: its bytes, as a node takes them.
        hash: what it is known by, 0x and 64 digits, before it is sent.
    """

    raw: bytes
    hash: str


class Sender:
    """Signs transactions. The key is in memory only while it signs."""

    def __init__(self, keystore: Path, password_file: Path) -> None:
        """Read whose keystore it is; the password is not read yet.

        Raises:
            ChainError: when a file is missing, or the keystore names no address.
        """
        if not password_file.is_file():
            raise ChainError(f"{password_file}: no such file; it holds the password of {keystore.name}")
        self._keystore, self._password_file = _read(keystore), password_file
        try:
            self.address = checksum_address(bytes.fromhex(str(self._keystore["address"]).removeprefix("0x")))
        except (KeyError, ValueError, TelefineError):
            raise ChainError(f"{keystore}: has no field `address`; make it with eth-account or geth") from None

    def sign(self, transaction: Mapping[str, Any]) -> Signed:
        """Sign an EIP-1559 transaction.

        Raises:
            ChainError: the password is wrong, or the key is another address's.
        """
        from eth_account import Account

        try:
            account = Account.from_key(Account.decrypt(self._keystore, self._password_file.read_text("utf-8").strip()))
        except Exception:  # noqa: BLE001 - whatever it is, its text may repeat the key
            raise ChainError(f"cannot open the keystore of {self.address}: wrong password, or damaged") from None
        if account.address != self.address:
            raise ChainError(f"the keystore says {self.address} but holds the key of {account.address}")
        signed = account.sign_transaction(dict(transaction))
        return Signed(bytes(signed.raw_transaction), "0x" + bytes(signed.hash).hex())


def _read(keystore: Path) -> dict[str, Any]:
    try:
        value = load_json(keystore.read_bytes(), keystore.name)
    except OSError as error:
        raise ChainError(f"{keystore}: cannot be read ({error.strerror}); name a keystore with --keystore") from None
    if not isinstance(value, dict):
        raise ChainError(f"{keystore}: is no keystore; make one with eth-account or geth")
    return value
