"""How far a long stage has come, for those who look while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from telefine_assets.programs.tournament import Progress, Watch
    from telefine_assets.resources.mlflow_runs import RunLog

TAG = "telefine/progress"


def watcher(context: dg.AssetExecutionContext, run: RunLog) -> Watch:
    """Tells of a tournament's progress in the log, in a tag of the Dagster run and in metrics of the MLflow run."""

    def told(progress: Progress) -> None:
        context.log.info(str(progress))
        try:
            context.instance.add_run_tags(context.run_id, {TAG: str(progress)})
            run.metrics({"progress_best": progress.best_ppm / 1e6, "progress_lm_calls": progress.spent.calls})
        except Exception as error:  # noqa: BLE001 - whoever looks misses a line; the compile goes on
            context.log.warning(f"progress could not be shown: {error}")

    return told
