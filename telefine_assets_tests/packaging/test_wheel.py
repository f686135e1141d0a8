"""What is published: complete, typed, and of use from any folder."""

import email
import json
import subprocess
import tarfile
import zipfile

import pytest

from telefine_assets_tests.packaging.from_wheel import PACKAGE, ROOT, build, environment, install

FILES = {
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / PACKAGE).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    return install(built[0], tmp_path_factory.mktemp("installed"))


def test_every_file_of_the_package_is_in_the_wheel_and_nothing_else(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        # Nothing of when or where it was built: the same commit gives the same bytes.
        assert {each.date_time for each in wheel.infolist()} == {(2027, 1, 15, 8, 0, 0)}
    assert names == FILES
    assert f"{PACKAGE}/py.typed" in names and f"{PACKAGE}/cli/init_files/telefine.yaml" in names


def test_the_source_distribution_builds_the_same(built):
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert FILES | {"pyproject.toml", "README.md", "LICENSE"} <= names


def test_the_metadata_says_what_it_is_and_under_which_licence(built):
    with zipfile.ZipFile(built[0]) as wheel:
        (name,) = (each for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
        said = email.message_from_bytes(wheel.read(name))
    assert (said["Name"], said["License-Expression"]) == ("telefine-assets", "Apache-2.0")
    assert said["Requires-Python"] == "<3.14,>=3.11" and said["Keywords"] and said.get_all("Classifier")
    # Whoever only verifies an attestation needs no server, chain or optimiser.
    needed = [each for each in said.get_all("Requires-Dist") if "extra ==" not in each]
    assert not [each for each in needed if each.startswith(("web3", "dagster-celery", "s3fs", "sentry", "boto3"))]


def test_it_serves_from_any_folder(installed, tmp_path):
    def run(program, *words):
        command, known = [installed / program, *words], environment(installed)
        return subprocess.run(command, cwd=tmp_path, env=known, capture_output=True, text=True, check=True).stdout

    where = "import json, telefine_assets as t, importlib.metadata as m; print(json.dumps([t.__file__, m.version(%r)]))"
    file, release = json.loads(run("python", "-c", where % "telefine-assets"))
    assert file.startswith(str(installed.parent)) and run("telefine", "--version") == f"telefine {release}\n"
    assert "Usage: telefine" in run("telefine", "--help")
    run("telefine", "init", "mine", "--program", "triage")
    assert run("telefine", "config", "check", "--config", "mine/telefine.yaml") == "ok: 1 program(s): triage\n"
    run("telefine", "attest", "verifier", "--out", "page.html")
    assert "<html" in (tmp_path / "page.html").read_text()
