"""``mlflow.run_per: dagster_run``: dagster-mlflow's run, with a guard on how it ends.

dagster-mlflow's ``mlflow_tracking`` opens one MLflow run for a whole Dagster run;
its hook is meant to end it. The hook is not used here: hooks on assets do not
have their resources opened, checks have no hooks, and a run in which a step
failed can end FINISHED. The Dagster run's own events decide instead.

dagster-mlflow sets MLflow's tracking URI and active run for the whole process.
That is why this is not the default.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import dagster as dg

from telefine_assets.resources.mlflow_runs import MlflowResource, RunLog, client_of


class SharedRunMlflowResource(MlflowResource):
    """MLflow, logging into the run that dagster-mlflow opened for the whole Dagster run."""

    experiment: str

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        """Open dagster-mlflow's run, and end it as the Dagster run ends."""
        from dagster_mlflow import mlflow_tracking

        config: dict[str, Any] = {
            "experiment_name": self.experiment,
            "mlflow_tracking_uri": self.tracking_uri,
            "parent_run_id": None,
            "mlflow_run_id": None,
            "env": {},
            "env_to_tag": None,
            "extra_tags": {},
        }
        # Made here, and not by dagster-mlflow, so that its artifacts lie where the others do.
        self.experiment_id(self.experiment)
        opening = mlflow_tracking.resource_fn(context.replace_config(config))
        run = next(opening)
        try:
            yield self
        finally:
            next(opening, None)
            run.end_run()
            client = client_of(self.tracking_uri)
            client.set_terminated(self._shared_run(client, run.dagster_run_id), status=_status(context))

    @contextmanager
    def run(self, program: str, stage: str, day: str, dagster_run_id: str) -> Iterator[RunLog]:
        """The Dagster run's MLflow run; each stage and day has names of its own in it."""
        client = client_of(self.tracking_uri)
        run_id = self._shared_run(client, dagster_run_id)
        url = self.run_url(self.experiment_id(self.experiment), run_id)
        yield RunLog(client, run_id, url, self.owner, f"{program}/{stage}/{day}/")

    def _shared_run(self, client: Any, dagster_run_id: str) -> str:
        """The MLflow run of a Dagster run; the oldest, should there be a second."""
        found = client.search_runs(
            [self.experiment_id(self.experiment)],
            f"tags.dagster_run_id = '{dagster_run_id}'",
            max_results=1,
            order_by=["attributes.start_time ASC"],
        )
        return str(found[0].info.run_id)


def _status(context: dg.InitResourceContext) -> str:
    """FAILED when a step of the Dagster run failed, else FINISHED."""
    if context.instance is None or context.run is None:
        return "FINISHED"
    failures = context.instance.all_logs(context.run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    return "FAILED" if failures else "FINISHED"
