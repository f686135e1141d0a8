"""Two Celery workers against one: two programs are compiled on a model that takes its time.

Run: python -m telefine_assets_tests.benchmarks.cluster
Limit: two workers need at most four fifths of the time of one. Programs run beside one
another, days of one program do not; and here services, daemon and workers share one
machine's cores, so that only what waits for the model can be gained. The one worker
compiles a day, then both compile the day before it: the same work on other questions,
since what a model has answered is not asked again.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from telefine_assets.automation.celery_runs import answers_of, celery_of
from telefine_assets.control.driver import DagsterControl
from telefine_assets.control.records import RunRequest, RunStatus
from telefine_assets_tests.benchmarks.results import Result, report
from telefine_assets_tests.e2e.cluster import FIRST, PROGRAMS, SOONER, cluster, load_all
from telefine_assets_tests.knn_lm import knn_lm

LATENCY_SECONDS = 1.0
BEFORE = "2026-09-11"


def wait(control: DagsterControl, runs: list[str]) -> None:
    """Until all have succeeded."""
    for run_id in runs:
        *_, last = control.follow(run_id)
        if last.status is not RunStatus.SUCCEEDED:
            raise RuntimeError(f"{run_id}: {last}")


def seconds(control: DagsterControl, day: str) -> float:
    """How long a compile of each program takes, from the first request to the end of the last run."""
    start = time.perf_counter()
    asked = [RunRequest(program, ("compiled_programs",), day, day, "a benchmark") for program in PROGRAMS]
    wait(control, [run_id for each in asked for run_id in control.start(each)])
    return time.perf_counter() - start


def main() -> Iterator[Result]:
    """Measure both in one cluster, which takes a while to start."""
    with knn_lm() as lm, cluster(Path(tempfile.mkdtemp()), lm.api_base) as made:
        os.environ.update(made.machine("desk").environment)
        with made.opened("one") as control:
            wait(control, [load_all(control, program, FIRST, SOONER) for program in PROGRAMS])
            lm.latency_seconds = LATENCY_SECONDS
            one = seconds(control, SOONER)
            made.worker("two")
            made.until(lambda: len(answers_of(celery_of(control.instance))) == 2)
            two = seconds(control, BEFORE)
    yield Result(f"{len(PROGRAMS)} programs compiled on two Celery workers", two, "s", 0.8 * one, "one worker", one)


if __name__ == "__main__":
    report(main)
