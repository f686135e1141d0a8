"""Arrivals: who submitted the traces of a cluster, joined with what they signed for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from telefine_assets.attribution.addresses import resolve_contributor
from telefine_assets.attribution.receiving import logged_of
from telefine_assets.attribution.records import Fields, RecordError
from telefine_assets.attribution.submissions import LoggedSubmission, Scope, check_submission
from telefine_assets.attribution.usage import UNSIGNED, Arrival
from telefine_assets.ledger.records import SubmissionRow
from telefine_assets.traces.records import CleanedTrace

Lookup = Callable[[Collection[str]], list[SubmissionRow]]
"""The logged submissions for some trace digests (``ledger.submissions.Submissions.of_traces``)."""
Unsigned = Literal["paid", "escrow"]
"""What becomes of a cluster that nobody signed for."""

# Times are JSON integers here; canonical JSON refuses those beyond 2**53.
_LAST_MS = 2**53 - 1


@dataclass(frozen=True)
class Register:
    """Where a program's submissions are looked up, and what becomes of traces without one."""

    scope: Scope
    lookup: Lookup
    unsigned: Unsigned = "paid"

    def arrivals(self, traces: Iterable[CleanedTrace]) -> list[Arrival]:
        """The arrivals of traces, each with the submission that its own contributor signed, if he did.

        Only what was logged counts, whatever a trace's tag holds: the log is
        what says who was first.
        """
        digests = [(trace, self.scope.trace_digest(trace.content)) for trace in traces]
        rows = self.lookup({digest for _, digest in digests})
        signed = {(row.entry.trace_digest, row.entry.contributor): logged_of(row) for row in rows}
        return [
            _arrival(trace, signed.get((digest, trace.contributor or "")), self.unsigned) for trace, digest in digests
        ]


def _arrival(trace: CleanedTrace, submission: LoggedSubmission | None, unsigned: Unsigned) -> Arrival:
    reason = trace.contributor_reason
    if submission is None and unsigned == "escrow":
        reason = reason or UNSIGNED
    return Arrival(
        trace.cluster, trace.trace_id, trace.contributor, reason, trace.arrival_ms, trace.content, submission
    )


def verify_arrivals(arrivals: Iterable[Arrival], scope: Scope) -> None:
    """Check every signature again, each once.

    Raises:
        SubmissionRefused: a submission does not hold for its trace.
    """
    signed = {
        (arrival.submission, arrival.content or "", resolve_contributor(arrival.contributor).address)
        for arrival in arrivals
        if arrival.submission is not None
    }
    for submission, content, contributor in sorted(signed, key=lambda each: each[0].position):
        check_submission(submission.signed, scope.trace_digest(content), contributor, submission.received_ms)


def arrival_record(arrival: Arrival) -> dict[str, Any]:
    """An arrival as it stands in the evidence."""
    return {
        "cluster": arrival.cluster,
        "trace_id": arrival.trace_id,
        "contributor": arrival.contributor,
        "reason": arrival.reason,
        "arrival_ms": arrival.arrival_ms,
        "content": arrival.content,
        "submission": None if arrival.submission is None else arrival.submission.to_json(),
    }


def read_arrival(row: Fields, scope: Scope) -> Arrival:
    """Read what ``arrival_record`` wrote.

    Raises:
        RecordError: a field is missing, unknown or wrong.
        AddressError: who signed is no wallet.
    """
    content, submission = row.text_or_none("content"), row.take("submission")
    if submission is not None and content is None:
        raise RecordError(row.path("content"), "is missing, and somebody signed for it")
    arrival = Arrival(
        cluster=row.text("cluster"),
        trace_id=row.text("trace_id"),
        contributor=row.text_or_none("contributor"),
        reason=row.text_or_none("reason"),
        arrival_ms=row.integer("arrival_ms", -_LAST_MS, _LAST_MS),
        content=content,
        submission=None
        if submission is None
        else LoggedSubmission.from_json(Fields(submission, row.path("submission")), scope.trace_digest(content or "")),
    )
    row.done()
    return arrival
