"""What the spool speaks of: traces that were taken in, and what became of them. Times are Unix milliseconds, UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from telefine_assets.ledger.records import SubmissionEntry


class Outcome(StrEnum):
    """What became of a trace that somebody handed in."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """The same trace was taken in before; nothing was added."""
    CONFLICT = "conflict"
    """Another trace was taken in before under the same id; nothing was added."""
    REFUSED = "refused"


@dataclass(frozen=True)
class Offer:
    """A trace that is to be taken in, checked already.

    Attributes:
        identity: SHA-256 that stands for the trace, whoever asks how often; the trace's id follows from it.
        digest: SHA-256 of all that the trace says.
        body: the trace as JSON text.
        submission: its contributor's signed submission, checked.
        refused: why it is not to be taken in after all; None where it is.
    """

    identity: str
    digest: str
    body: str
    submission: SubmissionEntry | None = None
    refused: str | None = None


@dataclass(frozen=True)
class Delivery:
    """A batch as it came.

    Attributes:
        program: whose traces they are.
        submitter: who hands them in, by a name that stays (an API key's id); 1 to 64 characters.
        key: the idempotency key, 1 to 255 characters; without one, the batch is not known again, only its traces.
        digest: SHA-256 of the whole batch.
        offers: the traces, in their order.
    """

    program: str
    submitter: str
    key: str | None
    digest: str
    offers: Sequence[Offer]


@dataclass(frozen=True)
class Verdict:
    """What became of one trace of a batch.

    Attributes:
        identity: see :class:`Offer`.
        outcome: what became of it.
        reason: why it was not taken in; None where it was.
        place: where its signed submission stands in the log of arrivals; None without one.
    """

    identity: str
    outcome: Outcome
    reason: str | None = None
    place: int | None = None


@dataclass(frozen=True)
class SpooledTrace:
    """A trace that was taken in.

    Attributes:
        position: its place among the program's, from 0.
        identity: see :class:`Offer`.
        submitter: who handed it in.
        received_ms: when.
        body: the trace as JSON text.
    """

    position: int
    identity: str
    submitter: str
    received_ms: int
    body: str


@dataclass(frozen=True)
class RefusedTrace:
    """A trace that was put aside, since MLflow refuses it.

    Attributes:
        trace: the trace.
        reason: what MLflow said.
        at_ms: when it was put aside.
    """

    trace: SpooledTrace
    reason: str
    at_ms: int


@dataclass(frozen=True)
class Lag:
    """What of a program waits to be written to MLflow.

    Attributes:
        accepted: how many traces were ever taken in.
        waiting: how many of them wait.
        oldest_ms: when the oldest of those was received; None when none waits.
        refused: how many are put aside.
        drained_ms: when some were written last; None for never.
    """

    accepted: int
    waiting: int
    oldest_ms: int | None
    refused: int
    drained_ms: int | None = None

    def oldest_seconds(self, now_ms: int) -> int | None:
        """For how long the oldest has waited; None when none waits."""
        return None if self.oldest_ms is None else max(0, now_ms - self.oldest_ms) // 1000

    def stands_still(self, now_ms: int, seconds: int) -> bool:
        """Whether the oldest has waited for longer than ``seconds``, and none was written in that time."""
        # What was marked in the future was so by a clock that went wrong; it says nothing of when that was.
        drained_ms = self.drained_ms if self.drained_ms is not None and self.drained_ms <= now_ms else 0
        since = max(self.oldest_ms or 0, drained_ms)
        return self.oldest_ms is not None and now_ms - since > seconds * 1000
