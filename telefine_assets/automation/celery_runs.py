"""What Celery's workers say of the runs that Dagster gave them: with dagster-celery's launcher one run is one task.

Nobody else can tell that a worker was killed: its task stays ``STARTED`` in the
result backend, which is what Dagster's run monitoring asks. A worker that lives
answers for itself, from whatever machine it is asked; while it is ending, its run
gives signs of life (``celery_life``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telefine_assets.automation.celery_life import living

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import dagster as dg

TASK = "dagster-celery/task_id"
"""Tag of a run: the task that it is."""
_ANSWER_SECONDS = 3.0


def launcher_of(instance: dg.DagsterInstance) -> str:
    """The class that launches an instance's runs, by name.

    It is not made for that: Kubernetes' can be made only where a pod has its token, and the API's has none.
    """
    data = instance.get_ref().run_launcher_data if instance.is_persistent else None
    return type(instance.run_launcher).__name__ if data is None else data.class_name


def celery_of(instance: dg.DagsterInstance) -> Any | None:
    """The Celery app through which an instance launches its runs; None where it launches them otherwise."""
    return getattr(instance.run_launcher, "celery", None) if launcher_of(instance) == "CeleryRunLauncher" else None


def replies_of(app: Any) -> Sequence[tuple[str, Sequence[str]]]:
    """Each worker that answers within three seconds, by name, and the tasks it works at; two may have one name.

    Raises:
        kombu.exceptions.OperationalError: the broker cannot be reached.
    """
    replies = app.control.broadcast("active", reply=True, timeout=_ANSWER_SECONDS) or []
    return [(worker, [task["id"] for task in tasks]) for reply in replies for worker, tasks in reply.items()]


def answers_of(app: Any) -> Mapping[str, Sequence[str]]:
    """The tasks that are being worked at, by the name of the workers that answer within three seconds.

    Raises:
        kombu.exceptions.OperationalError: the broker cannot be reached.
    """
    found: dict[str, list[str]] = {}
    for worker, tasks in replies_of(app):
        found.setdefault(worker, []).extend(tasks)
    return found


def abandoned(instance: dg.DagsterInstance, app: Any, runs: Sequence[dg.DagsterRun]) -> list[dg.DagsterRun]:
    """Those of ``runs`` that Celery was given, that nobody works at, and that have not ended.

    Somebody works at one that a worker says it works at, or that gives signs of life.
    """
    tasks = [run for run in runs if TASK in run.tags]
    if not tasks:
        return []
    at_work = {task for found in answers_of(app).values() for task in found}
    at_work |= living(app, [run.tags[TASK] for run in tasks])
    idle = [run.run_id for run in tasks if run.tags[TASK] not in at_work]
    # Asked again: who ended while the workers were asked is at work nowhere either.
    now = (instance.get_run_by_id(each) for each in idle)
    return [run for run in now if run is not None and not run.is_finished]
