"""A stand-in for Dagster: it remembers what it was asked, and runs end when a test says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from telefine_assets.control.errors import ControlError
from telefine_assets.control.records import AutomationState, DagsterFigures, RunRequest, RunState, RunStatus, StageState

STAGES = ("traces", "cleaned_traces", "compiled_programs")


class FakeControl:
    """``control.records.Control`` without Dagster."""

    def __init__(self) -> None:
        self.known: dict[str, RunState] = {}
        self.asked: list[RunRequest] = []
        self.stopped: list[tuple[str, str]] = []
        self.down = False

    def begin(self, program: str = "triage") -> str:
        """A run that goes on; returns its id."""
        run_id = f"run-{len(self.known):04}"
        self.known[run_id] = RunState(
            run_id, program, STAGES, ("2026-11-02",), RunStatus.STARTED, 1_700_000_000_000, None, None, None
        )
        return run_id

    def change(self, run_id: str, **changes: object) -> None:
        """Something happens to a run."""
        self.known[run_id] = replace(self.known[run_id], **changes)

    def start(self, request: RunRequest) -> Sequence[str]:
        self._up()
        self.asked.append(request)
        return [self.begin(request.program)]

    def stop(self, run_id: str, by: str) -> None:
        self._up()
        self.stopped.append((run_id, by))
        self.change(run_id, status=RunStatus.CANCELED, ended_ms=1_700_000_001_000)

    def run(self, run_id: str) -> RunState | None:
        self._up()
        return self.known.get(run_id)

    def runs(self, program: str | None, limit: int, after: str | None = None) -> Sequence[RunState]:
        self._up()
        found = [run for run in reversed(self.known.values()) if program in (None, run.program)]
        return [run for run in found if after is None or run.run_id < after][:limit]

    def follow(self, run_id: str) -> Iterator[RunState]:
        raise NotImplementedError("the API looks by itself: see api/runs.py")

    def stages(self, program: str) -> Sequence[StageState]:
        self._up()
        return [StageState(stage, "2026-11-02", 1, (), (), 1_700_000_000_000) for stage in STAGES]

    def automation(self, program: str | None) -> Sequence[AutomationState]:
        self._up()
        return [AutomationState(f"{program or 'triage'}_daily", "schedule", True, 1_700_000_000_000, None, None, None)]

    def figures(self) -> DagsterFigures:
        self._up()
        return DagsterFigures({"started": 1, "failure": 2}, 90.0, {"sensor": 12.0}, {"triage": 1})

    def _up(self) -> None:
        if self.down:
            raise ControlError("Dagster's storage cannot be asked: /secret/place; start it")
