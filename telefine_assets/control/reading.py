"""What Dagster's storage says of runs, in Telefine's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from telefine_assets.assets import BESIDE as _BESIDE
from telefine_assets.assets import STAGES as _MODULES
from telefine_assets.assets.progress import TAG as PROGRESS
from telefine_assets.control.records import RunState, RunStatus

if TYPE_CHECKING:
    import dagster as dg

STAGES: tuple[str, ...] = tuple(each.STAGE for each in _MODULES)
"""The stages of every program, in the order of the line."""
BESIDE: tuple[str, ...] = tuple(each.STAGE for each in _BESIDE)
"""What is made beside the line, and only when it is asked for by its name."""
ALL = (*STAGES, *BESIDE)
HERE, BY = "telefine/here", "telefine/by"
"""Tags: which process of ours runs it (see ``launching``), and who asked for it."""
_PARTITION, _FIRST, _LAST = (
    "dagster/partition",
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)
_WAITING = ("QUEUED", "NOT_STARTED")
_STATUS = {"SUCCESS": RunStatus.SUCCEEDED, "FAILURE": RunStatus.FAILED, "CANCELED": RunStatus.CANCELED}
_STEPS = {"SUCCESS": "succeeded", "FAILURE": "failed", "SKIPPED": "skipped", "IN_PROGRESS": "started"}
_PAGE = 100


def line_job(program: str) -> str:
    """Name of the job that is a program's whole line."""
    return f"{program}_line"


def job_of(program: str, stages: Sequence[str]) -> str:
    """Name of the job that makes these stages, which are of the line or beside it, not both."""
    return f"{program}_report" if {*stages} <= {*BESIDE} else line_job(program)


def state_of(instance: dg.DagsterInstance, record: dg.RunRecord) -> RunState:
    """A run as it stands in Dagster's storage."""
    run = record.dagster_run
    program, stages = _line_of(run)
    days = [run.tags[each] for each in (_PARTITION, _FIRST, _LAST) if each in run.tags]
    status = status_of(run)
    return RunState(
        run_id=run.run_id,
        program=program,
        stages=stages,
        days=tuple(dict.fromkeys(days)),
        status=status,
        started_ms=_ms(record.start_time),
        ended_ms=_ms(record.end_time),
        progress=run.tags.get(PROGRESS),
        error=_error_of(instance, run.run_id) if status is RunStatus.FAILED else None,
    )


def status_of(run: dg.DagsterRun) -> RunStatus:
    """Where a run stands; one that is being started or canceled has not ended."""
    value = run.status.value
    return RunStatus.QUEUED if value in _WAITING else _STATUS.get(value, RunStatus.STARTED)


def _line_of(run: dg.DagsterRun) -> tuple[str | None, tuple[str, ...]]:
    """The program and the stages that a run is of; no program for a run of several or of something else."""
    keys = [tuple(key.path) for key in run.asset_selection or ()]
    programs = {key[0] for key in keys if len(key) == 2}
    if len(programs) == 1:
        names = {key[1] for key in keys}
        return programs.pop(), tuple(each for each in ALL if each in names)
    for suffix, stages in (("_line", STAGES), ("_report", BESIDE)):
        program = run.job_name.removesuffix(suffix)
        if not keys and job_of(program, stages) == run.job_name:
            return program, stages
    return None, ()


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _error_of(instance: dg.DagsterInstance, run_id: str) -> str:
    """What failed first, in one line: the stage, and the innermost cause that Dagster kept."""
    import dagster as dg

    kinds = dg.DagsterEventType
    logs = instance.all_logs(run_id, of_type={kinds.STEP_FAILURE, kinds.ENGINE_EVENT, kinds.RUN_FAILURE})
    # The engine's events tell why a run could not be started; most of them tell of no failure.
    events: list[Any] = [each.dagster_event for each in logs]
    for event in events:
        error = getattr(event.event_specific_data, "error", None)
        if error is not None:
            return _said(event.step_key, _innermost(error))
    failed = [each for each in events if each.event_type is kinds.RUN_FAILURE]
    return _said(None, failed[0].message if failed else "it ended without a word; see the run in the Dagster UI")


def _innermost(error: Any) -> str:
    while error.cause is not None:
        error = error.cause
    # Dagster puts the name of the class before the message.
    return str(error.message).partition(f"{error.cls_name}: ")[2] or str(error.message)


def _said(step: str | None, message: str) -> str:
    return " ".join(f"{_stage_of_step(step)}: {message}".split() if step else message.split())


def _stage_of_step(step: str) -> str:
    """``tickets__traces`` is the stage ``traces``; a check's step is left as it is."""
    return next((stage for stage in ALL if step.endswith(f"__{stage}")), step)


def steps_of(instance: dg.DagsterInstance, run_id: str) -> Mapping[str, str]:
    """Where each stage of a run that was begun stands: ``started``, ``succeeded``, ``failed`` or ``skipped``."""
    found = {}
    for each in instance.get_run_step_stats(run_id):
        stage = _stage_of_step(each.step_key)
        if stage in ALL and each.status is not None:
            found[stage] = _STEPS.get(each.status.value, each.status.value.lower())
    return {stage: found[stage] for stage in ALL if stage in found}


def runs_of(
    instance: dg.DagsterInstance, program: str | None, limit: int, after: str | None, unfinished: bool = False
) -> Sequence[RunState]:
    """The newest runs, of one program or of all."""
    found: list[RunState] = []
    for record in records(instance, after, unfinished):
        if len(found) == limit:
            break
        if program is None or _line_of(record.dagster_run)[0] == program:
            found.append(state_of(instance, record))
    return found


def records(instance: dg.DagsterInstance, after: str | None = None, unfinished: bool = False) -> Iterator[dg.RunRecord]:
    """Dagster's records of runs, the newest first, read page by page."""
    import dagster as dg

    ended = ("SUCCESS", "FAILURE", "CANCELED")
    wanted = dg.RunsFilter(statuses=[each for each in dg.DagsterRunStatus if each.value not in ended])
    while page := instance.get_run_records(wanted if unfinished else None, limit=_PAGE, cursor=after):
        yield from page
        after = page[-1].dagster_run.run_id
