"""Signers: where an attester's key may live.

None of them shows its key: not by ``repr``, not in ``vars``, not in an error, and
not by pickling, which raises. (``pickle.dumps`` of an eth-account contains the
key; Dagster pickles what an asset returns.) The key is held by a closure.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess  # the command of a KMS, given as a list and run without a shell
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

from telefine_assets.attestation.signatures import (
    CURVE_ORDER,
    SigningError,
    typed_data_digest,
)
from telefine_assets.attribution.addresses import checksum_address, require_wallet

Vrs = tuple[int, int, int]

_SIGNATURE = re.compile(r"(0x)?[0-9a-fA-F]{130}")


class _Sealed:
    """A signer that cannot be pickled or copied."""

    __slots__ = ("_address",)

    def __init__(self, address: str) -> None:
        self._address = address

    @property
    def address(self) -> str:
        """The signer's address, EIP-55."""
        return self._address

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise SigningError(
            f"{type(self).__name__} cannot be pickled or copied: it can sign. Build it again where it is needed."
        )


class LocalKeySigner(_Sealed):
    """Signs with a key held in memory, for keys that come from the environment."""

    __slots__ = ("_sign",)

    def __init__(self, key: str) -> None:
        """Take the key as 64 hexadecimal digits, with or without 0x.

        Raises:
            SigningError: it is no key. The text does not repeat it.
        """
        address, self._sign = _open(key)
        super().__init__(address)

    def prepare(self) -> None:
        """Nothing is left to do: the key was opened."""

    def sign_typed_data(self, full_message: dict[str, Any]) -> Vrs:
        """Sign an EIP-712 message and return (v, r, s)."""
        return self._sign(full_message)


class KeystoreSigner(_Sealed):
    """Signs with the key in an encrypted (Web3 Secret Storage) keystore.

    It is decrypted when it is first needed, which takes a second or more by
    design, and held in memory from then on.
    """

    __slots__ = ("_keystore", "_password", "_sign")

    def __init__(self, keystore: Mapping[str, Any], password: Callable[[], str]) -> None:
        """Take a parsed keystore and where to ask for its password.

        Raises:
            SigningError: the keystore names no address.
        """
        try:
            raw = str(keystore["address"]).removeprefix("0x")
            address = _checksum(raw)
        except (KeyError, TypeError, ValueError):
            raise SigningError("The keystore has no field `address`. Make it with eth-account or geth.") from None
        self._keystore = dict(keystore)
        self._password = password
        self._sign: Callable[[dict[str, Any]], Vrs] | None = None
        super().__init__(address)

    @classmethod
    def from_file(cls, path: Path, password: Callable[[], str]) -> KeystoreSigner:
        """Read the keystore from a file.

        Raises:
            SigningError: the file cannot be read or is no keystore.
        """
        try:
            keystore = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SigningError(f"Cannot read the keystore {path}: {type(error).__name__}.") from None
        return cls(keystore, password)

    def prepare(self) -> None:
        """Decrypt the keystore.

        Raises:
            SigningError: the password is wrong, or the key is another address's.
        """
        self._opened()

    def sign_typed_data(self, full_message: dict[str, Any]) -> Vrs:
        """Sign an EIP-712 message and return (v, r, s).

        Raises:
            SigningError: as ``prepare`` does.
        """
        return self._opened()(full_message)

    def _opened(self) -> Callable[[dict[str, Any]], Vrs]:
        if self._sign is None:
            address, sign = _open(self._decrypt())
            if address != self.address:
                raise SigningError(f"The keystore says {self.address} but holds the key of {address}.")
            self._sign = sign
        return self._sign

    def _decrypt(self) -> str:
        from eth_account import Account

        try:
            return bytes(Account.decrypt(self._keystore, self._password())).hex()
        except OSError as error:
            why = error.strerror
            raise SigningError(f"Cannot read the password of the keystore of {self.address}: {why}.") from None
        except (ValueError, TypeError, KeyError, NotImplementedError):
            raise SigningError(f"Cannot open the keystore of {self.address}: wrong password, or damaged.") from None


class CommandRunner(Protocol):
    """Runs a command; ``subprocess`` by default."""

    def __call__(self, argv: Sequence[str], stdin: bytes, timeout: float) -> tuple[int, bytes]:
        """Run ``argv`` with ``stdin`` and return its exit code and standard output.

        Raises:
            OSError: it cannot be started.
            subprocess.TimeoutExpired: it took longer than ``timeout`` seconds.
        """


class ExternalCommandSigner(_Sealed):
    """Signs through a command, so that the key stays in a KMS or a hardware wallet.

    The command reads ``{"address", "digest", "typedData"}`` as one JSON object
    on its standard input (digest: the 32 bytes to sign, 0x and 64 digits) and
    writes the signature, r, s and v in 65 bytes of hexadecimal. It may sign
    the digest or the typed data. A high s, and v of 0 or 1, are normalised:
    most KMS give them.
    """

    __slots__ = ("_argv", "_run", "_timeout")

    def __init__(
        self, argv: Sequence[str], address: str, *, timeout: float = 60.0, run: CommandRunner | None = None
    ) -> None:
        """Take the command, the address it signs for, and its time limit in seconds.

        Raises:
            AddressError: ``address`` is no checksummed wallet.
            SigningError: the command is empty.
        """
        if not argv:
            raise SigningError("The signing command is empty. Name a program and its arguments.")
        self._argv = tuple(argv)
        self._timeout = timeout
        self._run = run or _run
        super().__init__(require_wallet(address, "signer.address"))

    def prepare(self) -> None:
        """See that there is such a program; whether it signs, only a signature tells.

        Raises:
            SigningError: there is none, or it cannot be executed.
        """
        if shutil.which(self._argv[0]) is None:
            raise SigningError(f"Cannot start the signing command {Path(self._argv[0]).name}: no such program.")

    def sign_typed_data(self, full_message: dict[str, Any]) -> Vrs:
        """Sign an EIP-712 message and return (v, r, s).

        Raises:
            SigningError: the command fails or answers with no signature. What
                it wrote is not repeated: it may hold secrets.
        """
        digest = "0x" + typed_data_digest(full_message).hex()
        request = {"address": self.address, "digest": digest, "typedData": full_message}
        program = Path(self._argv[0]).name
        try:
            code, answer = self._run(self._argv, json.dumps(request).encode(), self._timeout)
        except subprocess.TimeoutExpired:
            raise SigningError(f"The signing command {program} took over {self._timeout} s.") from None
        except OSError as error:
            raise SigningError(f"Cannot start the signing command {program}: {type(error).__name__}.") from None
        if code != 0:
            raise SigningError(f"The signing command {program} failed with exit code {code}.")
        return _parse_signature(answer, program)


def _run(argv: Sequence[str], stdin: bytes, timeout: float) -> tuple[int, bytes]:
    done = subprocess.run(list(argv), input=stdin, capture_output=True, timeout=timeout, check=False)  # noqa: S603
    return done.returncode, done.stdout


def _parse_signature(answer: bytes, program: str) -> Vrs:
    text = answer.decode("ascii", errors="replace").strip()
    if not _SIGNATURE.fullmatch(text):
        raise SigningError(f"The signing command {program} wrote no 65 bytes of hexadecimal.")
    raw = bytes.fromhex(text.removeprefix("0x"))
    r, s, v = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big"), raw[64]
    v = v + 27 if v < 2 else v
    if s > CURVE_ORDER // 2 and v in (27, 28):
        v, s = 55 - v, CURVE_ORDER - s
    return v, r, s


def _open(key: str) -> tuple[str, Callable[[dict[str, Any]], Vrs]]:
    """The address of a key and a function that signs with it."""
    from eth_account import Account

    try:
        account = Account.from_key(bytes.fromhex(key.strip().removeprefix("0x")))
    except Exception:  # noqa: BLE001 - whatever it is, its text may repeat the key
        raise SigningError("The signing key is no key: expected 64 hexadecimal digits.") from None

    def sign(full_message: dict[str, Any]) -> Vrs:
        signed = account.sign_typed_data(full_message=full_message)
        return signed.v, signed.r, signed.s

    return account.address, sign


def _checksum(digits: str) -> str:
    raw = bytes.fromhex(digits)
    if len(raw) != 20:
        raise ValueError("not an address")
    return checksum_address(raw)
