"""What is asked of Dagster, and what it says: plain values, the same for the command line and the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class RunStatus(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self not in (RunStatus.QUEUED, RunStatus.STARTED)


@dataclass(frozen=True)
class RunRequest:
    """What is to be run.

    Attributes:
        program: whose line.
        stages: assets of the line; empty for all.
        first: first day, ``YYYY-MM-DD``.
        last: last day, included; the same as ``first`` for one day.
        by: who asks, for the run's tags and the audit log.
        traceparent: the span that asks (W3C), which the runs' own spans become part of; None for none.
    """

    program: str
    stages: tuple[str, ...]
    first: str
    last: str
    by: str
    traceparent: str | None = None


@dataclass(frozen=True)
class RunState:
    """What is known of a run. Times are Unix milliseconds, UTC.

    Attributes:
        run_id: Dagster's id.
        program: whose line; None for a run of something else.
        stages: what it materialises, in the order of the line.
        days: its partition, or the first and the last of its range.
        status: where it stands.
        started_ms: when it began; None while it waits.
        ended_ms: when it ended; None until then.
        progress: how far a long stage has come, as the stage told it last.
        error: what failed, in one line: stage, class of the error and message; or why it was not tried. Else None.
    """

    run_id: str
    program: str | None
    stages: tuple[str, ...]
    days: tuple[str, ...]
    status: RunStatus
    started_ms: int | None
    ended_ms: int | None
    progress: str | None
    error: str | None


@dataclass(frozen=True)
class StageState:
    """What is known of one stage of a program.

    Attributes:
        stage: the asset.
        last_day: the newest day that has been materialised; None for none.
        materialised: how many days have been.
        failed: days at which it failed in their latest run, oldest first.
        running: days that are being materialised now.
        at_ms: when the newest day was materialised, Unix milliseconds UTC.
        untried: days whose latest run failed at a stage before this one, so that it was never tried, oldest first.
    """

    stage: str
    last_day: str | None
    materialised: int
    failed: tuple[str, ...]
    running: tuple[str, ...]
    at_ms: int | None
    untried: tuple[str, ...] = ()


@dataclass(frozen=True)
class AutomationState:
    """One schedule or sensor.

    Attributes:
        name: Dagster's name.
        kind: ``schedule`` or ``sensor``.
        running: whether it is turned on.
        next_ms: a schedule's next tick, Unix milliseconds UTC.
        last_ms: the last tick.
        last: how the last tick ended: ``success``, ``skipped``, ``failure``; None before the first.
        said: what the last tick said: the reason for which it skipped, or its error.
    """

    name: str
    kind: str
    running: bool
    next_ms: int | None
    last_ms: int | None
    last: str | None
    said: str | None


@dataclass(frozen=True)
class DagsterFigures:
    """Numbers of a Dagster.

    Attributes:
        runs: how many there are by status, in Dagster's words and lower case.
        queued_seconds: since when the run that waits longest in the queue waits; 0 for none.
        heartbeat_seconds: since each of the daemon's threads was heard of; empty when it never ran.
        standing: failures of the last days whose day was never made since, by program.
    """

    runs: Mapping[str, int]
    queued_seconds: float
    heartbeat_seconds: Mapping[str, float]
    standing: Mapping[str, int]


class Control(Protocol):
    """Dagster, as far as people drive it. Every method raises ``ControlError`` when Dagster cannot be asked."""

    def start(self, request: RunRequest) -> Sequence[str]:
        """Have runs queued; returns their ids, in the order of their days."""
        ...

    def stop(self, run_id: str, by: str) -> None:
        """Ask a run to end; one that has ended stays as it is."""
        ...

    def run(self, run_id: str) -> RunState | None:
        """What is known of a run; None when there is none of that id."""
        ...

    def runs(self, program: str | None, limit: int, after: str | None = None) -> Sequence[RunState]:
        """Runs, the newest first; ``after`` is the id of the last one seen."""
        ...

    def follow(self, run_id: str) -> Iterator[RunState]:
        """A run's state now and whenever it changes, until it has ended."""
        ...

    def stages(self, program: str) -> Sequence[StageState]:
        """The stages of a program, in the order of its line."""
        ...

    def automation(self, program: str | None) -> Sequence[AutomationState]:
        """The program's schedules and sensors; with None all, the deployment's own among them."""
        ...

    def figures(self) -> DagsterFigures:
        """Numbers for metrics."""
        ...
