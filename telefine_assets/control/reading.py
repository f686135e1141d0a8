"""What Dagster's storage says of runs, in Telefine's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from telefine_assets.assets import BESIDE as _BESIDE
from telefine_assets.assets import STAGES as _MODULES
from telefine_assets.assets.progress import TAG as PROGRESS
from telefine_assets.control.failing import failure_in
from telefine_assets.control.records import RunState, RunStatus
from telefine_assets.partitions import days_from

if TYPE_CHECKING:
    import dagster as dg

STAGES: tuple[str, ...] = tuple(each.STAGE for each in _MODULES)
"""The stages of every program, in the order of the line."""
BESIDE: tuple[str, ...] = tuple(each.STAGE for each in _BESIDE)
"""What is made beside the line, and only when it is asked for by its name."""
ALL = (*STAGES, *BESIDE)
HERE, HOST, BY, GIVEN_UP = "telefine/here", "telefine/host", "telefine/by", "telefine/given-up"
"""Tags: which process of ours runs it (see ``launching``), on which machine, who asked for it, and that it was stopped
before it began (see ``NOT_TRIED``)."""
NOT_TRIED = "not tried: a day before it failed by what would fail this one, too; mend that, then run again from here"
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
    program, stages = line_of(run)
    status = status_of(run)
    return RunState(
        run_id=run.run_id,
        program=program,
        stages=stages,
        days=_days_of(run),
        status=status,
        started_ms=_ms(record.start_time),
        ended_ms=_ms(record.end_time),
        progress=run.tags.get(PROGRESS),
        error=_error_of(instance, run.run_id) if status is RunStatus.FAILED else _given_up(run),
    )


def status_of(run: dg.DagsterRun) -> RunStatus:
    """Where a run stands; one that is being started or canceled has not ended."""
    value = run.status.value
    return RunStatus.QUEUED if value in _WAITING else _STATUS.get(value, RunStatus.STARTED)


def _days_of(run: dg.DagsterRun) -> tuple[str, ...]:
    """A run's day, or the first and the last of its range."""
    return tuple(dict.fromkeys(run.tags[each] for each in (_PARTITION, _FIRST, _LAST) if each in run.tags))


def every_day_of(run: dg.DagsterRun) -> Sequence[str]:
    """All days that a run is of."""
    days = _days_of(run)
    return days_from(days[0], days[-1]) if days else ()


def line_of(run: dg.DagsterRun) -> tuple[str | None, tuple[str, ...]]:
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


def _given_up(run: dg.DagsterRun) -> str | None:
    return NOT_TRIED if GIVEN_UP in run.tags else None


def _error_of(instance: dg.DagsterInstance, run_id: str) -> str:
    """What failed first, in one line: the stage, the class of the error, and its message."""
    failure = failure_in(instance, run_id)
    parts = (failure.step and _stage_of_step(failure.step), failure.kind, failure.said)
    return ": ".join(each for each in parts if each)


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
        if program is None or line_of(record.dagster_run)[0] == program:
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
