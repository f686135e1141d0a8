"""``telefine init``: the settings of a new deployment, for somebody's own DSPy program and MLflow."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from telefine_assets.cli.shared import AsJson, tell
from telefine_assets.errors import TelefineError

_BACK_DAYS = 30
_ANEW = "dagster.yaml"
_IGNORED = ".gitignore"
_MORE = {"telefine.yaml": "telefine.yaml", "env.example": ".env.example", _ANEW: f".telefine/dagster/{_ANEW}"}
"""What a profile adds to, by the name that it is shipped under; Dagster's instance is another one altogether."""

Folder = Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write; made if it is not there.")]
Program = Annotated[str, typer.Option("--program", "-p", help="A short name: lower case letters, digits and _.")]
Module = Annotated[str, typer.Option("--module", help="'package.module:function' that returns your dspy.Module.")]
Experiment = Annotated[str | None, typer.Option("--experiment", help="The MLflow experiment that it logs to.")]
MlflowUri = Annotated[str, typer.Option("--mlflow-uri", help="MLflow's tracking URI; a file in DIR when left out.")]
Profile = Annotated[Literal["cluster"] | None, typer.Option("--profile", help="cluster: for several machines.")]


def init(
    folder: Folder = Path(),
    program: Program = "my_program",
    module: Module = "my_package.my_module:build",
    experiment: Experiment = None,
    mlflow_uri: MlflowUri = "",
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Write telefine.yaml, workspace.yaml, dagster.yaml, .env.example and .gitignore; nothing is overwritten.

    Example: telefine init . --program triage --module shop.triage:build --experiment triage
    --mlflow-uri http://127.0.0.1:5000
    """
    values = _values(_deployment(folder), program, module, experiment or program, mlflow_uri)
    texts = _texts(values, profile)
    if (folder / _IGNORED).exists():
        del texts[_IGNORED]
    if there := [name for name in texts if (folder / name).exists()]:
        raise TelefineError(f"{folder / there[0]}: is there already; choose another folder, or move it away")
    _check(texts["telefine.yaml"], profile)
    for name, text in texts.items():
        _write(folder / name, text)
    written = [str(folder / name) for name in texts]
    hint = "Now read telefine.yaml, set what .env.example names, and try: telefine doctor"
    tell(as_json, {"files": written}, [*written, hint])


def _deployment(folder: Path) -> str:
    """The name of the folder, as far as it can be a deployment's."""
    return re.sub(r"[^a-z0-9.-]+", "-", folder.resolve().name.lower()).strip(".-")[:63] or "telefine"


def _values(deployment: str, program: str, module: str, experiment: str, mlflow_uri: str) -> dict[str, str]:
    """What the settings are filled in with."""
    import secrets

    return {
        "DEPLOYMENT": json.dumps(deployment),
        "PROGRAM": program,
        "CAPITALS": program.upper(),
        "MODULE": json.dumps(module),
        "EXPERIMENT": json.dumps(experiment),
        "MLFLOW_URI": json.dumps(mlflow_uri),
        "START": (datetime.now(UTC) - timedelta(days=_BACK_DAYS)).date().isoformat(),
        "SPLIT_KEY": secrets.token_hex(16),
    }


def _texts(values: Mapping[str, str], profile: str | None) -> dict[str, str]:
    """What is written, by the file's place in the folder."""
    from importlib.resources import files

    shipped = files("telefine_assets.cli") / "init_files"
    names = {"telefine.yaml": "telefine.yaml", "workspace.yaml": "workspace.yaml", "env.example": ".env.example"}
    names |= {"gitignore": _IGNORED, _ANEW: f".telefine/dagster/{_ANEW}"}
    texts = {name: (shipped / shipped_as).read_text(encoding="utf-8") for shipped_as, name in names.items()}
    if profile is not None:
        more = {name: (shipped / f"{profile}.{each}").read_text(encoding="utf-8") for each, name in _MORE.items()}
        texts |= {name: text if name.endswith(_ANEW) else texts[name] + text for name, text in more.items()}
    for key, value in values.items():
        texts["telefine.yaml"] = texts["telefine.yaml"].replace(f"<{key}>", value)
    return texts


def _check(text: str, profile: str | None) -> None:
    """Load the settings before anything is written, so that what is written loads.

    Raises:
        SettingsError: an option is not what the settings allow.
    """
    from tempfile import TemporaryDirectory

    from telefine_assets.settings.loading import load_settings

    with TemporaryDirectory() as folder:
        path = Path(folder) / "telefine.yaml"
        path.write_text(text, encoding="utf-8")
        load_settings(path, profile)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        # The settings hold the key of the split, which only the deployment should know.
        path.chmod(0o600 if path.name == "telefine.yaml" else 0o644)
        file.write(text)
