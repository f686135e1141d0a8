"""Dagster's own ways with a deployment: one MLflow run for a whole run, and its web server."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from telefine_assets_tests.e2e.deployment import DAYS, ROOT, make_deployment
from telefine_assets_tests.knn_lm import knn_lm


def test_with_run_per_dagster_run_one_mlflow_run_spans_the_dagster_run_and_fails_with_it(
    tmp_path: Path,
) -> None:
    with knn_lm() as lm:
        made = make_deployment(tmp_path, lm.api_base, run_per="dagster_run")
        assert made.run(sys.executable, "-m", "telefine_assets_tests.e2e.production").returncode == 0
        fine = made.materialise(DAYS[0])
        assert fine.returncode == 0, fine.stdout[-3000:]
        failing = made.materialise(DAYS[1], 'key:"tickets/compiled_programs"+')
    assert failing.returncode != 0
    with sqlite3.connect(made.home / ".telefine" / "mlflow.db") as mlflow:
        runs = mlflow.execute(
            "select r.status, t.value from runs r join tags t on t.run_uuid = r.run_uuid and t.key = 'dagster_run_id'"
            " order by r.start_time"
        ).fetchall()
    assert [status for status, _ in runs] == ["FINISHED", "FAILED"]
    assert len({run for _, run in runs}) == 2


def test_dagster_dev_serves_the_graph_on_loopback(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = make_deployment(tmp_path, "http://127.0.0.1:9/v1").start(
        "dagster", "dev", "-w", str(ROOT / "workspace.yaml"), "--host", "127.0.0.1", "--port", str(port)
    )
    query = json.dumps({"query": "{assetNodes {assetKey {path}}}"}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", query, {"Content-Type": "application/json"})
    nodes: list[dict[str, dict[str, list[str]]]] = []
    deadline = time.monotonic() + 240
    try:
        while len(nodes) < 8 and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(request, timeout=10) as response:
                    nodes = json.load(response)["data"]["assetNodes"]
            except (OSError, urllib.error.URLError):
                time.sleep(0.5)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.communicate()
    assert {tuple(node["assetKey"]["path"]) for node in nodes} >= {("tickets", "traces"), ("tickets", "champions")}
