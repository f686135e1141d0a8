"""Checks of a cluster: its workers answer, and nothing that all machines need is on the disk of one.

Both are skipped where Dagster's launcher is not Celery's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from telefine_assets.automation.celery_life import keeps_signs
from telefine_assets.automation.celery_runs import celery_of, replies_of
from telefine_assets.control.driver import open_control
from telefine_assets.control.health import Broken, Check, Skipped

if TYPE_CHECKING:
    from telefine_assets.settings.schema import Settings

_WORKER = "celery -A telefine_assets.control.worker worker --concurrency 1"
_BROKER = "start the broker, and look at CELERY_BROKER_URL and CELERY_RESULT_BACKEND"


def workers(settings: Settings) -> str:
    """Broker and result backend answer, and so does a worker."""
    app = _app(settings)
    backend = str(app.conf.result_backend or "")
    if not backend or backend.startswith("rpc"):
        raise Broken(
            f"the result backend {backend or 'is not set, and'} tells nobody of tasks that others began: Dagster would "
            "take each run for failed",
            "set CELERY_RESULT_BACKEND to a database that all machines reach, such as Redis",
        )
    if not keeps_signs(app):
        raise Broken(
            "the result backend is not Redis, and holds no signs of life: a worker that is told to end and finishes "
            "its run would be taken for lost, and the run be made twice",
            "set CELERY_RESULT_BACKEND to a Redis that all machines reach",
        )
    replies = replies_of(app)
    if not replies:
        raise Broken("no Celery worker answers", f"start one on every machine that is to work: {_WORKER}")
    names = Counter(worker for worker, _ in replies)
    if twice := sorted(name for name, times in names.items() if times > 1):
        raise Broken(
            f"several workers have the same name: {', '.join(twice)}", f"give each its own: {_WORKER} -n one@%h"
        )
    # The state of no task: whether the backend can be asked at all.
    app.AsyncResult("telefine-doctor").state  # noqa: B018 - asking is what it does
    busy = sum(len(tasks) for _, tasks in replies)
    return f"{len(names)} answer ({', '.join(sorted(names))}), and work at {busy} runs"


def shared(settings: Settings) -> str:
    """Whatever all machines need can be reached from all of them."""
    _app(settings)
    if found := [*_on_one_disk(settings)]:
        raise Broken(
            f"on the disk of this machine alone: {', '.join(found)}",
            "choose the profile (TELEFINE_PROFILE=cluster), or set them to what every machine reaches",
        )
    return "store, ledger, MLflow and Dagster's storage are on nobody's disk"


def _app(settings: Settings) -> Any:
    with closing(open_control(settings)) as control:
        app = celery_of(control.instance)
    if app is None:
        raise Skipped("runs are made on this machine, not by Celery's workers")
    return app


def _on_one_disk(settings: Settings) -> Iterator[str]:
    places = {"store.uri": settings.store.uri, "mlflow.artifacts": settings.mlflow.artifacts}
    yield from (name for name, uri in places.items() if uri.startswith(("/", "file:", "local:")))
    databases = {"ledger.url": settings.ledger.url, "mlflow.tracking_uri": settings.mlflow.tracking_uri}
    yield from (name for name, url in databases.items() if url.startswith("sqlite"))
    with closing(open_control(settings)) as control:
        if "sqlite" in control.instance.info_str().lower():
            yield "storage in dagster.yaml"


CLUSTER = (
    Check("Celery workers", workers, _BROKER),
    Check("shared places", shared, "look at DAGSTER_HOME and its dagster.yaml"),
)
