"""A real daemon when things go wrong: what fails is tried again or told of, and no run stays behind for ever."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from telefine_assets.automation.lost_runs import lost_runs
from telefine_assets.definitions import build_defs
from telefine_assets.partitions import bounds_ms
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.control.home import FIRST, LAST, SETTINGS, Home
from telefine_assets_tests.knn_lm import KnnLm
from telefine_assets_tests.traces.mlflow_store import copy_store, fill

PATIENCE_SECONDS = 240
HANGS_SECONDS = 25.0
STARTED, QUEUED, FAILURE, SUCCESS = (
    getattr(dg.DagsterRunStatus, name) for name in ("STARTED", "QUEUED", "FAILURE", "SUCCESS")
)


class Watched(Home):
    """A deployment whose failures are watched, on a model that does as the test says."""

    def __init__(self, folder: Path, store: Path, api_base: str) -> None:
        values = yaml.safe_load(SETTINGS)
        values["lm"] |= {"api_base": api_base, "num_retries": 0, "timeout_seconds": 300}
        values["automation"] = {"watch_failures": True, "max_retries": 3, "run_timeout_minutes": 10}
        values["programs"] = {"tickets": values["programs"]["tickets"]}
        program = values["programs"]["tickets"]
        program["compile"] |= {"min_train": 2, "min_validation": 1}
        program["sensors"] = {"traces": {"enabled": True, "new_traces": 10, "every_minutes": 0.05}}
        program["cleaning"] = {
            "outcomes": [{"feedback": "resolved", "kind": "boolean"}],
            "expectations": {"team": "right_team"},
        }
        super().__init__(folder, store, yaml.safe_dump(values))
        file = folder / ".telefine" / "dagster" / "dagster.yaml"
        dagster = yaml.safe_load(file.read_text())
        dagster["run_monitoring"]["poll_interval_seconds"] = 1
        file.write_text(yaml.safe_dump(dagster))
        self.instance = dg.DagsterInstance.from_config(str(file.parent))
        self.log = folder / "daemon.log"

    def load(self) -> None:
        """Load and clean both days here, so that the first thing that the daemon asks for is a compile."""
        defs = build_defs(load_settings(self.telefine))
        done = dg.materialize(
            [*(defs.assets or ()), *(defs.asset_checks or ())],
            selection=dg.AssetSelection.assets("tickets/traces", "tickets/cleaned_traces"),
            instance=self.instance,
            resources=defs.resources,
            tags={"dagster/asset_partition_range_start": FIRST, "dagster/asset_partition_range_end": LAST},
        )
        assert done.success

    @contextmanager
    def daemon(self) -> Iterator[Any]:
        """Dagster's daemon with all that it starts."""
        with self.log.open("a") as log:
            process = self.start("dagster-daemon", "run", "-w", "workspace.yaml", output=log)
        try:
            yield process
        finally:
            for pid in family(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait()

    def runs(self, *statuses: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
        """Runs with one of these statuses, the newest first."""
        return list(self.instance.get_runs(dg.RunsFilter(statuses=list(statuses))))

    def failed(self, why: str) -> dg.DagsterRun | None:
        """The newest run that failed, if it was told why."""
        failed = self.runs(FAILURE)[:1]
        return next((run for run in failed if run.tags.get("telefine/failure", "").startswith(why)), None)

    def asks_again_after(self, failed: dg.DagsterRun) -> dg.DagsterRun | None:
        """The run that tries a failed one again, once it asks the model."""
        again = [run for run in self.runs(STARTED) if run.tags.get("telefine/retry_of") == failed.run_id]
        waits = again and self.instance.all_logs(again[0].run_id, of_type=dg.DagsterEventType.STEP_START)
        return again[0] if waits else None

    def until(self, holds: Callable[[], Any]) -> Any:
        """What ``holds`` gives once it gives something."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := holds()):
            seen = [(run.run_id[:8], run.status.value, run.tags.get("telefine/failure")) for run in self.runs()]
            assert time.monotonic() < deadline, (seen, self.log.read_text()[-3000:])
            time.sleep(0.2)
        return found

    def doctor(self) -> dict[str, Any]:
        """What the doctor says of lost runs."""
        process = self.telefine_process("doctor", "--no-lm", "--json")
        output, _ = process.communicate(timeout=60)
        (found,) = [each for each in json.loads(output[output.index("[\n") :]) if each["name"] == "lost runs"]
        return dict(found)


def family(pid: int) -> list[int]:
    """A process and all that come from it, the youngest first."""
    task = Path(f"/proc/{pid}/task")
    children = (
        [child for each in task.glob("*/children") for child in each.read_text().split()] if task.exists() else []
    )
    return [each for child in children for each in family(int(child))] + ([pid] if task.exists() else [])


def process_of(home: Watched, run: dg.DagsterRun) -> int:
    """The process that works at a run."""
    (begun,) = home.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_START)
    assert begun.dagster_event is not None
    return int(str(begun.dagster_event.pid))


@pytest.fixture
def home(tmp_path: Path, empty_template: Path, knn: KnnLm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    fill(copy_store(empty_template, tmp_path / "store"), 100, bounds_ms(FIRST)[0], days=2)
    made = Watched(tmp_path / "home", tmp_path / "store", knn.api_base)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    made.load()
    yield made
    made.instance.dispose()


def test_what_fails_for_a_moment_is_tried_again_and_what_lasts_too_long_is_told_of(home: Watched, knn: KnnLm) -> None:
    knn.always = (503, "0.01")
    with home.daemon():
        down = home.until(lambda: home.failed("transient: Unreachable"))
        knn.always, knn.latency_seconds = None, HANGS_SECONDS
        killed = home.until(lambda: home.asks_again_after(down))
        os.kill(process_of(home, killed), signal.SIGKILL)
        slow = home.until(lambda: home.asks_again_after(killed))
        died = home.failed("transient: ")
        assert died is not None and died.run_id == killed.run_id
        # As if the minutes of run_timeout_minutes were over.
        home.instance.add_run_tags(slow.run_id, {"dagster/max_runtime": "1"})
        ended = home.until(lambda: home.failed("permanent: Exceeded maximum runtime of 1 seconds"))
        assert ended.run_id == slow.run_id
        assert "raise automation.run_timeout_minutes" in ended.tags["telefine/failure"]
    assert not home.runs(STARTED, QUEUED)


def test_when_everything_is_killed_the_doctor_names_the_run_and_a_new_daemon_repeats_it(
    home: Watched, knn: KnnLm
) -> None:
    knn.latency_seconds = HANGS_SECONDS
    with home.daemon():
        (left,) = home.until(lambda: knn.calls and home.runs(STARTED))
        assert not lost_runs(home.instance)
    assert [run.run_id for run in home.runs(STARTED)] == [left.run_id], "nobody is left who could end it"
    told = home.doctor()
    assert (told["health"], left.run_id in told["said"]) == ("broken", True)
    assert told["cure"].startswith(f"telefine stop {left.run_id}")
    knn.latency_seconds = 0
    with home.daemon():
        home.until(lambda: [run for run in home.runs(SUCCESS) if run.tags.get("telefine/retry_of") == left.run_id])
    assert home.failed("transient: ").run_id == left.run_id
    assert not home.runs(STARTED, QUEUED)
