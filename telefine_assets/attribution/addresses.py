"""Who a trace says its contributor is: the tag ``telefine.contributor``.

The tag holds an Ethereum address in the checksummed spelling of EIP-55. A tag
that is none keeps its trace but leaves the contributor unresolved, with one of
the reasons below; its share then goes to escrow and never to the others.

Source: https://eips.ethereum.org/EIPS/eip-55
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from telefine_assets.attribution.keccak import keccak256
from telefine_assets.errors import TelefineError

ZERO_ADDRESS = "0x" + "0" * 40

_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
_NAME = re.compile(r"[^\s.]+(\.[^\s.]+)*\.[^\W\d_]{2,}")


class Unresolved(StrEnum):
    """Why a tag names no wallet."""

    MISSING = "missing"
    NOT_AN_ADDRESS = "not_an_address"
    BAD_CHECKSUM = "bad_checksum"
    ZERO_ADDRESS = "zero_address"
    ENS_NAME = "ens_name"


class AddressError(TelefineError):
    """A value that must be a wallet's address is none."""


@dataclass(frozen=True)
class ContributorTag:
    """What a tag resolves to: exactly one of the two is set.

    Attributes:
        address: the wallet in its EIP-55 spelling.
        reason: why there is none.
    """

    address: str | None
    reason: Unresolved | None


def resolve_contributor(tag: object) -> ContributorTag:
    """Resolve the value of a contributor tag, whatever it is.

    Hexadecimal in one case throughout carries no checksum and is taken as it
    is; mixed case is a checksum and must be right. Surrounding blanks are
    ignored. A name (``alice.eth``) is not looked up: its owner can change,
    and the same evidence must always pay the same wallet.
    """
    text = tag.strip() if isinstance(tag, str) else tag
    if text is None or text == "":
        return ContributorTag(None, Unresolved.MISSING)
    if not isinstance(text, str):
        return ContributorTag(None, Unresolved.NOT_AN_ADDRESS)
    if not _ADDRESS.fullmatch(text):
        reason = Unresolved.ENS_NAME if _NAME.fullmatch(text) else Unresolved.NOT_AN_ADDRESS
        return ContributorTag(None, reason)
    digits = text[2:]
    if int(digits, 16) == 0:
        return ContributorTag(None, Unresolved.ZERO_ADDRESS)
    address = checksum_address(bytes.fromhex(digits))
    if digits not in (digits.lower(), digits.upper()) and digits != address[2:]:
        return ContributorTag(None, Unresolved.BAD_CHECKSUM)
    return ContributorTag(address, None)


def checksum_address(raw: bytes) -> str:
    """The EIP-55 spelling of a 20-byte address.

    Raises:
        AddressError: ``raw`` is not 20 bytes.
    """
    if len(raw) != 20:
        raise AddressError(f"An address has 20 bytes, found {len(raw)}. Pass the address alone.")
    digits = raw.hex()
    nibbles = keccak256(digits.encode("ascii")).hex()
    # As characters, "8" to "f" are exactly the nibbles of 8 and more.
    return "0x" + "".join(d.upper() if n >= "8" else d for d, n in zip(digits, nibbles, strict=False))


def is_checksummed(value: object) -> bool:
    """Whether ``value`` is an address in exactly its EIP-55 spelling (the zero address included)."""
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None and _has_checksum(value)


# A wallet is checked at every step on its way to its money; its hash is taken once.
@lru_cache(maxsize=2**17)
def _has_checksum(address: str) -> bool:
    return address == checksum_address(bytes.fromhex(address[2:]))


def require_wallet(value: object, field: str) -> str:
    """``value`` if it is a wallet in its EIP-55 spelling and not the zero address.

    Raises:
        AddressError: naming ``field``.
    """
    if not is_checksummed(value) or value == ZERO_ADDRESS:
        raise AddressError(
            f"{field}: expected a checksummed (EIP-55) address other than zero, found {value!r}. "
            "Resolve it with resolve_contributor first."
        )
    return str(value)


def address_order(address: str) -> int:
    """The sort key of addresses: the number they stand for, whatever their spelling."""
    return int(address, 16)
