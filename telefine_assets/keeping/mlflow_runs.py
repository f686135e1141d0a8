"""The stages' runs in MLflow, as far as retention knows them.

MLflow marks a deleted run, and its own ``mlflow gc`` removes the files.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from telefine_assets.keeping.retention import Run

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PAGE = 1000


class MlflowRuns:
    """The runs of the experiments ``telefine/<program>``."""

    kind = "mlflow run"

    def __init__(self, client: MlflowClient, programs: Iterable[str]) -> None:
        """Use ``client``, for the runs of ``programs``."""
        self._client, self._programs = client, tuple(programs)

    def ended_before(self, moment: datetime) -> Iterable[Run]:
        """Finished runs that ended before a moment, each with its day."""
        limit = int(moment.timestamp() * 1000)
        for program in self._programs:
            experiment = self._client.get_experiment_by_name(f"telefine/{program}")
            token: str | None = None
            while experiment is not None:
                query = f"attributes.end_time < {limit}"
                page = self._client.search_runs([experiment.experiment_id], query, max_results=_PAGE, page_token=token)
                for run in page:
                    day = run.data.tags.get("telefine.day")
                    yield Run(run.info.run_id, (program, day) if day else None)
                token = page.token
                if not token:
                    break

    def remove(self, run_id: str) -> None:
        """Mark a run as deleted; marking it again changes nothing."""
        self._client.delete_run(run_id)
