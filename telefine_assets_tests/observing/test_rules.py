"""Dashboards and alert rules as files: valid, readable, and each alert tried on what is bad and on what is good."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import yaml

from telefine_assets.observing.logs import CONTEXT, EXTRA
from telefine_assets_tests.observing.metrics_table import GUIDE
from telefine_assets_tests.observing.prometheus_server import (
    CONFIG,
    DASHBOARDS,
    DEPLOY,
    RULES,
    needs_prometheus,
    panels,
    queries,
    rules,
)

CASES = Path(__file__).with_name("alert_cases")
SUMMED = re.compile(r"sum by \([^)]*\) \((?:\s*(?:increase|rate)\()?\s*(telefine_\w+)")
EACH_ITS_OWN = (
    "telefine_lm_",
    "telefine_stage_runs_",
    "telefine_stage_duration_",
    "telefine_stage_errors_",
    "telefine_http_",
)


@needs_prometheus
def test_the_configurations_are_valid_and_every_alert_fires_on_what_is_bad_and_on_nothing_else(tmp_path):
    config = yaml.safe_load(CONFIG.read_text())
    config["scrape_configs"][0]["authorization"]["credentials_file"] = str(tmp_path / "telefine.key")
    (tmp_path / "telefine.key").write_text("x")
    (tmp_path / "alerts.yml").write_text(RULES.read_text())
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copytree(CASES, tmp_path / "cases")
    cases = [f"cases/{file.name}" for file in CASES.iterdir()]
    for command in (("check", "config", "prometheus.yml"), ("test", "rules", *cases)):
        done = subprocess.run(["promtool", *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    cases = [case for file in CASES.glob("*.yml") for case in yaml.safe_load(file.read_text())["tests"]]
    tried = [(check["alertname"], bool(check["exp_alerts"])) for case in cases for check in case["alert_rule_test"]]
    assert {(rule["alert"], fires) for rule in rules() for fires in (True, False)} == set(tried)
    assert {rule["labels"]["severity"] for rule in rules()} == {"page", "ticket"}


def test_what_every_replica_of_the_api_tells_alike_is_summed_up_once():
    written = [*(rule["expr"] for rule in rules()), *queries()]
    summed = {name for each in written for name in SUMMED.findall(each)}
    assert {name for name in summed if not name.startswith(EACH_ITS_OWN)} == set()
    assert "telefine_lm_attempts_total" in summed


def test_dashboards_can_be_read_each_panel_with_title_unit_and_what_it_means():
    shown = panels()
    assert {panel["datasource"]["uid"] for _, panel in shown} == {provisioned()}
    for name, panel in shown:
        assert panel["title"], name
        assert panel["description"], (name, panel["title"])
        assert panel["fieldConfig"]["defaults"]["unit"], (name, panel["title"])
    for file in DASHBOARDS:
        board = json.loads(file.read_text())
        assert board["uid"] == f"telefine-{file.stem}"
        places = [cell for panel in board["panels"] for cell in cells(panel["gridPos"])]
        assert len(places) == len(set(places)), f"{file.name}: panels overlap"
        assert max(x for x, _ in places) < 24


def cells(at):
    return [(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])]


def provisioned():
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    return source["uid"]


def test_the_guide_tells_what_to_do_about_every_alert_and_its_settings_are_valid(load):
    guide = GUIDE.read_text()
    told = re.findall(r"^\| `(Telefine\w+)` \| (page|ticket) \| .{10,} \|$", guide, re.MULTILINE)
    assert told == [(rule["alert"], rule["labels"]["severity"]) for rule in rules()]
    (block,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    own = load({"observing": yaml.safe_load(block)["observing"]}).observing
    assert not own.metrics.told_by_api
    for name in (*CONTEXT, *EXTRA):
        assert f"`{name}`" in guide, name
