"""The Celery app of a cluster's workers: ``celery -A telefine_assets.control.worker worker --concurrency 1``.

Broker, result backend and all else are those of the launcher in Dagster's own
``dagster.yaml``: a worker cannot listen where nobody sends, and no password is in
a file. What it does with a task is dagster-celery's own; beside it, the task gives
signs of life.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from telefine_assets.automation.celery_life import give_signs
from telefine_assets.automation.celery_runs import celery_of
from telefine_assets.control.errors import ControlError, asking


@cache
def app_of_instance() -> Any:
    """The app of the launcher in ``$DAGSTER_HOME/dagster.yaml``, with the task that is a run.

    Raises:
        ControlError: the instance cannot be opened, or launches no runs through Celery.
    """
    import dagster as dg
    from dagster_celery.tasks import create_execute_job_task

    with asking("the Dagster instance cannot be opened", "set DAGSTER_HOME, and look at its dagster.yaml"):
        app = celery_of(dg.DagsterInstance.get())
    if app is None:
        raise ControlError(
            "dagster.yaml launches no runs through Celery: `telefine init DIR --profile cluster` writes one that does"
        )
    create_execute_job_task(app)
    give_signs(app)
    return app


def __getattr__(name: str) -> Any:
    """``app``, made when Celery asks for it: whoever only imports this module needs no instance."""
    if name == "app":
        return app_of_instance()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
