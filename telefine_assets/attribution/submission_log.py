"""The log of arrivals as a transparency log, and the receipts that contributors hold.

It is a log of its own, ``<deployment>/submissions``, made and proved as RFC 6962
says, over the leaves of ``LoggedSubmission.leaf``. A receipt shows that a
submission had its place under a signed head: an attestation that names another
place for it contradicts its own deployment's signature.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.attestation.log import MerkleLog, leaf_hash
from telefine_assets.attestation.log_receipt import LogReceipt, make_receipt, sign_head
from telefine_assets.attestation.signatures import SignatureError, Signer
from telefine_assets.attribution.receiving import logged_of
from telefine_assets.attribution.records import Fields
from telefine_assets.attribution.submissions import LoggedSubmission, check_submission
from telefine_assets.errors import TelefineError
from telefine_assets.ledger.records import SubmissionRow


class ReceiptRefused(TelefineError):
    """A receipt does not show what it says.

    Attributes:
        code: why, as a stable code: ``wrong_place``, ``head_unsigned`` or ``wrong_log``.
    """

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(f"{code}: {problem}")
        self.code = code


@dataclass(frozen=True)
class SubmissionReceipt:
    """A submission with the proof of its place in the log.

    Attributes:
        program: the program that it is for.
        logged: the submission.
        receipt: its inclusion under a signed head.
    """

    program: str
    logged: LoggedSubmission
    receipt: LogReceipt

    def to_json(self) -> dict[str, Any]:
        """The receipt as JSON."""
        return {
            "program": self.program,
            "traceDigest": self.logged.signed.submission.trace_digest,
            "submission": self.logged.to_json(),
            "receipt": self.receipt.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SubmissionReceipt:
        """Read ``to_json``'s form.

        Raises:
            RecordError: a field is missing, unknown or wrong.
            AddressError: the contributor is no wallet.
        """
        fields = Fields(value, "receipt")
        program, digest = fields.text("program"), fields.text("traceDigest")
        logged = LoggedSubmission.from_json(fields.child("submission"), digest)
        receipt = cls(program, logged, LogReceipt.from_json(fields.take("receipt")))
        fields.done()
        return receipt

    def verify(self, origin: str, keys: Collection[str]) -> None:
        """Check submission, place and head.

        Args:
            origin: the log that is meant (``origin_of``).
            keys: addresses that may sign its heads, EIP-55.

        Raises:
            SubmissionRefused: nobody signed this submission so.
            ReceiptRefused: it is not at its position under a head of this log and these keys.
        """
        said, head = self.logged.signed.submission, self.receipt.head
        check_submission(self.logged.signed, said.trace_digest, said.contributor, self.logged.received_ms)
        if self.receipt.index != self.logged.position or not self.receipt.proves(self.logged.leaf(self.program)):
            problem = f"the proof does not lead from this submission to position {self.logged.position}"
            raise ReceiptRefused("wrong_place", problem)
        try:
            signer = head.signer()
        except SignatureError as error:
            raise ReceiptRefused("head_unsigned", f"the log's head is not signed: {error}") from None
        if head.head.origin != origin or signer not in keys:
            problem = f"the head is of log {head.head.origin}, signed by {signer}: not the log you trust"
            raise ReceiptRefused("wrong_log", problem)


def origin_of(deployment: str) -> str:
    """The name of a deployment's log of arrivals."""
    return f"{deployment}/submissions"


def receipts_of(
    rows: Sequence[SubmissionRow], wanted: Iterable[SubmissionRow], deployment: str, signer: Signer
) -> list[SubmissionReceipt]:
    """Receipts under one head, signed now.

    Args:
        rows: the log from its beginning.
        wanted: rows of it.
        deployment: whose log it is.
        signer: the deployment's.

    Raises:
        LogError: a wanted row is not in ``rows``.
        SigningError: the signer failed.
    """
    log = MerkleLog(leaf_hash(logged_of(row).leaf(row.entry.program)) for row in rows)
    head = sign_head(log, origin_of(deployment), signer)
    return [
        SubmissionReceipt(row.entry.program, logged_of(row), make_receipt(log, row.position, head)) for row in wanted
    ]
