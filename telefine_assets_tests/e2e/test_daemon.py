"""A real daemon: traces that an application logs lead to a compile, and nobody lifts a hand."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from telefine_assets_tests.e2e.deployment import ROOT, Deployment, make_deployment
from telefine_assets_tests.knn_lm import knn_lm

LOGGED, ENOUGH = 14, 10
PATIENCE_SECONDS = 150


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment whose trace-volume sensor is on, with an MLflow that has an experiment and no trace."""
    with knn_lm() as lm:
        made = make_deployment(tmp_path, lm.api_base)
        file = tmp_path / "telefine.yaml"
        settings = yaml.safe_load(file.read_text())
        settings["partitions"] = {"start": (datetime.now(UTC).date() - timedelta(days=2)).isoformat(), "today": True}
        settings["automation"] = {"run_timeout_minutes": 10, "follow_up": True}
        program = settings["programs"]["tickets"]
        program["compile"] |= {"min_train": 2, "min_validation": 1, "strategies": [{"strategy": "labeled_few_shot"}]}
        program["sensors"] = {"traces": {"enabled": True, "new_traces": ENOUGH, "every_minutes": 0.05}}
        file.write_text(yaml.safe_dump(settings))
        create = "import mlflow, sys; mlflow.set_tracking_uri(sys.argv[1]); mlflow.create_experiment('tickets')"
        asked = made.run(sys.executable, "-c", create, f"sqlite:///{tmp_path / '.telefine' / 'mlflow.db'}")
        assert asked.returncode == 0, asked.stdout[-2000:]
        yield made


def test_logged_traces_lead_to_a_compile_within_two_ticks_and_that_to_a_report(deployment: Deployment) -> None:
    daemon = deployment.start("dagster-daemon", "run", "-w", str(ROOT / "workspace.yaml"))
    try:
        logged = deployment.run(sys.executable, "-m", "telefine_assets_tests.e2e.logging_now", str(LOGGED))
        assert "logged" in logged.stdout, logged.stdout[-2000:]
        at = time.time()
        with dg.DagsterInstance.from_config(str(deployment.home / "dagster")) as instance:
            run = _ended(instance, dg.AssetKey(["tickets", "compiled_programs"]))
            assert run.status == dg.DagsterRunStatus.SUCCESS
            assert run.tags["dagster/max_runtime"] == "600"
            told = _ticks(instance, at, run.run_id)
            after = _ended(instance, dg.AssetKey(["tickets", "deltaone_reports"]))
            assert after.tags["telefine/asked_by"] == "tickets_follow_up"
            assert after.tags["dagster/partition"] == run.tags["dagster/partition"]
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        output, _ = daemon.communicate(timeout=60)
    # What waits for the load that the tick before asked for is no further tick: the sensor is asked every 3 s here.
    counted = [said for said in told if "has not ended" not in said]
    assert 1 <= len(counted) <= 2, (told, output[-3000:])
    day = run.tags["dagster/partition"]
    assert len(list(deployment.record_path("cleaned_traces", day).parent.iterdir())) >= 2
    assert deployment.record("compiled_programs", day)["trainset"]["n"] >= 2


def _ended(instance: dg.DagsterInstance, key: dg.AssetKey) -> dg.DagsterRun:
    """The run that makes an asset, once it has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for run in instance.get_runs():
            if key in (run.asset_selection or ()) and run.is_finished:
                return run
        time.sleep(0.3)
    raise AssertionError([(run.job_name, run.status, run.tags, run.asset_selection) for run in instance.get_runs()])


def _ticks(instance: dg.DagsterInstance, after: float, run_id: str) -> list[str]:
    """What the sensor said in its ticks from a moment to the one that asked for a run."""
    (state,) = [each for each in instance.all_instigator_state() if each.instigator_name == "tickets_trace_volume"]
    ticks = sorted(instance.get_ticks(state.instigator_origin_id, state.selector_id), key=lambda tick: tick.timestamp)
    assert not [tick.error for tick in ticks if tick.error]
    (asked,) = [tick.timestamp for tick in ticks if run_id in tick.run_ids]
    return [
        tick.skip_reason or ", ".join(tick.run_keys) for tick in ticks if min(after, asked) <= tick.timestamp <= asked
    ]
