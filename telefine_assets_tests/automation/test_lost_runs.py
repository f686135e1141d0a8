"""A process is told from one that has its id by now; and what both dagster.yaml files say of runs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
import yaml

from telefine_assets.automation import lost_runs
from telefine_assets.automation.lost_runs import process_of
from telefine_assets.observing.observer import UNOBSERVED
from telefine_assets.settings.automation import AutomationSettings

ROOT = Path(__file__).parents[2]
FILES = (ROOT / "dagster.yaml", ROOT / "telefine_assets" / "cli" / "init_files" / "dagster.yaml")


@dg.job
def anything():
    """A job without work."""


@pytest.fixture
def instance():
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def process(monkeypatch):
    """What works at every run."""
    made = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    monkeypatch.setattr(lost_runs, "_pid", lambda instance, run: made.pid)
    yield made
    made.communicate()


def begun(instance):
    return instance.create_run_for_job(anything, status=dg.DagsterRunStatus.STARTED)


def lost(instance, known):
    found, processes = lost_runs.look(instance, known)
    return [run.run_id for run in found], processes


def test_a_process_is_one_until_it_ends_also_while_nobody_has_asked_how_it_ended(process):
    its_name = process_of(process.pid)
    assert its_name == process_of(process.pid) != process_of(os.getpid())
    process.stdin.close()
    deadline = time.monotonic() + 120
    while process_of(process.pid):
        assert time.monotonic() < deadline, "a zombie is no process"
        time.sleep(0.02)
    process.stdin = None
    process.wait()
    assert process_of(process.pid) == ""
    assert process_of(1)


def test_a_run_is_lost_when_another_process_has_the_id_of_its_own_whatever_the_clock_says(
    instance, process, monkeypatch
):
    run = begun(instance)
    none, first = lost(instance, {})
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert (none, lost(instance, first)) == ([], ([], first))
    other = {key: f"{name}0" for key, name in first.items()}
    assert lost(instance, other) == ([run.run_id], other), "and stays lost"
    process.communicate()
    assert lost(instance, first) == ([run.run_id], first)
    assert lost(instance, {}) == ([run.run_id], dict.fromkeys(first, "")), "who takes the id later is not its own"


@pytest.mark.parametrize(
    ("ticks", "ended"),
    [((0, 30, 59), False), ((0, 30, 60), True), ((0, 310), False), ((0, 10, 310, 340, 369), False), ((900, 0), False)],
    ids=["not yet", "silent all the while", "a gap", "anew after a gap", "a clock set back"],
)
def test_a_worker_is_lost_when_it_was_silent_at_every_tick(instance, monkeypatch, ticks, ended):
    run, cursor = begun(instance), None
    monkeypatch.setattr(lost_runs, "celery_of", lambda _: "an app")
    monkeypatch.setattr(lost_runs, "abandoned", lambda *_: [run])
    sensor = lost_runs.lost_runs_sensor(AutomationSettings(silent_worker_seconds=60), UNOBSERVED)
    for second in ticks:
        monkeypatch.setattr(lost_runs.time, "time", lambda at=second: 1_800_000_000.0 + at)
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        sensor(context)
        cursor = context.cursor
    status = instance.get_run_by_id(run.run_id).status
    assert (status is dg.DagsterRunStatus.FAILURE) == ended


def test_a_new_deployment_has_the_same_instance_as_this_checkout():
    one, other = (yaml.safe_load(file.read_text()) for file in FILES)
    assert one == other


@pytest.mark.parametrize("file", FILES, ids=["checkout", "init"])
def test_dagster_understands_the_limits_of_the_queue_and_watches_runs(file, tmp_path):
    (tmp_path / "dagster.yaml").write_text(file.read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        queue = instance.get_concurrency_config().run_queue_config
        assert queue.max_concurrent_runs == 1
        assert [each["key"] for each in queue.tag_concurrency_limits] == ["telefine/program"]
        assert instance.run_monitoring_enabled
        assert not instance.run_retries_enabled, "one owner of retries"
        assert isinstance(instance.run_launcher, dg.DefaultRunLauncher), "whose lost runs telefine_lost_runs ends"
