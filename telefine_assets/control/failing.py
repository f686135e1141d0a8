"""What failed in a run: the first error in words, and whether the next day meets it, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dagster as dg

LASTING = frozenset(
    {
        "Unreachable",
        "SourceUnreachable",
        "SettingsError",
        "ProgramError",
        "BudgetUnknown",
        "MissingExtra",
        "TelefineError",
    }
)
"""Classes of errors that every other day meets as well: the model or MLflow is out of reach, settings are wrong.

``TelefineError`` itself is raised by what opens models and signers, of settings that do not go together."""
SILENT = "it ended without a word; see the run in the Dagster UI"
_PAGE = 100


@dataclass(frozen=True)
class Failure:
    """The first thing that failed in a run.

    Attributes:
        step: Dagster's key of the step; None where the run failed as a whole.
        kind: class of the error; empty where there was none.
        said: its message, in one line.
    """

    step: str | None
    kind: str
    said: str

    @property
    def lasting(self) -> bool:
        """Whether the next day would fail by it, too."""
        return self.kind in LASTING


def failure_in(instance: dg.DagsterInstance, run_id: str) -> Failure:
    """What failed first in a run that failed."""
    import dagster as dg

    kinds = dg.DagsterEventType
    logs = instance.all_logs(run_id, of_type={kinds.STEP_FAILURE, kinds.ENGINE_EVENT, kinds.RUN_FAILURE})
    # The engine's events tell why a run could not be started; most of them tell of no failure.
    events: list[Any] = [each.dagster_event for each in logs]
    for event in events:
        error = getattr(event.event_specific_data, "error", None)
        if error is not None:
            return _failure(event.step_key, error)
    failed = [each for each in events if each.event_type is kinds.RUN_FAILURE]
    return Failure(None, "", " ".join((failed[0].message if failed else SILENT).split()))


def _failure(step: str | None, error: Any) -> Failure:
    # What Telefine raised over somebody else's error says what helps; Dagster's own wrapping says nothing.
    while error.cause is not None and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    kind = error.cls_name or ""
    # Dagster puts the name of the class before the message.
    said = str(error.message).partition(f"{kind}: ")[2] or str(error.message)
    return Failure(step, kind, " ".join(said.split()))


def failed_records(instance: dg.DagsterInstance) -> Iterator[dg.RunRecord]:
    """Dagster's records of failed runs, the newest first, read page by page."""
    import dagster as dg

    after, wanted = None, dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])
    while page := instance.get_run_records(wanted, limit=_PAGE, cursor=after):
        yield from page
        after = page[-1].dagster_run.run_id
