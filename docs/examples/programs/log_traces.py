"""Production in small: serve an example's data with its program, and log what people said of the answers.

Start it in the folder of an example, where ``telefine.yaml`` is: ``python ../log_traces.py``. Only DSPy and
MLflow are used, as an application of yours would: Telefine reads what they logged.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import dspy
import mlflow
import yaml
from mlflow.entities import AssessmentSource

CONTRIBUTORS = (
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
)
"""Wallets of the people whose questions these are; in your application, of whoever is signed in."""
PERSON = AssessmentSource("HUMAN", "reviewer")


def serve(folder: Path) -> int:
    """Serve the data of the example in ``folder``; returns how many traces were logged."""
    settings = yaml.safe_load((folder / "telefine.yaml").read_text(encoding="utf-8"))
    (program,) = settings["programs"].values()
    rows = [json.loads(line) for line in (folder / "data.jsonl").read_text(encoding="utf-8").splitlines()]
    sys.path.insert(0, str(folder))
    module, _, build = program["module"].partition(":")
    serving = getattr(importlib.import_module(module), build)()

    home = (folder / settings["home"]).resolve()
    home.mkdir(exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    if mlflow.get_experiment_by_name(program["experiment"]) is None:
        mlflow.create_experiment(program["experiment"], artifact_location=str(home / "artifacts"))
    mlflow.set_experiment(program["experiment"])
    mlflow.dspy.autolog()
    lm = settings["lm"]
    key = os.environ.get("TELEFINE_LM__API_KEY", "none")
    with dspy.context(lm=dspy.LM(lm["model"], api_base=lm.get("api_base"), api_key=key, cache=False, temperature=0)):
        served = [_served(serving, number, row) for number, row in enumerate(rows)]
    mlflow.flush_trace_async_logging()
    for number, (row, (trace_id, answer)) in enumerate(zip(rows, served, strict=True)):
        _assess(trace_id, answer, row["label"], corrected=number % 6 != 5)
    return len(rows)


def _served(program: dspy.Module, number: int, row: dict[str, Any]) -> tuple[str, dspy.Prediction]:
    tags = {"telefine.contributor": CONTRIBUTORS[number % len(CONTRIBUTORS)]}
    with mlflow.tracing.context(tags=tags):
        answer = program(**row["inputs"])
    return mlflow.get_last_active_trace_id(), answer


def _assess(trace_id: str, answer: Any, label: dict[str, Any], corrected: bool) -> None:
    """A thumb, and from most people also what would have been right."""
    right = all(_plain(answer.get(name)) == value for name, value in label.items())
    mlflow.log_feedback(trace_id=trace_id, name="helpful", value=right, source=PERSON)
    for name, value in label.items() if corrected else ():
        mlflow.log_expectation(trace_id=trace_id, name=name, value=value, source=PERSON)


def _plain(value: Any) -> Any:
    return value.model_dump() if hasattr(value, "model_dump") else value


if __name__ == "__main__":
    print(serve(Path.cwd()), "traces logged")
