"""Delivering what is due: at least once, by one process at a time, with pauses that grow, and not for ever."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from telefine_assets.alerts.channels import Answer, Channel
from telefine_assets.alerts.records import Delivery, Event, Raised

_AT_A_TIME = 20
_LEASE = 6
"""A delivery that was begun is taken for dead after so many times as long as an attempt may last."""


class Outbox(Protocol):
    """What is to be delivered, and what became of it (``ledger.alerts.Alerts``)."""

    def due(self, now_ms: int, limit: int, without: Collection[str] = ()) -> list[Delivery]:
        """Deliveries whose time has come, but none to these channels; the channel that failed last comes last."""
        ...

    def find(self, key: str) -> Raised | None:
        """The alert that a delivery is of."""
        ...

    def begin(self, due: Delivery, now_ms: int, lease_ms: int) -> Delivery | None:
        """Begin a delivery; None when another process was faster."""
        ...

    def end(self, begun: Delivery, event: Event, at_ms: int, due_ms: int | None, reason: str) -> None:
        """Write what became of it."""
        ...


@dataclass(frozen=True)
class Patience:
    """How long is tried.

    Attributes:
        attempts: at most so many.
        first_ms: pause after the first; it doubles from attempt to attempt.
        longest_ms: up to this one.
        attempt_ms: how long one attempt may last.
    """

    attempts: int
    first_ms: int
    longest_ms: int
    attempt_ms: int


@dataclass(frozen=True)
class Delivered:
    """What came of delivering for a while.

    Attributes:
        sent: how many alerts came to their channel.
        failures: what did not, in a line each: channel and reason.
    """

    sent: int
    failures: tuple[str, ...]


def next_step(answer: Answer, tries: int, patience: Patience, now_ms: int) -> tuple[Event, int | None]:
    """What becomes of a delivery after its attempt number ``tries``, and when it is sent next."""
    if answer.delivered:
        return Event.DELIVERED, None
    if answer.final or tries >= patience.attempts:
        return Event.DEAD, None
    # A shift beyond the longest pause would only make large numbers.
    pause = min(patience.first_ms << min(tries - 1, 40), patience.longest_ms)
    return Event.FAILED, now_ms + max(pause, answer.wait_seconds * 1000)


def deliver_due(
    outbox: Outbox, channels: Mapping[str, Channel], patience: Patience, now_ms: Callable[[], int], until_ms: int
) -> Delivered:
    """Deliver what is due until nothing is, or the time is over; an attempt that has begun is ended.

    Whatever else is for a channel that failed waits for the next time: it would likely
    fail too, and an attempt at one that hangs takes longer than many at others.

    Args:
        outbox: what is to be delivered.
        channels: by name; what is for one that is no longer there is given up, and can be replayed.
        patience: how long is tried.
        now_ms: the clock, Unix milliseconds.
        until_ms: no attempt begins after this moment.
    """
    sent, failures, failed = 0, [], set[str]()
    while now_ms() < until_ms and (waiting := outbox.due(now_ms(), _AT_A_TIME, failed)):
        for due in waiting:
            if now_ms() >= until_ms:
                break
            if due.channel in failed:
                continue
            begun = outbox.begin(due, now_ms(), _LEASE * patience.attempt_ms)
            if begun is None:
                continue
            answer = _attempt(outbox, channels.get(begun.channel), begun, now_ms())
            event, due_ms = next_step(answer, begun.tries, patience, now_ms())
            outbox.end(begun, event, now_ms(), due_ms, answer.reason)
            sent += answer.delivered
            failures += [] if answer.delivered else [f"{begun.channel}: {answer.reason}"]
            failed |= set() if answer.delivered or answer.final else {begun.channel}
    return Delivered(sent, tuple(failures))


def _attempt(outbox: Outbox, channel: Channel | None, begun: Delivery, at_ms: int) -> Answer:
    raised = outbox.find(begun.key)
    if channel is None or raised is None:
        return Answer(False, "the settings have no such channel any more", final=True)
    try:
        return channel.send(raised, at_ms)
    except Exception as error:  # noqa: BLE001 - one channel's fault must not keep the others waiting; text may be secret
        return Answer(False, f"cannot be sent ({type(error).__name__})")
