"""A mint request as a file that goes from attester to attester.

What is signed is in the file, the deadline too: whoever signs later signs the
same digest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from telefine_assets.attestation.signatures import Signer, sign_typed
from telefine_assets.attribution.records import Fields, RecordError, load_json
from telefine_assets.payouts.mint_request import MintRequest
from telefine_assets.payouts.preflight import assemble, packed_signature, signer_of

FORMAT = "telefine-mint-request-v1"


@dataclass(frozen=True)
class MintFile:
    """A request with the signatures it has so far, ascending by signer.

    Raises:
        BadSignature: on construction, for a signature that the contract would refuse.
    """

    request: MintRequest
    signatures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "signatures", assemble(self.request, self.signatures))

    @property
    def signers(self) -> tuple[str, ...]:
        """Who signed, EIP-55, in the order of the signatures."""
        return tuple(signer_of(self.request, each) for each in self.signatures)

    def signed_by(self, signer: Signer) -> MintFile:
        """The file with one more signature, or as it is if ``signer`` has signed.

        Raises:
            SigningError: the signer failed.
        """
        if signer.address in self.signers:
            return self
        signature = packed_signature(sign_typed(self.request.typed_data(), signer))
        return replace(self, signatures=(*self.signatures, signature))

    def to_bytes(self) -> bytes:
        """The file; ``digest`` is for people to compare."""
        value = {
            "format": FORMAT,
            "digest": self.request.digest,
            "request": self.request.to_json(),
            "signatures": list(self.signatures),
        }
        return json.dumps(value, indent=2).encode("ascii") + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> MintFile:
        """Read a file strictly.

        Raises:
            RecordError: no such file, or a digest that is not the request's.
            BadSignature: a signature that the contract would refuse.
        """
        value: Mapping[str, Any] = load_json(data, "file")
        row = Fields(value, "file")
        row.constant("format", FORMAT)
        request = MintRequest.from_json(row.take("request"))
        digest, signatures = row.text("digest"), row.texts("signatures")
        row.done()
        if digest != request.digest:
            raise RecordError("file.digest", f"is {digest}, the request's is {request.digest}")
        return cls(request, signatures)
