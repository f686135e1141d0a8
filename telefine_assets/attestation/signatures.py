"""EIP-712 signatures, made and checked strictly.

``eth_account`` recovers a signer from malleated signatures too: for every valid
(v, r, s) there is a second one, (v', r, n - s), that anybody can compute. Only
the one with the lower s is accepted here, and nothing is ever identified by the
bytes of its signature.

Source: https://eips.ethereum.org/EIPS/eip-712, https://eips.ethereum.org/EIPS/eip-2 (low s)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

from telefine_assets.attribution.keccak import keccak256
from telefine_assets.attribution.records import Fields, whole
from telefine_assets.errors import TelefineError

# The order of secp256k1's group (SEC 2, section 2.4.1).
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

BYTES32 = re.compile(r"0x[0-9a-f]{64}")


class SignatureError(TelefineError):
    """A signature is not acceptable."""


class HighSError(SignatureError):
    """A signature is the malleated twin of an acceptable one."""


class SigningError(TelefineError):
    """A signer could not sign, or signed something else. Its text never holds a key."""


class Signer(Protocol):
    """Something that signs typed data: a keystore, a key, a KMS behind a command."""

    @property
    def address(self) -> str:
        """The signer's address, EIP-55."""

    def prepare(self) -> None:
        """Make ready for a signature as far as that can be done without making one.

        Raises:
            SigningError: there would be none.
        """

    def sign_typed_data(self, full_message: dict[str, Any]) -> tuple[int, int, int]:
        """Sign an EIP-712 message and return (v, r, s), v being 27 or 28.

        Raises:
            SigningError: the signer refuses or cannot be reached.
        """


@dataclass(frozen=True)
class Signature:
    """A secp256k1 signature, not yet checked.

    Attributes:
        v: 27 or 28.
        r: 1 to n - 1.
        s: 1 to n // 2.
    """

    v: int
    r: int
    s: int

    def check(self) -> None:
        """Accept the one canonical form.

        Raises:
            HighSError: s is above n // 2.
            SignatureError: v, r or s is out of range.
        """
        if self.v not in (27, 28):
            raise SignatureError(f"signature.v: expected 27 or 28, found {self.v}")
        for name, value in (("r", self.r), ("s", self.s)):
            if not 1 <= value < CURVE_ORDER:
                raise SignatureError(f"signature.{name}: not within 1 to n - 1")
        if self.s > CURVE_ORDER // 2:
            raise HighSError("signature.s: above n / 2; ask the signer for the signature with the lower s")

    def to_json(self) -> dict[str, Any]:
        """The form that ethers and the EAS SDK read."""
        return {"v": self.v, "r": f"0x{self.r:064x}", "s": f"0x{self.s:064x}"}

    @classmethod
    def from_json(cls, fields: Fields) -> Signature:
        """Read ``to_json``'s form without judging it; ``check`` does.

        Raises:
            RecordError: a field is missing, unknown or of the wrong form.
        """
        v = whole(fields.take("v"), fields.path("v"), 0, 255)
        r = fields.text("r", BYTES32, "32 bytes")
        s = fields.text("s", BYTES32, "32 bytes")
        fields.done()
        return cls(v, int(r, 16), int(s, 16))


def typed_data_digest(full_message: dict[str, Any]) -> bytes:
    """The 32 bytes that an EIP-712 signature signs.

    ``full_message`` must come from one of our own validated models:
    ``eth_account`` takes extra fields, numeric strings, short bytes32 and bad
    checksums without a word.
    """
    from eth_account.messages import encode_typed_data

    message = encode_typed_data(full_message=full_message)
    return keccak256(b"\x19" + message.version + message.header + message.body)


def sign_typed(full_message: dict[str, Any], signer: Signer) -> Signature:
    """Have ``signer`` sign, and check what comes back before anybody sees it.

    Raises:
        SigningError: the signature is not the canonical one of ``signer.address``.
    """
    signature = Signature(*signer.sign_typed_data(full_message))
    try:
        recovered = recover_typed(full_message, signature)
    except SignatureError as error:
        raise SigningError(f"The signer for {signer.address} returned a bad signature: {error}.") from None
    if recovered != signer.address:
        raise SigningError(
            f"The signer for {signer.address} signed as {recovered}, or signed another message. "
            "Check which key it holds."
        )
    return signature


def recover_typed(full_message: dict[str, Any], signature: Signature) -> str:
    """The address (EIP-55) that signed, after ``signature.check``.

    Raises:
        SignatureError: not canonical, or no point of the curve belongs to it.
    """
    from eth_keys.datatypes import Signature as CurveSignature
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    signature.check()
    try:
        raw = CurveSignature(vrs=(signature.v - 27, signature.r, signature.s))
        key = raw.recover_public_key_from_msg_hash(typed_data_digest(full_message))
    except (BadSignature, ValidationError):
        raise SignatureError("signature: no key can have made it") from None
    return str(key.to_checksum_address())
