"""Each kind of file, judged by the checker of its own tool; deploy/README.md says what could not be run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from telefine_assets_tests.deploy.files import DEPLOY, ROOT, VENV, manifests, units, values

SEARCHED = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))


def checked(program: str, *arguments: object, **environment: str) -> str:
    """Run a checker, which must find nothing; the test is skipped where there is no such program."""
    found = shutil.which(program, path=SEARCHED)
    if found is None:
        pytest.skip(f"{program} is not installed here")
    command = [found, *(str(each) for each in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_image_by_hadolint():
    checked("hadolint", DEPLOY / "Dockerfile")


def test_compose_by_its_own_schema():
    checked("check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.name)
def test_workflows_by_their_own_schema(path):
    checked("check-jsonschema", "--builtin-schema", "vendor.github-workflows", path)


def test_the_manifests_by_the_schemas_of_kubernetes(tmp_path):
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(manifests()))
    checked("kubernetes-validate", "--strict", tmp_path / "all.yaml")


def test_the_proxy_by_caddy():
    checked("caddy", "validate", "--adapter", "caddyfile", "--config", DEPLOY / "proxy" / "Caddyfile")


def test_the_run_launcher_of_the_chart_by_dagster():
    launcher = pytest.importorskip("dagster_k8s", reason="dagster-k8s is not installed here").K8sRunLauncher
    said = values()["runLauncher"]["config"]["k8sRunLauncher"]
    known = {re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name) for name in said}
    assert "run_k8s_config" in known and known <= {*launcher.config_type()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The units, as if they were installed on this machine."""
    if shutil.which("systemd-analyze", path=SEARCHED) is None:
        pytest.skip("systemd-analyze is not installed here")
    folder = tmp_path_factory.mktemp("units") / "system"
    shutil.copytree(DEPLOY / "systemd", folder)
    for path in folder.glob("*.service"):
        path.write_text(path.read_text().replace(VENV, f"{Path(sys.executable).parent}/"))
    return folder


def test_the_units_by_systemd(installed):
    names = [path for path in sorted(installed.iterdir()) if path.is_file()]
    said = checked("systemd-analyze", "verify", "--man=no", *names, SYSTEMD_UNIT_PATH=f"{installed}:")
    assert [line for line in said.splitlines() if "telefine" in line] == []


@pytest.mark.parametrize("path", units(), ids=lambda path: path.stem)
def test_no_unit_is_exposed(installed, path):
    # 0 is the best, 10 the worst; an ordinary unit has 9.6. The option wants tenths.
    options = ("security", "--offline=true", "--threshold=15", "--no-pager")
    checked("systemd-analyze", *options, installed / path.name, SYSTEMD_UNIT_PATH=f"{installed}:")
