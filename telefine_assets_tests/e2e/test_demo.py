"""The demonstration with the real embedded model, small: killed in the middle, completed, and run again."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from telefine_assets_tests.e2e.deployment import ROOT, Deployment

pytestmark = pytest.mark.model
SENTENCES = "21"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Two short days and a compile that is content with little."""
    home = tmp_path_factory.mktemp("demo")
    settings = yaml.safe_load((ROOT / "telefine.yaml").read_text())
    settings["partitions"] = {"start": "2026-11-02", "end": "2026-11-03"}
    settings["lm"]["embedded"] = {"threads": 2, "state_dir": str(home / "lm")}
    program = settings["programs"]["film_reviews"]
    program["compile"] |= {
        "min_train": 4,
        "min_validation": 2,
        "strategies": [{"strategy": "labeled_few_shot", "max_labeled_demos": 4}],
    }
    program["deltaone"]["min_items"] = 10
    (home / "telefine.yaml").write_text(yaml.safe_dump(settings))
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    return Deployment(home)


def test_the_demonstration_killed_anywhere_is_completed_by_starting_it_again(demo: Deployment) -> None:
    killed = demo.start("telefine", "demo", "--sentences", SENTENCES)
    deadline = time.monotonic() + 120
    while _traces(demo) < 8 and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert _traces(demo) < 56
    again = demo.run("telefine", "demo", "--sentences", SENTENCES)
    assert again.returncode == 0, again.stdout[-3000:]
    assert "Report" in again.stdout
    assert any(outcome in again.stdout for outcome in ("DeltaOne reached", "not reached", "no candidate"))


def test_nothing_was_doubled(demo: Deployment) -> None:
    with sqlite3.connect(demo.home / ".telefine" / "mlflow.db") as mlflow:
        keys = mlflow.execute("select value, count(*) from trace_tags where key = 'film.request' group by 1").fetchall()
        said = mlflow.execute("select count(*) from assessments group by trace_id, name, source_id").fetchall()
    assert len(keys) == 2 * (21 + 4 + 3)
    assert {count for _, count in keys} == {1}
    assert {count for (count,) in said} == {1}


def test_a_second_run_makes_nothing_again(demo: Deployment) -> None:
    before = demo.stored()
    again = demo.run("telefine", "demo", "--sentences", SENTENCES)
    assert again.returncode == 0, again.stdout[-3000:]
    assert again.stdout.count("materialised before") == 2
    assert demo.stored() == before


def test_the_pipeline_notices_the_broken_and_the_careless(demo: Deployment) -> None:
    from telefine_assets.demo.people import PEOPLE

    reports = [_record(demo, "cleaned_traces", day) for day in ("2026-11-02", "2026-11-03")]
    dropped = {reason for report in reports for reason in report["dropped"]}
    assert {"failed", "inputs_empty", "unlabelled"} <= dropped
    honest = {person.wallet for person in PEOPLE if person.habit == "diligent"}
    assert not honest & {wallet for report in reports for wallet in report["careless"]}


def test_the_model_is_asked_as_any_server_would_be(demo: Deployment) -> None:
    code = (
        "from telefine_assets.lm.embedded import embedded_model; import urllib.request, json, pathlib\n"
        f"with embedded_model(threads=2, state_dir=pathlib.Path({str(demo.home / 'lm')!r})) as served:\n"
        "    print(json.load(urllib.request.urlopen(served.api_base + '/models'))['data'][0]['id'])"
    )
    asked = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=demo.environment, timeout=120
    )
    assert asked.stdout.strip() == "gemma-3-270m-q4_k_m"


def _record(demo: Deployment, stage: str, day: str) -> dict:
    import json

    path: Path = demo.home / ".telefine" / "store" / "records" / "film_reviews" / stage / f"{day}.json"
    return dict(json.loads(path.read_text()))


def _traces(demo: Deployment) -> int:
    path = demo.home / ".telefine" / "mlflow.db"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as mlflow:
            return int(mlflow.execute("select count(*) from trace_info").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
