"""What guards the repository: hooks that run what is installed, workflows that can do no more than they must."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from telefine_assets_tests.packaging.from_wheel import ROOT
from telefine_assets_tests.packaging.no_secrets import found_in, main

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CACHES = {".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__"}
MADE = CACHES | {".git", ".venv", ".telefine", "build", "dist", "site", "node_modules"}
LEAKS = {
    "deploy.pem": "-----BEGIN " + "EC PRIVATE KEY-----\n",
    "notes.md": "key: " + "AKIA" + "ABCDEFGHIJKLMNOP",
    "push.sh": "git push https://x:" + "ghp_" + "a1" * 18 + "@example.org",
    "lm.py": 'KEY = "' + "sk-proj-" + "Ab9_" * 10 + '"',
    "hook.txt": "xoxb-" + "123456789012-abc",
    "chain.yaml": "private_key: '0x" + "a1" * 32 + "'",
    "telefine.cfg": "POSTGRES_" + "PASSWORD=" + "hunter2hunter2hunter2",
    ".env": "",
}


def sources():
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted({*folders} - MADE)
        yield from (Path(folder) / name for name in names if not name.endswith((".lock", ".png")))


def test_no_file_of_the_repository_looks_like_a_secret():
    assert [said for path in sources() for said in found_in(path)] == []


def test_make_test_leaves_no_test_of_the_embedded_model_out():
    (line,) = re.findall(r"pytest -m model (.+)", (ROOT / "Makefile").read_text())
    named = [ROOT / each for each in line.split()]
    tests = list((ROOT / "telefine_assets_tests").rglob("test_*.py"))
    marked = [path for path in tests if re.search(r"^(@|pytestmark = )pytest\.mark\.model", path.read_text(), re.M)]
    assert marked
    assert [path for path in marked if not any(path.is_relative_to(each) for each in named)] == []


@pytest.mark.parametrize("name", LEAKS)
def test_a_secret_is_refused_and_not_repeated(name, tmp_path, capsys):
    (tmp_path / name).write_text(f"first\n{LEAKS[name]}\n")
    assert main([str(tmp_path / name)]) == 1
    said = capsys.readouterr().out
    assert name in said and (not LEAKS[name] or LEAKS[name].split()[-1].strip("'\"") not in said)


def test_places_for_secrets_are_none(tmp_path):
    (tmp_path / "env.example").write_text("POSTGRES_PASSWORD=\nAPI_KEY=$(cat key)\nSIGNER_TOKEN=${TOKEN}\n")
    assert main([str(tmp_path / "env.example")]) == 0


def test_hooks_run_what_this_environment_has():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local" and {each["language"] for each in repository["hooks"]} == {"system"}
    for hook in repository["hooks"]:
        program, *words = hook["entry"].split()
        assert Path(sys.executable).with_name(Path(program).name).exists(), hook["id"]
        if words[:1] == ["-m"]:
            assert (ROOT / words[1].replace(".", "/")).with_suffix(".py").is_file()
    assert [each["id"] for each in repository["hooks"]] == ["ruff", "ruff-format", "mypy", "no-secrets"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_can_do_nothing_by_default_and_name_releases_of_actions(path):
    said = yaml.safe_load(path.read_text())
    assert said["permissions"] == {"contents": "read"}
    steps = [step for job in said["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+|[0-9a-f]{40})", each)] == []
    assert all(job["timeout-minutes"] for job in said["jobs"].values())
    # What a stranger names (a branch, a tag) is never part of a shell's text.
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []
    for script in (step["run"] for step in steps if "run" in step):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_only_publishing_may_publish_and_only_after_the_tests():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    assert [jobs[name].get("needs") for name in ("build", "test", "attest", "publish")] == [
        None,
        "build",
        "test",
        "attest",
    ]
    assert {name for name, job in jobs.items() if "id-token" in job.get("permissions", {})} == {"attest", "publish"}
    assert jobs["publish"]["environment"] == "release"
