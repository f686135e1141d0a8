"""What an alert is, and what becomes of it on its way to people. Times are Unix milliseconds, UTC."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

_SUBJECT, _TEXT = 200, 4_000


class Kind(StrEnum):
    """What is told of."""

    ALERTS_ON = "alerts_on"
    RUN_FAILED = "run_failed"
    STANDING_FAILURES = "standing_failures"
    CHECK_FAILED = "check_failed"
    DELTAONE_REACHED = "deltaone_reached"
    CHAMPION_CHANGED = "champion_changed"
    PAYOUT_PLANNED = "payout_planned"
    ANOMALY = "anomaly"
    AUTOMATION_FAILING = "automation_failing"
    IMPROVEMENT_REPORT = "improvement_report"
    TEST = "test"


class Severity(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Alert:
    """Something that a person should know. Made by :func:`alert`.

    Attributes:
        kind: what is told of.
        program: whose; None when it is of the whole deployment.
        key: the same for the same event, however often and by whom it is noticed; told once.
        severity: how bad it is.
        subject: one line.
        what: what happened.
        where: where to look.
        cure: what to do.
    """

    kind: Kind
    program: str | None
    key: str
    severity: Severity
    subject: str
    what: str
    where: str
    cure: str

    @property
    def text(self) -> str:
        """All of it but the subject, for people."""
        return f"{self.what}\n\nWhere to look: {self.where}\nWhat to do: {self.cure}"

    def message_id(self, deployment: str) -> str:
        """The same in every attempt and on every channel, so that whoever gets it twice can tell."""
        return f"msg_{hashlib.sha256(f'{deployment} {self.key}'.encode()).hexdigest()[:32]}"

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Alert:
        """The alert of a record."""
        return cls(**{**record, "kind": Kind(record["kind"]), "severity": Severity(record["severity"])})


def alert(
    kind: Kind, program: str | None, mark: str, severity: Severity, subject: str, *, what: str, where: str, cure: str
) -> Alert:
    """An alert, with texts that are safe to send.

    Errors and names of strangers stand in them: no line break gets into a
    subject, which is an e-mail's header, and no text is endless.

    Args:
        kind: what is told of.
        program: whose; None when it is of the whole deployment.
        mark: tells this event from others of the same kind and program.
        severity: how bad it is.
        subject: one line.
        what: what happened.
        where: where to look.
        cure: what to do.
    """
    key = f"{kind}:{program or ''}:{mark}"
    texts = (_cut(each, _TEXT) for each in (what, where, cure))
    return Alert(kind, program, key, severity, _cut(" ".join(subject.split()), _SUBJECT), *texts)


def _cut(text: str, length: int) -> str:
    clean = "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)
    return clean if len(clean) <= length else clean[: length - 1] + "…"


class Event(StrEnum):
    """What became of a delivery."""

    QUEUED = "queued"
    BEGUN = "begun"
    """Somebody sends it; whoever died with it lets it be sent again after a while."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """It is tried again."""
    DEAD = "dead"
    """It is not tried again, until somebody asks for it."""
    REPLAYED = "replayed"
    """Somebody asked for it."""


@dataclass(frozen=True)
class Delivery:
    """An alert on its way to one channel, as it stands.

    Attributes:
        seq: place of the latest thing that became of it.
        key: the alert's.
        channel: the name of the channel in the settings.
        attempt: how often it was sent.
        tries: how often since it was queued or replayed.
        event: what became of it last.
        at_ms: when.
        due_ms: when it is sent next; None when it is not.
        reason: why it failed; empty where it did not.
    """

    seq: int
    key: str
    channel: str
    attempt: int
    tries: int
    event: Event
    at_ms: int
    due_ms: int | None
    reason: str


@dataclass(frozen=True)
class Raised:
    """An alert as it stands in the ledger."""

    alert: Alert
    raised_ms: int
