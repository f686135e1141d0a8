"""What kind of failure a run ended with, and what follows from it: decided from plain values, without Dagster.

Who tries again is one place only: the sensor of ``failure_sensor``. Dagster's
``run_retries`` stay off, no asset has a retry policy, and the client of the
language model waits for the model by itself before a run fails at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from telefine_assets.alerts.records import Alert

TRANSIENT_ERRORS = frozenset(
    {
        "Unreachable",
        "SourceUnreachable",
        "OperationalError",
        "InterfaceError",
        "ConnectionError",
        "ConnectionRefusedError",
        "ConnectionResetError",
        "BrokenPipeError",
        "TimeoutError",
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ConnectionClosedError",
        "gaierror",
        "DagsterExecutionInterruptedError",
    }
)
"""Names of errors of the infrastructure: the model, MLflow, the bucket or a database cannot be reached, or is
locked, or what runs runs was stopped."""
_BUSY_BUCKET = re.compile(r"An error occurred \((SlowDown|ServiceUnavailable|InternalError|5\d\d)\)")
"""What botocore says of a server of S3 that fails by itself; a proxy in front of it has only the number to say."""
_OF_A_CHECK = "DagsterAssetCheckFailedError"
_TOO_LONG = "Exceeded maximum runtime"
_NEVER_STARTED_RIGHT = "JOB_INITIALIZATION_FAILURE"


@dataclass(frozen=True)
class Failure:
    """Why a run failed; ``what`` is one line for people."""

    kind: Literal["transient", "permanent"]
    what: str

    @property
    def of_a_check(self) -> bool:
        """Whether nothing failed but a check that blocks; what it found is told by itself."""
        return self.what.startswith(_OF_A_CHECK)

    @property
    def tag(self) -> str:
        """As a tag of the run."""
        return f"{self.kind}: {self.what}"[:250]


def classify(errors: Sequence[Sequence[tuple[str, str]]], reason: str | None, message: str) -> Failure:
    """The kind of a run's failure.

    Args:
        errors: for each step that failed, its error and the causes of it, each a class and a message, innermost last.
        reason: Dagster's own word for why the run failed, if it has one.
        message: what Dagster says of the run as a whole.
    """
    if _TOO_LONG in message:
        # Before the steps' errors: whoever was interrupted for it only says that he was.
        cure = "raise automation.run_timeout_minutes; what a model answered is not asked again"
        return Failure("permanent", f"{message}; {cure}")
    if errors:
        # Several steps may fail, and one that will fail again is enough to do so.
        transient = all(_is_transient(chain) for chain in errors)
        name, said = next((chain[-1] for chain in errors if chain[-1][0] != _OF_A_CHECK), errors[0][-1])
        return Failure("transient" if transient else "permanent", f"{name}: {' '.join(said.split())}")
    if reason == _NEVER_STARTED_RIGHT:
        return Failure("permanent", message)
    return Failure("transient", message or "the run's process died")


def _is_transient(chain: Sequence[tuple[str, str]]) -> bool:
    # A bare OSError is none: a full disk stays full. s3fs makes one of every answer that it has no better name for.
    busy = any(
        (over, name) == ("OSError", "ClientError") and _BUSY_BUCKET.search(said)
        for (over, _), (name, said) in pairwise(chain)
    )
    return busy or any(name in TRANSIENT_ERRORS for name, _ in chain)


def tries_again(failure: Failure, attempt: int, max_retries: int) -> bool:
    """Whether a run that failed at its ``attempt`` (1 for the first) is asked for once more."""
    return failure.kind == "transient" and attempt <= max_retries


class Notifier(Protocol):
    """Takes alerts to people."""

    def notify(self, alert: Alert) -> None:
        """Take one."""
        ...


@dataclass(frozen=True)
class FailedRun:
    """A failed run of the last days; times in Unix milliseconds."""

    run_id: str
    program: str
    stage: str
    days: tuple[str, ...]
    started_ms: int


def standing(failed: Sequence[FailedRun], made_ms: dict[tuple[str, str, str], tuple[int, str]]) -> list[FailedRun]:
    """Those failures of which some day was not made by another run since; the latest for each program, stage and days.

    Args:
        failed: failed runs, the newest first.
        made_ms: when (program, stage, day) was made last, and by which run.
    """
    found: dict[tuple[str, str, tuple[str, ...]], FailedRun] = {}
    for run in failed:
        made = [made_ms.get((run.program, run.stage, day), (0, run.run_id)) for day in run.days]
        if any(at < run.started_ms or by == run.run_id for at, by in made):
            found.setdefault((run.program, run.stage, run.days), run)
    return sorted(found.values(), key=lambda run: (run.program, run.days, run.stage))


def standing_alert(runs: Sequence[FailedRun], day: str) -> Alert:
    """What is told of failures that stand on a UTC day."""
    from telefine_assets.alerts.found import standing_failures

    lines = [f"{run.program}: {run.stage} of {' to '.join(run.days)} (run {run.run_id[:8]})" for run in runs]
    return standing_failures(lines, day)
