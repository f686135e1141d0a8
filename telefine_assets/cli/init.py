"""``telefine init``: the settings of a new deployment, for somebody's own DSPy program and MLflow."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from telefine_assets.cli.shared import AsJson, tell
from telefine_assets.errors import TelefineError

_BACK_DAYS = 30

Folder = Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write; made if it is not there.")]
Program = Annotated[str, typer.Option("--program", "-p", help="A short name: lower case letters, digits and _.")]
Module = Annotated[str, typer.Option("--module", help="'package.module:function' that returns your dspy.Module.")]
Experiment = Annotated[str | None, typer.Option("--experiment", help="The MLflow experiment that it logs to.")]
MlflowUri = Annotated[str, typer.Option("--mlflow-uri", help="MLflow's tracking URI; a file in DIR when left out.")]


def init(
    folder: Folder = Path(),
    program: Program = "my_program",
    module: Module = "my_package.my_module:build",
    experiment: Experiment = None,
    mlflow_uri: MlflowUri = "",
    as_json: AsJson = False,
) -> None:
    """Write telefine.yaml, workspace.yaml, Dagster's dagster.yaml and .env.example; nothing is overwritten.

    Example: telefine init . --program triage --module shop.triage:build --experiment triage
    --mlflow-uri http://127.0.0.1:5000
    """
    texts = _texts(program, module, experiment or program, mlflow_uri)
    if there := [name for name in texts if (folder / name).exists()]:
        raise TelefineError(f"{folder / there[0]}: is there already; choose another folder, or move it away")
    _check(texts["telefine.yaml"])
    for name, text in texts.items():
        _write(folder / name, text)
    written = [str(folder / name) for name in texts]
    hint = "Now read telefine.yaml, set what .env.example names, and try: telefine doctor"
    tell(as_json, {"files": written}, [*written, hint])


def _texts(program: str, module: str, experiment: str, mlflow_uri: str) -> dict[str, str]:
    import secrets
    from importlib.resources import files

    values = {
        "PROGRAM": program,
        "MODULE": json.dumps(module),
        "EXPERIMENT": json.dumps(experiment),
        "MLFLOW_URI": json.dumps(mlflow_uri),
        "START": (datetime.now(UTC) - timedelta(days=_BACK_DAYS)).date().isoformat(),
        "SPLIT_KEY": secrets.token_hex(16),
    }
    shipped = files("telefine_assets.cli") / "init_files"
    names = {"telefine.yaml": "telefine.yaml", "workspace.yaml": "workspace.yaml", "env.example": ".env.example"}
    names["dagster.yaml"] = ".telefine/dagster/dagster.yaml"
    texts = {name: (shipped / shipped_as).read_text(encoding="utf-8") for shipped_as, name in names.items()}
    for key, value in values.items():
        texts["telefine.yaml"] = texts["telefine.yaml"].replace(f"<{key}>", value)
    return texts


def _check(text: str) -> None:
    """Load the settings before anything is written, so that what is written loads.

    Raises:
        SettingsError: an option is not what the settings allow.
    """
    from tempfile import TemporaryDirectory

    from telefine_assets.settings import load_settings

    with TemporaryDirectory() as folder:
        path = Path(folder) / "telefine.yaml"
        path.write_text(text, encoding="utf-8")
        load_settings(path)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        # The settings hold the key of the split, which only the deployment should know.
        path.chmod(0o600 if path.name == "telefine.yaml" else 0o644)
        file.write(text)
