"""A deployment of two programs in a folder, with traces, and the command in this process."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from telefine_assets.cli.main import main
from telefine_assets.partitions import bounds_ms
from telefine_assets_tests.traces.mlflow_store import copy_store, empty_store, fill

ROOT = Path(__file__).resolve().parents[2]
FIRST, LAST = "2026-11-02", "2026-11-03"
KEY = "0x" + "4c" * 32
NOWHERE = "http://127.0.0.1:9"
SETTINGS = """
deployment: driven
partitions: {start: 2026-11-02, end: 2026-11-03}
lm: {model: openai/nearest-demos, api_base: "http://127.0.0.1:9/v1", adapter: plain, max_tokens: 16}
signer: {kind: environment}
programs:
  tickets:
    module: telefine_assets_tests.programs.tickets:build
    experiment: tickets
    split: {key: test}
    compile: {strategies: [{strategy: labeled_few_shot}]}
  slow:
    module: telefine_assets_tests.control.slow:build
    experiment: tickets
    split: {key: test}
    compile: {strategies: [{strategy: labeled_few_shot}]}
"""


def template(folder: Path) -> Path:
    """A store with a few traces on each day, to be copied."""
    fill(empty_store(folder), 40, bounds_ms(FIRST)[0], days=2)
    return folder


class Home:
    """A deployment, and its environment."""

    def __init__(self, folder: Path, store: Path, settings: str = SETTINGS, url: str = NOWHERE) -> None:
        self.folder, self.telefine = folder, folder / "telefine.yaml"
        copy_store(store, folder / ".telefine")
        self.telefine.write_text(settings)
        (folder / "workspace.yaml").write_text((ROOT / "workspace.yaml").read_text())
        dagster = folder / ".telefine" / "dagster"
        dagster.mkdir()
        (dagster / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
        self.environment = {
            "TELEFINE_CONFIG": str(self.telefine),
            "TELEFINE_SIGNER__PRIVATE_KEY": KEY,
            "TELEFINE_LM__API_KEY": "a-key-for-the-model",
            "TELEFINE_DAGSTER__URL": url,
            "DAGSTER_HOME": str(dagster),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "240",
        }

    def start(self, *command: str, output: IO[str] | int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a program of this environment there."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return subprocess.Popen(
            (str(Path(sys.executable).parent / command[0]), *command[1:]),
            cwd=self.folder,
            env=kept | self.environment,
            text=True,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def telefine_process(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``telefine`` there, in a process of its own."""
        return self.start("python", "-m", "telefine_assets.cli.main", *arguments)


def command(home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """``telefine`` in this process: returns exit code, output and errors."""
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        printed = capsys.readouterr()
        return int(caught.value.code or 0), printed.out, printed.err

    return run
