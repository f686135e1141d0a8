"""Telefine's EAS schema: the fields that a contract can read without the evidence."""

from __future__ import annotations

from dataclasses import dataclass

from telefine_assets.attestation.eas import schema_uid
from telefine_assets.attestation.signatures import BYTES32
from telefine_assets.attribution.addresses import ZERO_ADDRESS, address_order, checksum_address, is_checksummed
from telefine_assets.attribution.records import RecordError, whole

SCHEMA = (
    "bytes32 programDigest,bytes32 baselineDigest,bytes32 evidenceDigest,bytes32 payoutRoot,"
    "int32 deltaPpm,int32 deltaLowerPpm,uint32 holdoutSize,address[] contributors,uint32[] weightsPpm"
)
_TYPES = [field.split(" ")[0] for field in SCHEMA.split(",")]
_INT32 = (-(2**31), 2**31 - 1)
_UINT32_MAX = 2**32 - 1


def telefine_schema_uid() -> str:
    """The uid of our schema: no resolver, revocable."""
    return schema_uid(SCHEMA)


@dataclass(frozen=True)
class AttestationData:
    """The schema's fields.

    Attributes:
        program_digest: version of the candidate program, 0x and 64 digits.
        baseline_digest: version of the baseline program.
        evidence_digest: sha256 of the canonical statement.
        payout_root: Merkle root over wallets and parts per million; zero for none.
        delta_ppm: gain on the holdout, parts per million.
        delta_lower_ppm: its lower confidence bound, parts per million.
        holdout_size: items in the holdout.
        contributors: wallets, EIP-55, ascending, each once.
        weights_ppm: their weights, 1 or more; what they lack of 1,000,000 is
            in escrow.

    Raises:
        RecordError: on construction, for anything else.
    """

    program_digest: str
    baseline_digest: str
    evidence_digest: str
    payout_root: str
    delta_ppm: int
    delta_lower_ppm: int
    holdout_size: int
    contributors: tuple[str, ...]
    weights_ppm: tuple[int, ...]

    def __post_init__(self) -> None:
        for name in ("program_digest", "baseline_digest", "evidence_digest", "payout_root"):
            value = getattr(self, name)
            if not isinstance(value, str) or not BYTES32.fullmatch(value):
                raise RecordError(f"data.{name}", f"expected 0x and 64 lower-case digits, found {value!r}")
        whole(self.delta_ppm, "data.delta_ppm", *_INT32)
        whole(self.delta_lower_ppm, "data.delta_lower_ppm", *_INT32)
        whole(self.holdout_size, "data.holdout_size", 0, _UINT32_MAX)
        for address in self.contributors:
            if not is_checksummed(address) or address == ZERO_ADDRESS:
                raise RecordError("data.contributors", f"expected EIP-55 wallets, found {address!r}")
        orders = [address_order(address) for address in self.contributors]
        if orders != sorted(set(orders)):
            raise RecordError("data.contributors", "must ascend strictly: sorted, each wallet once")
        if len(self.weights_ppm) != len(self.contributors):
            raise RecordError(
                "data.weights_ppm",
                f"expected one per contributor ({len(self.contributors)}), found {len(self.weights_ppm)}",
            )
        for weight in self.weights_ppm:
            whole(weight, "data.weights_ppm", 1, _UINT32_MAX)

    def encode(self) -> bytes:
        """The fields, ABI-encoded as the schema says."""
        from eth_abi.abi import encode

        digests = (self.program_digest, self.baseline_digest, self.evidence_digest, self.payout_root)
        numbers = (self.delta_ppm, self.delta_lower_ppm, self.holdout_size)
        wallets = [bytes.fromhex(address[2:]) for address in self.contributors]
        words = [bytes.fromhex(digest[2:]) for digest in digests]
        return encode(_TYPES, [*words, *numbers, wallets, list(self.weights_ppm)])

    @classmethod
    def decode(cls, data: bytes) -> AttestationData:
        """Read ``encode``'s bytes and no others.

        Solidity's own decoder takes trailing bytes and odd offsets; one set of
        fields would then have many encodings, and many uids.

        Raises:
            RecordError: ``data`` is not the one encoding of valid fields.
        """
        from eth_abi.abi import decode
        from eth_abi.exceptions import DecodingError

        try:
            values = decode(_TYPES, data, strict=True)
        except (DecodingError, OverflowError, ValueError) as error:
            raise RecordError("data", f"is not of our schema ({type(error).__name__})") from None
        wallets = tuple(_checksummed(address) for address in values[7])
        program, baseline, evidence, payout = ("0x" + word.hex() for word in values[:4])
        delta, lower, size = values[4:7]
        decoded = cls(program, baseline, evidence, payout, delta, lower, size, wallets, tuple(values[8]))
        if decoded.encode() != data:
            raise RecordError("data", "is not the canonical encoding of its own fields")
        return decoded


def _checksummed(address: str) -> str:
    return checksum_address(bytes.fromhex(address[2:]))
