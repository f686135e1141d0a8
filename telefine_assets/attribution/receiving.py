"""Receiving submissions: checked, and logged in the order in which they came.

The order of the log is the order of receipt. Submissions that come as tags are
received when their day is cleaned, in the order of the day's table; whoever
wants an earlier place, or a receipt, hands his in himself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from telefine_assets.attestation.signatures import Signature
from telefine_assets.attribution.submissions import (
    LoggedSubmission,
    Scope,
    SignedSubmission,
    SubmissionRefused,
    TraceSubmission,
    check_submission,
)
from telefine_assets.ledger.records import SubmissionEntry, SubmissionRow
from telefine_assets.traces.clusters import cluster_of

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK = 500


class Book(Protocol):
    """The ledger's submissions (``ledger.submissions.Submissions``)."""

    def receive(self, entries: Sequence[SubmissionEntry], received_ms: int) -> list[SubmissionRow]:
        """Log entries in their order; one that stands, or whose contributor has one for the trace, keeps its place."""
        ...

    def of_traces(self, trace_digests: Collection[str]) -> list[SubmissionRow]:
        """What is logged for some traces."""
        ...


@dataclass
class Received:
    """What became of the submissions that a day's traces carry.

    Attributes:
        logged: how many are in the log now, those that were there before included.
        refused: how many are not, by code.
    """

    logged: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def receive_submission(
    book: Book, scope: Scope, inputs: Mapping[str, Any], tag: str, received_ms: int
) -> LoggedSubmission:
    """Check and log a submission that somebody hands in.

    Args:
        book: the ledger's submissions.
        scope: the deployment and the program.
        inputs: exactly the program's input fields.
        tag: the submission, in the form of the tag.
        received_ms: now, milliseconds since 1970 UTC.

    Returns:
        The submission in the log: the one that stands, if the contributor
        signed for the same content before.

    Raises:
        SubmissionRefused: it does not hold.
    """
    signed = checked(scope, inputs, tag, received_ms)
    return logged_of(book.receive([entry_of(signed, scope)], received_ms)[0])


def checked(scope: Scope, inputs: Mapping[str, Any], tag: str, received_ms: int) -> SignedSubmission:
    """The submission in ``tag``, if it holds for the inputs; arguments as for ``receive_submission``.

    Raises:
        SubmissionRefused: it does not.
    """
    trace_digest = scope.trace_digest(cluster_of(dict(inputs)))
    signed = SignedSubmission.from_tag(tag, trace_digest)
    check_submission(signed, trace_digest, signed.submission.contributor, received_ms)
    return signed


def receive_tagged(table: pa.Table, scope: Scope, book: Callable[[], Book], received_ms: int) -> Received:
    """Log what the traces of a cleaned day carry as tags; a bad one drops no trace.

    Args:
        table: cleaned traces (``traces.records.cleaned_schema``), in order of arrival.
        scope: the deployment and the program.
        book: opens the ledger's submissions; asked only if a trace carries one.
        received_ms: now, milliseconds since 1970 UTC.
    """
    received = Received()
    if table["submission"].null_count == table.num_rows:
        return received
    opened, tagged = book(), _tagged(table)
    for start in range(0, len(tagged), _CHUNK):
        entries = list(_good(tagged[start : start + _CHUNK], scope, opened, received_ms, received.refused))
        opened.receive(entries, received_ms)
        received.logged += len(entries)
    return received


def _tagged(table: pa.Table) -> list[tuple[str, str, str | None]]:
    """Tag, content and contributor of the traces that carry a submission."""
    columns = (table[name].to_pylist() for name in ("submission", "content", "contributor"))
    return [(tag, content, who) for tag, content, who in zip(*columns, strict=True) if tag is not None]


def _good(
    chunk: Iterable[tuple[str, str, str | None]], scope: Scope, book: Book, received_ms: int, refused: Counter[str]
) -> Iterator[SubmissionEntry]:
    """The submissions that hold; what the log has already was checked when it came."""
    tagged = [(tag, scope.trace_digest(content), contributor) for tag, content, contributor in chunk]
    known = {logged_of(row).signed for row in book.of_traces({digest for _, digest, _ in tagged})}
    for tag, digest, contributor in tagged:
        try:
            signed = SignedSubmission.from_tag(tag, digest)
            if signed not in known or signed.submission.contributor != contributor:
                check_submission(signed, digest, contributor, received_ms)
        except SubmissionRefused as refusal:
            refused[refusal.code] += 1
        else:
            known.add(signed)
            yield entry_of(signed, scope)


def entry_of(signed: SignedSubmission, scope: Scope) -> SubmissionEntry:
    """A submission as the ledger keeps it."""
    said, signature = signed.submission, signed.signature.to_json()
    return SubmissionEntry(
        digest=said.digest,
        program=scope.program,
        trace_digest=said.trace_digest,
        contributor=said.contributor,
        time=said.time,
        salt=said.salt,
        v=signature["v"],
        r=signature["r"],
        s=signature["s"],
    )


def logged_of(row: SubmissionRow) -> LoggedSubmission:
    """A row of the ledger as a submission in the log.

    Raises:
        RecordError: the row was changed into one that nobody can have signed.
        AddressError: its contributor is no wallet.
    """
    entry = row.entry
    said = TraceSubmission(entry.trace_digest, entry.contributor, entry.time, entry.salt)
    signature = Signature(entry.v, int(entry.r, 16), int(entry.s, 16))
    return LoggedSubmission(SignedSubmission(said, signature), row.position, row.received_ms)
