"""What ``telefine init`` writes serves as it is: for Dagster, for git, and under a name of its own."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from telefine_assets.cli.main import main
from telefine_assets.settings.loading import load_settings


@pytest.fixture
def telefine(own_environment, capsys):
    """Run a command line in this process; returns its exit code, what it printed and what it complained of."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([*arguments])
        return caught.value.code, *capsys.readouterr()

    return run


DAGSTER_LOADS = """
import logging, os
from dagster._cli.utils import _inject_local_env_file
with _inject_local_env_file(logging.getLogger()):
    print(os.environ["TELEFINE_CONFIG"], os.environ["DAGSTER_HOME"], sep="\\n")
"""
"""What ``dagster asset materialize`` and ``dagster dev`` begin with, without the seconds that they take."""


def test_dagster_finds_the_deployment_by_the_env_file_that_init_wrote(tmp_path, telefine):
    new = tmp_path / "new"
    assert telefine("init", str(new), "--profile", "cluster")[0] == 0
    (new / ".env.example").rename(new / ".env")
    bare = {name: value for name, value in os.environ.items() if name not in ("TELEFINE_CONFIG", "DAGSTER_HOME")}
    command = [sys.executable, "-c", DAGSTER_LOADS]
    found = subprocess.run(command, cwd=new, env=bare | {"PWD": str(new)}, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [str(new / "telefine.yaml"), str(new / ".telefine" / "dagster")]
    sourced = subprocess.run(["sh", "-c", "set -a; . ./.env; env"], cwd=new, env={}, capture_output=True, text=True)
    assert {f"TELEFINE_CONFIG={new}/telefine.yaml", f"DAGSTER_HOME={new}/.telefine/dagster"} <= {
        *sourced.stdout.splitlines()
    }


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("triage-deployment", "triage-deployment"),
        ("Our Triage_2", "our-triage-2"),
        ("2026", "2026"),
        ("\u00dc", "telefine"),
    ],
)
def test_a_deployment_is_called_as_its_folder(tmp_path, telefine, monkeypatch, folder, name):
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    assert telefine("init")[0] == 0
    assert load_settings(tmp_path / folder / "telefine.yaml").deployment == name


def test_git_is_kept_from_keys_and_a_gitignore_that_is_there_stays(tmp_path, telefine):
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
    (tmp_path / "other" / ".gitignore").write_text("mine")
    written = [json.loads(telefine("init", str(tmp_path / each), "--json")[1])["files"] for each in ("one", "other")]
    assert [str(tmp_path / "one" / ".gitignore") in written[0], len(written[0]) - len(written[1])] == [True, 1]
    assert {".env", ".telefine/"} <= {*(tmp_path / "one" / ".gitignore").read_text().splitlines()}
    assert (tmp_path / "other" / ".gitignore").read_text() == "mine"


def test_the_split_s_key_may_be_moved_where_the_comment_says(tmp_path, telefine, monkeypatch):
    assert telefine("init", str(tmp_path / "new"), "-p", "triage")[0] == 0
    file = tmp_path / "new" / "telefine.yaml"
    assert "TELEFINE_PROGRAMS__TRIAGE__SPLIT__KEY" in file.read_text()
    values = yaml.safe_load(file.read_text())
    key = values["programs"]["triage"]["split"].pop("key")
    file.write_text(yaml.safe_dump(values))
    monkeypatch.setenv("TELEFINE_PROGRAMS__TRIAGE__SPLIT__KEY", key)
    assert load_settings(file).programs["triage"].split.key.get_secret_value() == key
