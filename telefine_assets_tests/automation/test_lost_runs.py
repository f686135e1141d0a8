"""A process is told from one that has its id by now; and what both dagster.yaml files say of runs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
import yaml

from telefine_assets.automation.lost_runs import lives

ROOT = Path(__file__).parents[2]
FILES = (ROOT / "dagster.yaml", ROOT / "telefine_assets" / "cli" / "init_files" / "dagster.yaml")


def test_a_process_lives_until_it_ends_also_while_nobody_has_asked_how_it_ended():
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    began = time.time()
    assert lives(process.pid, began)
    process.stdin.close()
    deadline = time.monotonic() + 30
    while lives(process.pid, began):
        assert time.monotonic() < deadline, "a zombie is no process"
        time.sleep(0.02)
    process.wait()
    assert not lives(process.pid, began)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="no /proc says when a process began")
def test_a_younger_process_with_the_id_of_an_older_one_is_another():
    assert lives(os.getpid(), time.time())
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    assert not lives(process.pid, time.time() - 600)
    process.communicate()


def test_a_process_of_somebody_else_lives():
    assert lives(1, time.time())


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
