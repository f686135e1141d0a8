"""A run whose worker is ending is at work; one whose worker is gone is not; two workers of one name are two."""

import importlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from telefine_assets.automation import celery_runs
from telefine_assets.automation.celery_life import living
from telefine_assets.automation.celery_runs import TASK, abandoned, answers_of, replies_of
from telefine_assets.control import celery_stopping
from telefine_assets.control.celery_stopping import stop_task
from telefine_assets.control.errors import ControlError
from telefine_assets_tests.e2e.cluster import redis_server

MODULE = "telefine_assets_tests.automation.celery_app"
STARTED = dg.DagsterRunStatus.STARTED


@dg.job
def anything() -> None:
    """A job without work."""


@pytest.fixture
def lasting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with redis_server(tmp_path) as address:
        monkeypatch.setenv("LASTING_REDIS", address)
        module = importlib.import_module(MODULE)
        with closing(module.app):
            yield module
        sys.modules.pop(MODULE)


@pytest.fixture
def worker(lasting: Any, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    celery = str(Path(sys.executable).parent / "celery")
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [celery, "-A", MODULE, "worker", "--concurrency", "1"], stdout=log, stderr=subprocess.STDOUT
        )
        yield process
        process.kill()
        process.wait()


def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 180
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_that_finishes_its_run_before_it_ends_has_it_still(
    lasting: Any, worker: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_runs, "_ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(celery_stopping, "_SECONDS", 0.5)
    app, task = lasting.app, lasting.last.delay().id
    until(lambda: living(app, [task]) == {task})
    worker.terminate()
    until(lambda: answers_of(app) == {})
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(anything, status=STARTED, tags={TASK: task})
        assert abandoned(instance, app, [run]) == []
        monkeypatch.setattr(instance.run_launcher, "terminate", lambda run_id: True)
        with pytest.raises(ControlError, match="still works at run"):
            stop_task(instance, app, run, "a test")
        app.backend.client.set("end", 1)
        worker.wait()
        assert abandoned(instance, app, [run]), "it gave no sign any more when it had done it"


def test_what_two_workers_of_one_name_work_at_is_all_found() -> None:
    said = [{"celery@here": [{"id": "a"}]}, {"celery@here": [{"id": "b"}]}, {"one@here": []}]
    app = SimpleNamespace(control=SimpleNamespace(broadcast=lambda *_, **__: said))
    assert [worker for worker, _ in replies_of(app)] == ["celery@here", "celery@here", "one@here"]
    assert answers_of(app) == {"celery@here": ["a", "b"], "one@here": []}
