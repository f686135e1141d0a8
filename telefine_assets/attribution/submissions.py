"""Signed submissions: a contributor says, with his own key, that a trace's content is his.

An EIP-712 signature over ``TraceSubmission(bytes32 traceDigest,address
contributor,uint64 time,bytes32 salt)`` in the domain ``{"name": "Telefine Trace
Submission", "version": "1"}``. ``traceDigest`` is the SHA-256 of the RFC 8785
JSON ``{"content", "origin", "program"}``: whoever knows a trace's content digest
can check the link without seeing a word of it, and a signature for one
deployment or program is worth nothing in another.

As the trace tag ``telefine.submission`` it is the JSON text ``{"contributor",
"time", "salt", "signature": {"v", "r", "s"}}``; the digest follows from the trace.

Source: https://eips.ethereum.org/EIPS/eip-712
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from telefine_assets.attestation.signatures import (
    BYTES32,
    Signature,
    SignatureError,
    Signer,
    recover_typed,
    sign_typed,
    typed_data_digest,
)
from telefine_assets.attribution.addresses import AddressError, require_wallet
from telefine_assets.attribution.records import Fields, RecordError, load_json, whole
from telefine_assets.canonical import canonical_json, digest_of
from telefine_assets.errors import TelefineError

LEAF_KIND = "telefine.submission/v1"
SKEW_S = 300
"""How far a contributor's clock may be ahead, in seconds."""

# Times are JSON integers too; canonical JSON refuses those beyond 2**53.
_LAST = 2**53 - 1


class Refusal(StrEnum):
    """Why a submission is not taken."""

    MALFORMED = "malformed"
    WRONG_TRACE = "wrong_trace"
    WRONG_CONTRIBUTOR = "wrong_contributor"
    FROM_THE_FUTURE = "from_the_future"
    BAD_SIGNATURE = "bad_signature"


class SubmissionRefused(TelefineError):
    """A submission is not taken.

    Attributes:
        code: why, as a stable code.
    """

    def __init__(self, code: Refusal, problem: str) -> None:
        super().__init__(f"{code}: {problem}")
        self.code = code


@dataclass(frozen=True)
class Scope:
    """What a submission is for.

    Attributes:
        origin: the deployment.
        program: its program.
    """

    origin: str
    program: str

    def trace_digest(self, content: str) -> str:
        """What stands for a trace in a submission, 0x and 64 digits; ``content`` is its ``CleanedTrace.content``."""
        return "0x" + digest_of({"content": content, "origin": self.origin, "program": self.program})


@dataclass(frozen=True)
class TraceSubmission:
    """What a contributor signs.

    Attributes:
        trace_digest: ``Scope.trace_digest`` of the content, 0x and 64 lower-case digits.
        contributor: the wallet, EIP-55.
        time: when he says that he signed, seconds since 1970 UTC. It decides nothing.
        salt: 0x and 64 lower-case digits, at random.

    Raises:
        RecordError: on construction, for a field of another form.
        AddressError: the contributor is no wallet.
    """

    trace_digest: str
    contributor: str
    time: int
    salt: str

    def __post_init__(self) -> None:
        for name, value in (("traceDigest", self.trace_digest), ("salt", self.salt)):
            if not isinstance(value, str) or not BYTES32.fullmatch(value):
                raise RecordError(f"submission.{name}", f"expected 0x and 64 lower-case digits, found {value!r}")
        require_wallet(self.contributor, "submission.contributor")
        whole(self.time, "submission.time", 0, _LAST)

    def typed(self) -> dict[str, Any]:
        """The full EIP-712 message."""
        return {
            "types": {
                "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "version", "type": "string"}],
                "TraceSubmission": [
                    {"name": "traceDigest", "type": "bytes32"},
                    {"name": "contributor", "type": "address"},
                    {"name": "time", "type": "uint64"},
                    {"name": "salt", "type": "bytes32"},
                ],
            },
            "primaryType": "TraceSubmission",
            "domain": {"name": "Telefine Trace Submission", "version": "1"},
            "message": {
                "traceDigest": self.trace_digest,
                "contributor": self.contributor,
                "time": self.time,
                "salt": self.salt,
            },
        }

    @property
    def digest(self) -> str:
        """What the signature signs, 0x and 64 digits."""
        return "0x" + typed_data_digest(self.typed()).hex()


@dataclass(frozen=True)
class SignedSubmission:
    """A submission with its signature, not yet checked (see ``check_submission``)."""

    submission: TraceSubmission
    signature: Signature

    def to_json(self) -> dict[str, Any]:
        """The form of the tag, which leaves the trace's digest out."""
        said = self.submission
        return {
            "contributor": said.contributor,
            "time": said.time,
            "salt": said.salt,
            "signature": self.signature.to_json(),
        }

    def to_tag(self) -> str:
        """The value of the tag ``telefine.submission``."""
        return canonical_json(self.to_json()).decode()

    @classmethod
    def from_json(cls, fields: Fields, trace_digest: str) -> SignedSubmission:
        """Read ``to_json``'s form, as said of a trace.

        Raises:
            RecordError: a field is missing, unknown or wrong.
            AddressError: the contributor is no wallet.
        """
        said = TraceSubmission(
            trace_digest, fields.text("contributor"), fields.integer("time", 0, _LAST), fields.text("salt")
        )
        signed = cls(said, Signature.from_json(fields.child("signature")))
        fields.done()
        return signed

    @classmethod
    def from_tag(cls, tag: str, trace_digest: str) -> SignedSubmission:
        """Read the tag of a trace.

        Raises:
            SubmissionRefused: ``malformed``.
        """
        try:
            return cls.from_json(Fields(load_json(tag.encode(), "submission"), "submission"), trace_digest)
        except (RecordError, AddressError, UnicodeEncodeError) as error:
            raise SubmissionRefused(Refusal.MALFORMED, str(error)) from None


@dataclass(frozen=True)
class LoggedSubmission:
    """A submission as it stands in the log of arrivals.

    Attributes:
        signed: the submission.
        position: its place in the log, from 0; this, and no time, says who was first.
        received_ms: when the log received it, milliseconds since 1970 UTC.
    """

    signed: SignedSubmission
    position: int
    received_ms: int

    @property
    def contributor(self) -> str:
        """Whose it is, EIP-55."""
        return self.signed.submission.contributor

    def to_json(self) -> dict[str, Any]:
        """The form of the evidence; the trace's digest follows from the arrival."""
        return {**self.signed.to_json(), "position": self.position, "received_ms": self.received_ms}

    @classmethod
    def from_json(cls, fields: Fields, trace_digest: str) -> LoggedSubmission:
        """Read ``to_json``'s form, as said of a trace.

        Raises:
            RecordError: a field is missing, unknown or wrong.
            AddressError: the contributor is no wallet.
        """
        position, received = fields.integer("position", 0, _LAST), fields.integer("received_ms", 0, _LAST)
        return cls(SignedSubmission.from_json(fields, trace_digest), position, received)

    def leaf(self, program: str) -> bytes:
        """The leaf in the log of arrivals: all but the position, which the tree proves."""
        return canonical_json(
            {
                "kind": LEAF_KIND,
                "program": program,
                "traceDigest": self.signed.submission.trace_digest,
                "receivedMs": self.received_ms,
                **self.signed.to_json(),
            }
        )


def sign_submission(signer: Signer, trace_digest: str, time: int, salt: str) -> SignedSubmission:
    """Sign for a trace as its contributor.

    Args:
        signer: the contributor's.
        trace_digest: ``Scope.trace_digest`` of the trace's content.
        time: now, seconds since 1970 UTC.
        salt: 32 random bytes, 0x and 64 lower-case digits.

    Raises:
        RecordError: an argument of another form.
        SigningError: the signer failed.
    """
    said = TraceSubmission(trace_digest, signer.address, time, salt)
    return SignedSubmission(said, sign_typed(said.typed(), signer))


def check_submission(signed: SignedSubmission, trace_digest: str, contributor: str | None, received_ms: int) -> None:
    """Refuse a submission that does not hold for a trace.

    Args:
        signed: the submission.
        trace_digest: ``Scope.trace_digest`` of the trace's content.
        contributor: the wallet that the trace's tag resolves to; None where it
            resolves to none, which nobody can sign for.
        received_ms: when it was received, milliseconds since 1970 UTC.

    Raises:
        SubmissionRefused: with the code of what is wrong.
    """
    said = signed.submission
    if said.trace_digest != trace_digest:
        raise SubmissionRefused(
            Refusal.WRONG_TRACE,
            f"traceDigest is {said.trace_digest}, this trace's is {trace_digest}: other inputs, "
            "program or deployment. Sign for this one.",
        )
    if said.contributor != contributor:
        raise SubmissionRefused(
            Refusal.WRONG_CONTRIBUTOR,
            f"{said.contributor} signed, the trace names {contributor or 'no wallet'}. "
            "Tag the trace with the signer's address.",
        )
    if said.time > received_ms // 1000 + SKEW_S:
        raise SubmissionRefused(
            Refusal.FROM_THE_FUTURE,
            f"time {said.time} is over {SKEW_S} s after its receipt ({received_ms} ms). Set the clock and sign again.",
        )
    try:
        recovered = recover_typed(said.typed(), signed.signature)
    except SignatureError as error:
        raise SubmissionRefused(Refusal.BAD_SIGNATURE, f"{error}. Sign again.") from None
    if recovered != said.contributor:
        raise SubmissionRefused(
            Refusal.BAD_SIGNATURE,
            f"it is not {said.contributor}'s for trace digest {said.trace_digest}: another key, other inputs, "
            "program or deployment. Sign these inputs again.",
        )
