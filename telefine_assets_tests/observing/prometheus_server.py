"""A real Prometheus that scrapes an API, and what dashboards and rules ask of it."""

import json
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
CONFIG = DEPLOY / "prometheus" / "prometheus.yml"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
SCRAPE_SECONDS = 1

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="no prometheus and promtool on PATH: apt-get install --no-install-recommends prometheus",
)


def panels():
    """Every panel of every dashboard that shows something, with its dashboard's name."""
    return [
        (file.stem, panel)
        for file in DASHBOARDS
        for panel in json.loads(file.read_text())["panels"]
        if panel["type"] != "row"
    ]


def queries():
    """Every PromQL expression of dashboards, with what Grafana puts in filled in."""
    found = {target["expr"] for _, panel in panels() for target in panel["targets"]}
    return sorted(
        each.replace("$program", ".*").replace("$__rate_interval", "1m").replace("$__range", "1m") for each in found
    )


def rules():
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return group["rules"]


@contextmanager
def scraping(api, folder):
    """A Prometheus that has scraped the API a few times: asked with an expression, it says what it answers."""
    config = yaml.safe_load(CONFIG.read_text())
    (folder / "telefine.key").write_text(api.key)
    (job,) = (each for each in config["scrape_configs"] if each["job_name"] == "telefine")
    job["static_configs"][0]["targets"] = [f"127.0.0.1:{api.port}"]
    job["authorization"]["credentials_file"] = str(folder / "telefine.key")
    seconds = f"{SCRAPE_SECONDS}s"
    config["global"] = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), seconds)
    config |= {"scrape_configs": [job], "rule_files": [str(RULES)]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, "--web.listen-address=127.0.0.1:0"], stderr=log)
    try:
        base = f"http://127.0.0.1:{listening(folder / 'log')}/api/v1"
        ask = asking(base)
        # A rate needs more than one; the first takes long, for everything is read for it.
        waited_for(lambda: ask("min(count_over_time(telefine_ready[1m])) >= 3"))
        yield ask
    finally:
        process.terminate()
        process.wait(timeout=20)


def asking(base):
    def ask(query, path="query"):
        answer = httpx.get(f"{base}/{path}", params={"query": query}, timeout=10, trust_env=False).json()
        assert answer["status"] == "success", (query, answer)
        return answer["data"]["result"] if path == "query" else answer["data"]

    return ask


def listening(log):
    """The port that Prometheus chose, read from its log."""

    def found():
        # It says which address it was given, and the system says which one it took.
        return re.search(r'msg="Listening on" address=127\.0\.0\.1:(\d+)', log.read_text())

    waited_for(found)
    return int(found()[1])


def waited_for(true, seconds=60):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.1)


def told(prometheus):
    (group,) = prometheus("", "rules")["groups"]
    return group["rules"]
