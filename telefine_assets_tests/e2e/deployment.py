"""A small deployment in a folder: settings, a signer, production traces, and the real commands.

The language model is the nearest-demos stand-in (``knn_lm``); all else is what
a user has: MLflow on SQLite, DSPy autologging, the Dagster command line.
"""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DAYS = ("2026-03-02", "2026-03-03")
KEY = "0x" + "4c" * 32
PROGRAM = "tickets"

SETTINGS = """
deployment: test-deployment
partitions: {{start: 2026-03-02, end: 2026-03-03}}
mlflow: {{run_per: {run_per}}}
lm: {{model: openai/nearest-demos, api_base: "{api_base}", adapter: plain, max_tokens: 16, num_retries: 2}}
signer: {{kind: environment}}
programs:
  tickets:
    module: telefine_assets_tests.programs.tickets:build
    experiment: tickets
    cleaning:
      outcomes: [{{feedback: helpful, kind: boolean}}]
      accept_outputs_at: 1
      expectations: {{team: team}}
    split: {{key: test, validation_percent: 20, holdout_percent: 45}}
    compile:
      lookback_days: 2
      min_train: 60
      min_validation: 15
      strategies:
        - {{strategy: labeled_few_shot, max_labeled_demos: 4}}
        - {{strategy: bootstrap_few_shot_with_random_search, max_bootstrapped_demos: 2, max_labeled_demos: 8,
            candidates: 2}}
    deltaone: {{min_items: 60}}
    attribution: {{method: shapley, shapley: {{coalitions: 64}}}}
    payout: {{pool: "1000000000000000000001", token_symbol: TOKEN}}
"""


@dataclass(frozen=True)
class Deployment:
    """A deployment in ``home``."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a shell there has."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return kept | {
            "TELEFINE_CONFIG": str(self.home / "telefine.yaml"),
            "TELEFINE_SIGNER__PRIVATE_KEY": KEY,
            "TELEFINE_LM__API_KEY": "a-key-for-the-model",
            "DAGSTER_HOME": str(self.home / "dagster"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "COLUMNS": "200",
        }

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command there."""
        return subprocess.Popen(
            command,
            cwd=self.home,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command there to its end."""
        process = self.start(*command)
        output, _ = process.communicate(timeout=240)
        return subprocess.CompletedProcess(command, process.returncode, output)

    def materialise(self, day: str, select: str = 'group:"tickets"') -> subprocess.CompletedProcess[str]:
        """``dagster asset materialize``, as the README has it."""
        return self.run(*materialise_command(day, select))

    def record(self, stage: str, day: str) -> dict[str, Any]:
        """What a stage stored for a day."""
        return dict(json.loads(self.record_path(stage, day).read_text()))

    def record_path(self, stage: str, day: str) -> Path:
        """Where it stored it."""
        return self.home / ".telefine" / "store" / "records" / PROGRAM / stage / f"{day}.json"

    def stored(self) -> dict[str, bytes]:
        """Every file of the store."""
        store = self.home / ".telefine" / "store"
        return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def materialise_command(day: str, select: str = 'group:"tickets"') -> tuple[str, ...]:
    """The command line that materialises one day."""
    command = ("dagster", "asset", "materialize", "-m", "telefine_assets.definitions")
    return (*command, "--select", select, "--partition", day)


def make_deployment(home: Path, api_base: str, run_per: str = "asset_partition") -> Deployment:
    """Write the settings; nothing has run there yet."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "telefine.yaml").write_text(textwrap.dedent(SETTINGS.format(api_base=api_base, run_per=run_per)))
    (home / "dagster").mkdir(exist_ok=True)
    (home / "dagster" / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    return Deployment(home)
