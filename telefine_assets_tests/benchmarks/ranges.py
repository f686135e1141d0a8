"""A month of days in one run, against a run for each day: the Dagster command line, traces and cleaned traces.

Run: python -m telefine_assets_tests.benchmarks.ranges
Limit: the range takes at most a fifth of the time of its daily runs. Of those,
three are timed and taken for ten each; that both give the same bytes is a test
(``telefine_assets_tests/assets/test_ranges.py``).
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from telefine_assets.partitions import days_from
from telefine_assets_tests.benchmarks.measuring import store_of
from telefine_assets_tests.benchmarks.results import Result, report
from telefine_assets_tests.traces.deployment import SETTINGS
from telefine_assets_tests.traces.mlflow_store import copy_store

DAYS = days_from("2026-10-01", "2026-10-30")
TIMED = (0, 14, 29)
TRACES = 30_000


def run(home: Path, *partitions: str) -> float:
    """Seconds of one command."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = kept | {
        "TELEFINE_CONFIG": str(home / "telefine.yaml"),
        "DAGSTER_HOME": str(home / "dagster"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    dagster = Path(sys.executable).with_name("dagster")
    command = [dagster, "asset", "materialize", "-m", "telefine_assets.definitions"]
    start = time.perf_counter()
    subprocess.run(
        [*command, "--select", "tickets/traces,tickets/cleaned_traces", *partitions],
        check=True,
        cwd=home,
        env=environment,
        capture_output=True,
    )
    return time.perf_counter() - start


def deployment(template: Path) -> Path:
    """A fresh deployment over a copy of the generated store."""
    home = Path(tempfile.mkdtemp(prefix="telefine-ranges-"))
    copy_store(template, home / ".telefine")
    (home / "telefine.yaml").write_text(SETTINGS.format(first=DAYS[0], last=DAYS[-1]))
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return home


def main() -> Iterator[Result]:
    """Measure both."""
    template = Path(store_of(TRACES, len(DAYS)).removeprefix("sqlite:///")).parent
    whole = run(deployment(template), "--partition-range", f"{DAYS[0]}...{DAYS[-1]}")
    home = deployment(template)
    single = [run(home, "--partition", DAYS[number]) for number in TIMED]
    daily = sum(single) / len(single) * len(DAYS)
    what = f"{len(DAYS)} days of {TRACES // len(DAYS):,} traces in one run"
    yield Result(what, whole, "s", 0.2 * daily, "a run for each day", daily)


if __name__ == "__main__":
    report(main)
