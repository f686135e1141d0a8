"""Bootstrapping with 8 calls in flight, beside DSPy's own, one call at a time.

Run: python -m telefine_assets_tests.benchmarks.bootstrapping [demos]
Limit: at least 5 times faster with a model that takes 50 ms for an answer. The programs must be the same.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from telefine_assets.programs.state import dump_state
from telefine_assets.programs.strategies import Task, propose
from telefine_assets.settings.compile import BootstrapFewShotSettings
from telefine_assets_tests.benchmarks.results import Result, report
from telefine_assets_tests.knn_lm import KnnLm, knn_lm
from telefine_assets_tests.programs.strategies.tasks import task_on

LATENCY_SECONDS = 0.05
LIMIT = 5
IN_FLIGHT = 8


@contextmanager
def slow_model(latency_seconds: float = LATENCY_SECONDS) -> Iterator[KnnLm]:
    """The stand-in model in a process of its own, as a model is; what it was asked stays there."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, latency_seconds), daemon=True)
    process.start()
    try:
        yield KnnLm(here.recv())
    finally:
        here.send("done")
        process.join()


def _serve(pipe: Any, latency_seconds: float) -> None:
    with knn_lm() as knn:
        knn.latency_seconds = latency_seconds
        pipe.send(knn.api_base)
        pipe.recv()


def by_dspy(task: Task, settings: BootstrapFewShotSettings) -> Any:
    """DSPy's own program."""
    import dspy

    optimiser = dspy.BootstrapFewShot(
        metric=task.scorer(),
        max_bootstrapped_demos=settings.max_bootstrapped_demos,
        max_labeled_demos=settings.max_labeled_demos,
        max_errors=1_000,
    )
    with task.context():
        return optimiser.compile(task.student, trainset=list(task.trainset))


def by_telefine(task: Task, settings: BootstrapFewShotSettings) -> Any:
    """Ours."""
    return next(propose(settings, task)).module


def timed(run: Callable[[Task, Any], Any], demos: int) -> tuple[float, dict[str, Any], int]:
    """Seconds (the best of three runs), the program's state, and how many calls were made."""
    settings = BootstrapFewShotSettings(max_bootstrapped_demos=demos, max_labeled_demos=16)
    with slow_model() as model, task_on(model, train=3 * demos, in_flight=IN_FLIGHT) as task:
        by_telefine(task, BootstrapFewShotSettings(max_bootstrapped_demos=1))
        runs = []
        for _ in range(3):
            before, started = task.lm.spent.calls, time.perf_counter()
            module = run(task, settings)
            runs.append((time.perf_counter() - started, dump_state(module), task.lm.spent.calls - before))
        return min(runs, key=lambda each: each[0])


def main(demos: int = 60) -> Iterator[Result]:
    """Measure both; the programs must be the same."""
    serial, theirs, few = timed(by_dspy, demos)
    parallel, ours, more = timed(by_telefine, demos)
    if ours != theirs:
        raise SystemExit("the programs differ")
    print(f"calls: {few} by DSPy, {more} by ours, {IN_FLIGHT} in flight")
    at = f"{demos} demos bootstrapped at {LATENCY_SECONDS * 1000:.0f} ms a call"
    yield Result(at, parallel, "s", serial / LIMIT, "DSPy's BootstrapFewShot", serial)


if __name__ == "__main__":
    report(main)
