"""Dagster's finished runs, as far as retention knows them. Their events go with them, and what they said of assets."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from telefine_assets.keeping.retention import Run

if TYPE_CHECKING:
    import dagster as dg


class DagsterRuns:
    """The runs of an instance."""

    kind = "dagster run"

    def __init__(self, instance: dg.DagsterInstance) -> None:
        """Use ``instance``."""
        self._instance = instance

    def ended_before(self, moment: datetime) -> Iterable[Run]:
        """Finished runs that ended before a moment; no proof rests on any of them."""
        import dagster as dg

        ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
        found = self._instance.get_run_records(dg.RunsFilter(statuses=ended, updated_before=moment))
        return [Run(each.dagster_run.run_id) for each in found if (each.end_time or 0) < moment.timestamp()]

    def remove(self, run_id: str) -> None:
        """Remove a run and its events; one that is gone stays so."""
        if self._instance.has_run(run_id):
            self._instance.delete_run(run_id)
