"""How far a long stage has come, for those who look while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from telefine_assets.programs.tournament import Progress, Watch
    from telefine_assets.resources.mlflow_runs import RunLog

TAG = "telefine/progress"


def counter(context: dg.AssetExecutionContext, what: str) -> Callable[[int, int], None]:
    """Tells how many of something are done, every tenth part of it, in the log and in a tag of the Dagster run."""

    def told(done: int, of: int) -> None:
        if done * 10 // of > (done - 1) * 10 // of:
            _tell(context, f"{done:,} of {of:,} {what}", lambda: None)

    return told


def teller(context: dg.AssetExecutionContext) -> Callable[[str], None]:
    """Tells a line as it is, in the log and in a tag of the Dagster run; threads may share it."""
    return lambda line: _tell(context, line, lambda: None)


def watcher(context: dg.AssetExecutionContext, run: RunLog) -> Watch:
    """Tells of a tournament's progress in the log, in a tag of the Dagster run and in metrics of the MLflow run."""

    def told(progress: Progress) -> None:
        metrics = {"progress_best": progress.best_ppm / 1e6, "progress_lm_calls": progress.spent.calls}
        _tell(context, str(progress), lambda: run.metrics(metrics))

    return told


def _tell(context: dg.AssetExecutionContext, line: str, also: Callable[[], None]) -> None:
    context.log.info(line)
    try:
        context.instance.add_run_tags(context.run_id, {TAG: line})
        also()
    except Exception as error:  # noqa: BLE001 - whoever looks misses a line; the work goes on
        context.log.warning(f"progress could not be shown: {error}")
