"""The one :class:`~telefine_assets.control.records.Control`: Dagster's storage, and whatever runs beside it.

Reading asks the instance itself, so that it needs nothing else running. Starting
goes through the webserver, and so through the run queue, when there is one.
Where neither webserver nor daemon runs, a process of our own does the work, one
day after the other; that process goes on when we end.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from telefine_assets.automation.celery_runs import TASK, celery_of
from telefine_assets.control.automation import automation_of, owner_of
from telefine_assets.control.celery_stopping import stop_task
from telefine_assets.control.errors import ControlError, asking
from telefine_assets.control.failing import failure_in
from telefine_assets.control.figures import figures_of
from telefine_assets.control.instance import open_instance, queue_runs
from telefine_assets.control.launching import Children, errand_of
from telefine_assets.control.reading import (
    ALL,
    BESIDE,
    BY,
    GIVEN_UP,
    HERE,
    HOST,
    STAGES,
    job_of,
    runs_of,
    state_of,
    status_of,
    steps_of,
)
from telefine_assets.control.records import AutomationState, DagsterFigures, RunRequest, RunState, RunStatus, StageState
from telefine_assets.control.stages import failed_run, stages_of
from telefine_assets.control.webserver import Webserver, webserver_at
from telefine_assets.observing.masking import Masker
from telefine_assets.observing.tracing import TAG
from telefine_assets.partitions import daily, days_from

if TYPE_CHECKING:
    import dagster as dg

    from telefine_assets.settings.schema import Settings

_POLL_SECONDS = 0.5
_STARTING_SECONDS = 60
_MOST_DAYS = 1000


class DagsterControl:
    """Dagster, as far as people drive it. Threads may share one; every method may raise ``ControlError``."""

    def __init__(self, settings: Settings) -> None:
        """Open the deployment's instance."""
        self.settings = settings
        self.instance = open_instance(settings)
        self._children = Children(settings)
        self._mask = Masker.of(settings)

    def close(self) -> None:
        """Let go of the instance. Runs go on."""
        self.instance.dispose()

    def start(self, request: RunRequest) -> Sequence[str]:
        """Have runs queued, one for each day; returns their ids, in the order of their days.

        Raises:
            ControlError: the request names what is not there, or Dagster does not take it.
        """
        stages, days = self._checked(request)
        tags = {BY: request.by} | ({TAG: request.traceparent} if request.traceparent else {})
        with _storage():
            server = self._webserver()
            if server is not None:
                assets, job = [(request.program, each) for each in stages], job_of(request.program, stages)
                return [server.submit(job, assets, {**tags, "dagster/partition": day}) for day in days]
            if queue_runs(self.instance, time.time()):
                raise ControlError(
                    "a Dagster daemon runs (or did a minute ago), but no webserver that would give it the run answers "
                    f"at dagster.url = {self.settings.dagster.url}: start `make ui`, or wait a minute"
                )
            return self._children.start(self.instance, errand_of(self.settings, request.program, stages, days, tags))

    def stop(self, run_id: str, by: str) -> None:
        """Ask a run to end; one that has ended stays as it is.

        Runs that one call of ``start`` began here, without a daemon, end
        together. A run whose process is gone is recorded as canceled.

        Raises:
            ControlError: there is no such run, or Dagster does not end it.
        """
        with _storage():
            asked = self.instance.get_run_by_id(run_id)
            if asked is None or not asked.is_finished:
                self._stop_first(self._children.together(run_id), by)

    def give_up(self, failed: str, others: Sequence[str], by: str) -> None:
        """Stop those of the ``others`` that wait in the queue, if the run ``failed`` by what they would meet, too.

        Raises:
            ControlError: Dagster does not take them out of its queue.
        """
        with _storage():
            runs = [self.instance.get_run_by_id(each) for each in others]
            queued = [each for each in runs if each and status_of(each) is RunStatus.QUEUED and HERE not in each.tags]
            if not queued or not failure_in(self.instance, failed).lasting:
                return
            for run in queued:
                self.instance.add_run_tags(run.run_id, {GIVEN_UP: failed})
                self.stop(run.run_id, by)

    def _stop_first(self, run_ids: Sequence[str], by: str) -> None:
        """Stop the one that goes on, of runs that are made one after the other."""
        runs = (self.instance.get_run_by_id(each) for each in run_ids)
        run = next((each for each in runs if each is not None and not each.is_finished), None)
        if run is None:
            if not self._children.stop(run_ids[0]):
                raise ControlError(f"there is no run {run_ids[0]}; `telefine status` lists those that go on")
            return
        if run.tags.get(HOST, socket.gethostname()) != socket.gethostname():
            raise ControlError(f"run {run.run_id} was begun on {run.tags[HOST]} by a command: stop it there")
        self.instance.add_run_tags(run.run_id, {"telefine/stopped-by": by})
        if (app := celery_of(self.instance)) is not None and TASK in run.tags:
            stop_task(self.instance, app, run, by)
            return
        if HERE not in run.tags:
            self._terminate_or_bury(run, by)
            return
        # Dagster takes an interruption that nobody announced for a failure.
        self.instance.report_run_canceling(run, f"{by} stops it.")
        if not self._children.stop(run.tags[HERE]):
            self.instance.report_run_canceled(run, f"{by} stopped it; its process was gone.")

    def _terminate_or_bury(self, run: dg.DagsterRun, by: str) -> None:
        """Have Dagster end a run; one that it cannot reach is recorded as canceled if its process is gone."""
        from telefine_assets.automation.lost_runs import lost_runs

        try:
            self._terminate(run.run_id)
        except Exception:
            if run.run_id not in {each.run_id for each in lost_runs(self.instance)}:
                raise
            self.instance.report_run_canceled(run, f"{by} stopped it; its process was gone.")

    def _terminate(self, run_id: str) -> None:
        until = time.monotonic() + _STARTING_SECONDS
        # A run that is being started can only be ended once it has been.
        while self._is_starting(run_id) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
        if server := self._webserver():
            server.terminate(run_id)
        elif not self.instance.run_coordinator.cancel_run(run_id):
            raise ControlError(f"run {run_id} cannot be reached: start `make ui`, and stop it again")

    def _is_starting(self, run_id: str) -> bool:
        run = self.instance.get_run_by_id(run_id)
        return run is not None and run.status.value == "STARTING"

    def run(self, run_id: str) -> RunState | None:
        """What is known of a run; None when there is none of that id."""
        with _storage():
            record = self.instance.get_run_record_by_id(run_id)
            state = state_of(self.instance, record) if record else self._children.waiting(run_id)
        return self._masked(state) if state else None

    def runs(self, program: str | None, limit: int, after: str | None = None) -> Sequence[RunState]:
        """Runs, the newest first; ``after`` is the id of the last one seen."""
        with _storage():
            return [*map(self._masked, runs_of(self.instance, program, limit, after))]

    def unfinished(self, program: str | None = None, limit: int = 50) -> Sequence[RunState]:
        """Runs that wait or go on, the newest first."""
        with _storage():
            return [*map(self._masked, runs_of(self.instance, program, limit, None, unfinished=True))]

    def follow(self, run_id: str) -> Iterator[RunState]:
        """A run's state now and whenever it changes, until it has ended.

        Raises:
            ControlError: there is no such run.
        """
        last = None
        while last is None or not last.status.ended:
            state = self.run(run_id)
            if state is None:
                raise ControlError(f"there is no run {run_id}")
            if state != last:
                yield state
            last = state
            if not state.status.ended:
                time.sleep(_POLL_SECONDS)

    def steps(self, run_id: str) -> Mapping[str, str]:
        """Where each stage of a run that was begun stands: ``started``, ``succeeded``, ``failed``, ``skipped``."""
        with _storage():
            return steps_of(self.instance, run_id)

    def stages(self, program: str) -> Sequence[StageState]:
        """The stages of a program, in the order of its line."""
        self.settings.program(program)
        with _storage():
            return stages_of(self.instance, self.settings, program)

    def failed(self, program: str, stages: Sequence[StageState]) -> RunState | None:
        """The newest run whose failure stands: something of the ``stages`` that it was to make is not made yet."""
        with _storage():
            state = failed_run(self.instance, program, stages)
        return self._masked(state) if state else None

    def automation(self, program: str | None) -> Sequence[AutomationState]:
        """The program's schedules and sensors; with None all, the deployment's own among them."""
        with _storage():
            found = automation_of(self.instance, self.settings, datetime.now(UTC))
        return [each for each in found if program is None or owner_of(each.name, self.settings.programs) == program]

    def figures(self) -> DagsterFigures:
        """Numbers for metrics."""
        with _storage():
            return figures_of(self.instance, self.settings, time.time())

    def orphans(self) -> Sequence[str]:
        """Runs that were begun here and whose process is gone without having ended them."""
        with _storage():
            runs = [self.instance.get_run_by_id(each.run_id) for each in self.unfinished()]
            here = [run for run in runs if run is not None and HERE in run.tags and status_of(run) is RunStatus.STARTED]
            return [run.run_id for run in here if not self._children.lives(run)]

    def _masked(self, state: RunState) -> RunState:
        """A state whose words tell no secret."""
        progress, error = (said and self._mask(said) for said in (state.progress, state.error))
        return replace(state, progress=progress, error=error)

    def _webserver(self) -> Webserver | None:
        return webserver_at(self.settings.dagster.url, self.instance)

    def _checked(self, request: RunRequest) -> tuple[tuple[str, ...], list[str]]:
        """Stages in the order of the line, and days, of a request that names only what there is."""
        self.settings.program(request.program)
        if unknown := [each for each in request.stages if each not in ALL]:
            raise ControlError(f"{unknown[0]}: is no stage; there are: {', '.join(ALL)}")
        if {*request.stages} & {*BESIDE} and {*request.stages} & {*STAGES}:
            raise ControlError(f"{', '.join(BESIDE)}: is made beside the line; run it by itself, when the line is made")
        try:
            first, last = (date.fromisoformat(day).isoformat() for day in (request.first, request.last))
        except ValueError:
            raise ControlError(f"{request.first} to {request.last}: a day is written YYYY-MM-DD") from None
        days = days_from(first, last)
        if not 0 < len(days) <= _MOST_DAYS:
            raise ControlError(f"{first} to {last}: must be 1 to {_MOST_DAYS} days, the earlier one first")
        known = daily(self.settings.partitions).get_partition_keys()
        if missing := sorted({*days} - {*known}):
            there = f"from {known[0]} to {known[-1]}" if known else "none"
            raise ControlError(f"{missing[0]}: is no day of this deployment: complete days there are {there}")
        wanted = {*request.stages} or {*STAGES}
        return tuple(each for each in ALL if each in wanted), days


@contextmanager
def _storage() -> Iterator[None]:
    with asking("Dagster's storage cannot be asked", "look at $DAGSTER_HOME/dagster.yaml, and try `telefine doctor`"):
        yield


def open_control(settings: Settings) -> DagsterControl:
    """The control of a deployment.

    Raises:
        ControlError: Dagster's instance cannot be opened.
    """
    return DagsterControl(settings)
