"""What the files in ``deploy/`` start, whichever of the three ways it is: command lines, environment, images."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
VENV = "/opt/telefine/bin/"


@dataclass(frozen=True)
class Started:
    """One process: where that is said, its command line, and the environment that is set there."""

    where: str
    command: list[str]
    environment: dict[str, str]


def compose() -> dict[str, Any]:
    """The compose file."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def ours() -> dict[str, Any]:
    """The compose file's services that run our image."""
    return {name: each for name, each in compose()["services"].items() if "TELEFINE_IMAGE" in each["image"]}


def manifests() -> list[dict[str, Any]]:
    """What is applied to Kubernetes beside Dagster's chart."""
    found: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "kubernetes" / "telefine.yaml").read_text())["items"]
    return found


def values() -> dict[str, Any]:
    """The values for Dagster's chart."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "kubernetes" / "values.yaml").read_text())
    return found


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """The pods of the manifests, by name."""
    for each in manifests():
        spec = each.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield each["metadata"]["name"], spec["template"]["spec"]


def settings_of(path: Path) -> dict[str, list[str]]:
    """The settings of a systemd file's [Service] section, each with all its values."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().partition("[Service]\n")[2].splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", "[")):
            found.setdefault(key, []).append(value)
    return found


def units() -> list[Path]:
    """The services of systemd."""
    return sorted((DEPLOY / "systemd").glob("*.service"))


def common() -> dict[str, list[str]]:
    """What all of them share."""
    return settings_of(DEPLOY / "systemd" / "telefine-.service.d" / "common.conf")


def _by_compose() -> Iterator[Started]:
    for name, each in ours().items():
        yield Started(f"compose: {name}", each["command"], each.get("environment", {}))


def _named(variables: list[dict[str, str]]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in variables}


def _by_kubernetes() -> Iterator[Started]:
    for name, pod in pods():
        for each in pod["containers"]:
            yield Started(f"kubernetes: {name}", each["args"], _named(each["env"]))
    for each in values()["dagster-user-deployments"]["deployments"]:
        yield Started(
            f"chart: {each['name']}", ["dagster", "api", "grpc", *each["dagsterApiGrpcArgs"]], _named(each["env"])
        )


def _by_systemd() -> Iterator[Started]:
    for path in units():
        own = settings_of(path)
        command = own["ExecStart"][0].replace("%i", "1").replace("%H", "here")
        environment = dict(each.split("=", 1) for each in common()["Environment"] + own.get("Environment", []))
        yield Started(f"systemd: {path.stem}", shlex.split(command.removeprefix(VENV)), environment)


def _by_image() -> Iterator[Started]:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    environment = dict(each.split("=", 1) for line in re.findall(r"^ENV (.*)$", text, re.M) for each in line.split())
    (command,) = re.findall(r"^CMD (\[.*\])$", text, re.M)
    yield Started("image", yaml.safe_load(command), environment)


STARTED = [*_by_compose(), *_by_kubernetes(), *_by_systemd(), *_by_image()]
