"""Whatever starts Telefine's processes names commands, options, settings and ports that there are."""

import re
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import click
import pytest
import typer
import yaml
from celery import Celery
from pydantic import BaseModel

from telefine_assets.settings.schema import Settings
from telefine_assets_tests.deploy.files import DEPLOY, STARTED, Started, compose, pods, values

# Not settings of ours: whose they are, stands beside them.
OTHERS = {
    "AWS_ACCESS_KEY_ID",  # s3fs, boto3
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_SECRET_ACCESS_KEY",
    "BACKUP_TO",  # an argument of `telefine backup`
    "DAGSTER_DISABLE_TELEMETRY",
    "DAGSTER_HOME",
    "DAGSTER_PG_PASSWORD",  # Dagster's chart
    "HOME",
    "LITELLM_LOCAL_MODEL_COST_MAP",
    "MLFLOW_BACKEND_STORE_URI",
    "MLFLOW_DISABLE_TELEMETRY",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION",
    "PATH",
    "PIP_DISABLE_PIP_VERSION_CHECK",
    "PYTHONPATH",
    "PYTHONUNBUFFERED",
    "TELEFINE_CONFIG",
    "TELEFINE_PROFILE",
}
PORTS = {"dagster-webserver": 3000, "telefine": 8400, "mlflow": 5000}


def command_of(script: str) -> click.Command:
    """The click command behind a console script."""
    if script == "celery":
        return import_module("celery.bin.celery").celery
    entry = next(iter(entry_points(group="console_scripts", name=script)))
    module = import_module(entry.module)
    found = getattr(module, entry.attr)
    found = found if isinstance(found, click.Command) else getattr(module, "cli", None) or module.app
    return typer.main.get_command(found) if isinstance(found, typer.Typer) else found


def understand(command: click.Command, words: list[str]) -> None:
    """Read a command line as the program would, and do nothing."""
    known: dict[str, object] = {}
    if words[:1] == ["-A"]:
        assert find_spec(words[1])
        known["obj"], words = SimpleNamespace(app=Celery()), words[2:]
    while isinstance(command, click.Group):
        context, name, *words = click.Context(command), *words
        command = command.get_command(context, name) or pytest.fail(f"no command {name}")
    command.make_context(command.name, words, **known)


@pytest.mark.parametrize("started", STARTED, ids=lambda each: each.where)
def test_every_command_line_is_understood(started: Started):
    script, *words = started.command
    if script == "python":
        compile(words[1], started.where, "exec")
        return
    understand(command_of(script), words)
    told = [int(port) for port in re.findall(r"--port[ =](\d+)", " ".join(words))]
    assert told in ([], [PORTS.get(script)])


def is_setting(name: str) -> bool:
    """Whether an environment variable sets a setting."""
    group: object = Settings
    for part in name.removeprefix("TELEFINE_").lower().split("__"):
        fields = group.model_fields if isinstance(group, type) and issubclass(group, BaseModel) else {}
        if part not in fields:
            return False
        group = fields[part].annotation
        group = next((each for each in get_args(group) if each is not type(None)), group)
    return True


def test_every_variable_that_is_set_means_something():
    names = {name for each in STARTED for name in each.environment}
    text = "".join(path.read_text() for path in DEPLOY.rglob("*") if path.suffix in (".yaml", ".conf", ".service"))
    named = set(re.findall(r"\bTELEFINE_[A-Z0-9_]+", text)) - {"TELEFINE_IMAGE", "TELEFINE_FOLDER"}
    assert [name for name in sorted(names | named) if name not in OTHERS and not is_setting(name)] == []
    assert is_setting("TELEFINE_DAGSTER__URL") and not is_setting("TELEFINE_DAGSTER__URI")


def test_addresses_and_ports_fit_together():
    services = compose()["services"]
    asked = [value for each in STARTED for value in each.environment.values() if value.startswith("http://webserver")]
    assert set(asked) == {"http://webserver:3000"}
    published = {name: each["ports"] for name, each in services.items() if "ports" in each}
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for ports in published.values() for port in ports)
    assert published["webserver"] == ["127.0.0.1:3000:3000"] and published["api"] == ["127.0.0.1:8400:8400"]
    assert dict(pods())["telefine-api"]["containers"][0]["ports"] == [{"name": "http", "containerPort": 8400}]
    assert "reverse_proxy 127.0.0.1:8400" in (DEPLOY / "proxy" / "Caddyfile").read_text()
    assert Settings.model_fields["dagster"].default.url == "http://127.0.0.1:3000"


def test_all_of_ours_run_the_same_release():
    from importlib.metadata import version

    release = version("telefine-assets")
    chart = values()["dagsterWebserver"]["image"]
    named = {each["image"].rpartition(":")[2].rstrip("}") for each in compose()["services"].values() if "build" in each}
    named |= {each["image"].rpartition(":")[2] for _, pod in pods() for each in pod["containers"]} | {chart["tag"]}
    assert named == {release}
    assert f"dagster/dagster --version {version('dagster')}" in (DEPLOY / "kubernetes" / "values.yaml").read_text()


def test_what_watches_is_where_its_own_files_say():
    services = compose()["services"]
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    for target in (each for job in scraped for config in job["static_configs"] for each in config["targets"]):
        name, _, port = target.partition(":")
        assert name in services and port in ("8400", "9091"), target
    keys = [job["authorization"]["credentials_file"] for job in scraped if "authorization" in job]
    mounted = [
        each.split(":")[-2] for name in ("prometheus", "grafana") for each in services[name]["volumes"] if ":ro" in each
    ]
    assert {str(Path(key).parent) for key in keys} <= {*mounted}
    (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/telefine.yml").read_text())["providers"]
    assert provider["options"]["path"] in mounted
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"


def test_compose_wants_nothing_that_the_examples_do_not_name_and_finds_what_init_writes(tmp_path):
    from telefine_assets.cli.init import init

    init(tmp_path / "deployment", profile="cluster")
    example = (tmp_path / "deployment" / ".env.example").read_text()
    example += (DEPLOY / "compose.env.example").read_text()
    said, services = (DEPLOY / "compose.yaml").read_text(), compose()["services"]
    wanted = set(re.findall(r"\$\{(\w+)", said)) - {"TELEFINE_FOLDER", "TELEFINE_IMAGE"}
    assert {name for name in wanted if f"{name}=" not in example} == set()
    # What is written by `init` leads to the services, their databases and the bucket.
    assert set(re.findall(r"@(\w+)[:/]", example)) <= {*services}
    made = {services["postgres"]["environment"]["POSTGRES_DB"]}
    made |= set(re.findall(r"CREATE DATABASE (\w+);", (DEPLOY / "postgres" / "databases.sql").read_text()))
    assert set(re.findall(r"@postgres/(\w+)", example)) == made
    settings = yaml.safe_load((tmp_path / "deployment" / "telefine.yaml").read_text())["profiles"]["cluster"]
    dagster = yaml.safe_load((tmp_path / "deployment" / ".telefine" / "dagster" / "dagster.yaml").read_text())
    # Celery would write what runs write into lines of its own: no JSON any more.
    assert dagster["run_launcher"]["config"]["config_source"]["worker_redirect_stdouts"] is False
    assert settings["store"]["uri"].startswith("s3://telefine/") and "makedirs('telefine'" in said
    assert f"--default-artifact-root={settings['mlflow']['artifacts']}" in services["mlflow"]["command"]
    mounted = re.findall(r"\$\{TELEFINE_FOLDER:-\.\./deployment\}/([\w./]+):", said)
    assert [each for each in mounted if each != "prometheus" and not (tmp_path / "deployment" / each).exists()] == []
    assert (tmp_path / "deployment" / "workspace.yaml").is_file()
