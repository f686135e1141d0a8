"""Jobs, and the runs of them that schedules and sensors ask for."""

import warnings
from collections.abc import Sequence
from typing import Any

import dagster as dg

from telefine_assets.assets.improvement_reports import STAGE as REPORT
from telefine_assets.assets.line import Line
from telefine_assets.automation.tags import ASKED_BY, FIRST, PRIORITY, PROGRAM, RANGE_END, RANGE_START, WATERMARK
from telefine_assets.settings.automation import AutomationSettings

LOADING = ("traces", "cleaned_traces")
"""Stages that can do a range of days in one run, and ask no language model."""

# The first two stages can do a range of days in one run, the others do one day in each; a job does one day anyway.
warnings.filterwarnings("ignore", message=r"Asset job .* materializes assets with varying BackfillPolicies")


def job_name(line: Line) -> str:
    """Name of the program's job."""
    return f"{line.name}_line"


def report_job_name(line: Line) -> str:
    """Name of the job that makes the program's improvement report."""
    return f"{line.name}_report"


def jobs_for(line: Line, automation: AutomationSettings) -> list[Any]:
    """One job for the program's whole line, of which runs of parts select their stages; one for its report."""
    return [
        dg.define_asset_job(
            job_name(line),
            selection=dg.AssetSelection.groups(line.name),
            description="Every stage of the program, from traces to payouts, for one day.",
            tags={PROGRAM: line.name, **automation.run_tags},
        ),
        dg.define_asset_job(
            report_job_name(line),
            selection=dg.AssetSelection.assets(line.key(REPORT)),
            description="The program's improvement report of one day.",
            tags={PROGRAM: line.name, **automation.run_tags},
        ),
    ]


def status_of(enabled: bool) -> dg.DefaultSensorStatus:
    """Whether a sensor ticks before anyone touched it."""
    return dg.DefaultSensorStatus.RUNNING if enabled else dg.DefaultSensorStatus.STOPPED


def asking(line: Line, by: str, watermark: str) -> dict[str, str]:
    """Tags of a run that a schedule or a sensor asks for."""
    return {PROGRAM: line.name, ASKED_BY: by, WATERMARK: watermark}


def making(line: Line, stages: Sequence[str], day: str, by: str, watermark: str) -> dg.RunRequest:
    """A request to make some stages of a day; all of them when none is named."""
    return dg.RunRequest(
        run_key=f"{' '.join(stages) or 'line'} {day} {watermark}",
        job_name=job_name(line),
        asset_selection=[line.key(stage) for stage in stages] or None,
        partition_key=day,
        tags=asking(line, by, watermark),
    )


def loading(line: Line, first: str, last: str, by: str, watermark: str) -> dg.RunRequest:
    """A request to load and clean the days from ``first`` to ``last``, both included, in one run.

    It comes before what is compiled in the same queue.
    """
    span = {} if first == last else {RANGE_START: first, RANGE_END: last}
    return dg.RunRequest(
        run_key=f"load {first} {last} {watermark}",
        job_name=job_name(line),
        asset_selection=[line.key(stage) for stage in LOADING],
        partition_key=first if first == last else None,
        tags={**asking(line, by, watermark), **span, PRIORITY: FIRST},
    )
