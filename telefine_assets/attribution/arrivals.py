"""Arrivals: who submitted the traces of a cluster, joined with what they signed for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from telefine_assets.attribution.addresses import resolve_contributor
from telefine_assets.attribution.receiving import logged_of
from telefine_assets.attribution.records import Fields, RecordError
from telefine_assets.attribution.submissions import LoggedSubmission, Scope, check_submission
from telefine_assets.attribution.usage import UNSIGNED, Arrival
from telefine_assets.ledger.records import SubmissionRow

Lookup = Callable[[Collection[str]], list[SubmissionRow]]
"""The logged submissions for some trace digests (``ledger.submissions.Submissions.of_traces``)."""
Unsigned = Literal["paid", "escrow"]
"""What becomes of a cluster that nobody signed for."""

LOGGED = "submission:"
"""What the name of an arrival begins with that is a submission in the log; its position follows."""

# Times are JSON integers here; canonical JSON refuses those beyond 2**53.
_LAST_MS = 2**53 - 1


class Given(Protocol):
    """The part of a cleaned trace that is read here (``traces.records.CleanedTrace``)."""

    @property
    def trace_id(self) -> str: ...  # noqa: D102
    @property
    def cluster(self) -> str: ...  # noqa: D102
    @property
    def content(self) -> str: ...  # noqa: D102
    @property
    def arrival_ms(self) -> int: ...  # noqa: D102
    @property
    def contributor(self) -> str | None: ...  # noqa: D102
    @property
    def contributor_reason(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True)
class Register:
    """Where a program's submissions are looked up, and what becomes of traces without one."""

    scope: Scope
    lookup: Lookup
    unsigned: Unsigned = "paid"

    def arrivals(self, traces: Iterable[Given]) -> list[Arrival]:
        """The arrivals of traces, and of whatever was signed for their contents.

        Only what was logged counts, whatever a trace's tag holds: the log is
        what says who was first. A trace has the submission that its own
        contributor signed. Somebody else's for the same content is an arrival by
        itself, since a tag may be written over, and the trace that it came with
        may have left the window.
        """
        given = list(traces)
        signed = {(content, each.contributor): each for content, each in self.signed(trace.content for trace in given)}
        own = {(trace.content, trace.contributor or "") for trace in given}
        cluster_of = {trace.content: trace.cluster for trace in given}
        return [
            *(_arrival(trace, signed.get((trace.content, trace.contributor or "")), self.unsigned) for trace in given),
            *(_logged(cluster_of[key[0]], key[0], each) for key, each in signed.items() if key not in own),
        ]

    def again(self, attested: Iterable[Arrival], now: Mapping[tuple[str, str], Given]) -> list[Arrival]:
        """The arrivals of an attestation, each trace by whom it names now; no trace and no signature comes or goes.

        What was attested is public: whoever signs for it, or logs a copy, afterwards has no part in it.

        Args:
            attested: the arrivals, as attested.
            now: traces by id and content; an arrival whose trace is not among them stands as it was.
        """
        attested = list(attested)
        signed = {(each.content or "", each.submission.contributor): each for each in attested if each.submission}

        def named_now(each: Arrival) -> Arrival:
            trace = now.get((each.trace_id, each.content or ""))
            if trace is None:
                return each
            by = signed.get((trace.content, trace.contributor or ""))
            found = _arrival(trace, by.submission if by else None, self.unsigned)
            return replace(found, cluster=each.cluster, arrival_ms=each.arrival_ms)

        named = [named_now(each) for each in attested if not each.trace_id.startswith(LOGGED)]
        own = {(each.content or "", each.contributor or "") for each in named}
        left = ((key, each) for key, each in signed.items() if key not in own)
        return [*named, *(_logged(each.cluster, key[0], each.submission) for key, each in left if each.submission)]

    def signed(self, contents: Iterable[str]) -> list[tuple[str, LoggedSubmission]]:
        """Everything that was signed for some contents and logged: (content, submission), by position."""
        content_of = {self.scope.trace_digest(content): content for content in contents}
        return [(content_of[row.entry.trace_digest], logged_of(row)) for row in self.lookup(content_of.keys())]


def _arrival(trace: Given, submission: LoggedSubmission | None, unsigned: Unsigned) -> Arrival:
    reason = trace.contributor_reason
    if submission is None and unsigned == "escrow":
        reason = reason or UNSIGNED
    return Arrival(
        trace.cluster, trace.trace_id, trace.contributor, reason, trace.arrival_ms, trace.content, submission
    )


def _logged(cluster: str, content: str, submission: LoggedSubmission) -> Arrival:
    name = f"{LOGGED}{submission.position}"
    return Arrival(cluster, name, submission.contributor, None, submission.received_ms, content, submission)


def verify_arrivals(arrivals: Iterable[Arrival], scope: Scope) -> None:
    """Check every signature again, each once, and that what was signed is a trace's content.

    Raises:
        SubmissionRefused: a submission does not hold for its trace.
        RecordError: an arrival of the log is of a content that no trace of its cluster has.
    """
    arrivals = list(arrivals)
    contents = {(each.cluster, each.content) for each in arrivals if not each.trace_id.startswith(LOGGED)}
    for each in arrivals:
        if (each.cluster, each.content) not in contents:
            raise RecordError("arrivals.content", f"{each.trace_id}: no trace of its cluster has this content")
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
