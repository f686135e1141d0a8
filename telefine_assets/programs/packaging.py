"""A version as a folder that runs without Telefine: with plain DSPy, and as an MLflow model from code.

The folder holds the version's JSON document, the source file that makes the
program, and short files that put them together (``telefine_assets.shipped``). No
pickle, no key, no address of a language model.
"""

from __future__ import annotations

import inspect
import json
import platform
import shutil
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args, get_origin

from telefine_assets.canonical import canonical_json, sha256_hex
from telefine_assets.errors import TelefineError
from telefine_assets.programs.nearest import KNN
from telefine_assets.programs.spec import ProgramSpec
from telefine_assets.programs.versions import Version

PACKAGE = Path(__file__).parents[1]
DOCUMENT = "program.json"
SERVE = "serve.py"
ORIGIN = "origin.json"
_SERVER = """It ran on a server of its own, whose address is not written here. Nothing is asked until it is named:

    export TELEFINE_LM__API_BASE=http://127.0.0.1:8000/v1"""
_TYPES = {str: "string", bool: "boolean", int: "long", float: "double"}


class PackageError(TelefineError):
    """A version cannot be written as a folder of its own."""


def write_package(folder: Path, spec: ProgramSpec, version: Version, own_server: bool) -> None:
    """Write the files of a version into ``folder``, an MLflow model among them.

    ``own_server`` says that the deployment's language model stands at an address of its own
    (``lm.api_base``): the folder then names it, or another, or asks nothing. The address may
    hold a password, and is not written.

    Raises:
        ProgramError: when the version does not fit the program.
        PackageError: when the program's code is another by now than the version
            was compiled with, or is not made by a function of a module.
    """
    version.module(spec)
    content = json.loads(version.document)
    source = Path(inspect.getfile(spec.build))
    if sha256_hex(source.read_bytes()) != content["code"]:
        raise PackageError(
            f"{source} was changed since version {version.digest[:12]} was compiled with it; "
            "check out the code of that time, or compile a new version"
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write_model(folder, spec, content)
    (folder / DOCUMENT).write_bytes(version.document)
    (folder / ORIGIN).write_bytes(canonical_json(_origin(spec, source, own_server)))
    if source.name != "__init__.py":
        (folder / "code").mkdir()
        shutil.copyfile(source, folder / "code" / source.name)
    for name in _files(content):
        shutil.copyfile(PACKAGE / name, folder / Path(name).name)
    (folder / "README.md").write_text(_readme(spec, version.digest, content, own_server), encoding="utf-8")


def replace_package(folder: Path, spec: ProgramSpec, version: Version, own_server: bool) -> None:
    """Write the files of a version as ``folder``, in the place of an empty folder or of another version.

    Raises:
        ProgramError, PackageError: see ``write_package``, or because something else
            is in the folder; it stays as it was.
    """
    if folder.exists() and not (folder.is_dir() and ((folder / ORIGIN).exists() or not any(folder.iterdir()))):
        raise PackageError(f"{folder}: holds something else than an exported program; choose another folder")
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.absolute().parent) as beside:
        write_package(Path(beside) / "new", spec, version, own_server)
        if folder.exists():
            folder.rename(Path(beside) / "old")
        (Path(beside) / "new").rename(folder)


def _files(content: dict[str, Any]) -> list[str]:
    files = ["shipped/program.py", f"shipped/{SERVE}", "traces/cleaning/annotations.py"]
    if content["lm"].get("adapter") == "plain":
        files.append("lm/plain_adapter.py")
    if content["strategy"].get("strategy") == KNN:
        files.append("programs/nearest.py")
    return files


def _origin(spec: ProgramSpec, source: Path, own_server: bool) -> dict[str, str | bool | None]:
    function = getattr(spec.build, "__qualname__", "")
    if not function.isidentifier():
        raise PackageError(f"{spec.name}: is made by {function or spec.build!r}, not by a function of a module")
    file = None if source.name == "__init__.py" else f"code/{source.name}"
    return {"module": spec.build.__module__, "function": function, "file": file, "own_server": own_server}


def _write_model(folder: Path, spec: ProgramSpec, content: dict[str, Any]) -> None:
    """MLflow's part: ``MLmodel`` and the requirements.

    Written without ``mlflow.pyfunc.save_model``, which runs the code, guesses and
    warns, and notes the path that the code came from.
    """
    from mlflow.models import Model
    from mlflow.pyfunc import add_to_model

    names = ["dspy", "mlflow", *(["scikit-learn"] if content["strategy"].get("strategy") == KNN else [])]
    (folder / "requirements.txt").write_text("".join(f"{name}=={installed(name)}\n" for name in names))
    python = f"python: {platform.python_version()}\nbuild_dependencies: [pip]\ndependencies: [-r requirements.txt]\n"
    (folder / "python_env.yaml").write_text(python)
    model = Model(signature=_signature(spec))
    add_to_model(
        model,
        "mlflow.pyfunc.loaders.code_model",
        python_env="python_env.yaml",
        model_config={"lm": None, "api_base": None},
        model_code_path=SERVE,
    )
    model.save(str(folder / "MLmodel"))


def _signature(spec: ProgramSpec) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, Schema

    def columns(names: tuple[str, ...]) -> Any:
        return Schema([ColSpec(_type_name(spec.fields.types.get(name)) or AnyType(), name) for name in names])

    return ModelSignature(columns(spec.fields.inputs), columns(spec.fields.outputs))


def _type_name(annotation: Any) -> str | None:
    """MLflow's name of a field's type; None for one that it has no column of."""
    if get_origin(annotation) is Literal:
        kinds = {type(member) for member in get_args(annotation)}
        return _TYPES.get(kinds.pop()) if len(kinds) == 1 else None
    return _TYPES.get(annotation)


def _readme(spec: ProgramSpec, digest: str, content: dict[str, Any], own_server: bool) -> str:
    example = json.dumps(dict.fromkeys(spec.fields.inputs, "..."))
    demos = sum(len(part["demos"]) for part in content["state"].values())
    made = f"strategy {content['strategy'].get('strategy')}, {demos} demos, compiled for {content['lm']['model']}"
    server = f"\n{_SERVER}\n" if own_server else ""
    return f"""# {spec.name} {digest[:12]}

Version `{digest}`: {made}.
{server}
With DSPy alone (`pip install -r requirements.txt`):

    python program.py '{example}'

With MLflow, which this folder is a model for:

    mlflow.pyfunc.load_model("this/folder").predict([{example}])

`program.json` holds instructions and demos; its SHA-256 is the version. `code/` holds the source file that makes the
program. What that file imports must be installed. `program.py` says how a language model is named.
"""
