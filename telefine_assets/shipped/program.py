"""The program in this folder, with DSPy and without Telefine.

    python program.py '{"question": "..."}'

or, in Python:

    import program
    answer = program.load()
    with program.context():
        print(answer(question="..."))

The language model is the one that the program was compiled for. Another one, or
another address, is named by the variables ``TELEFINE_LM__MODEL`` and
``TELEFINE_LM__API_BASE``. The address must be named where the program was compiled
with a server of one's own: it is not in this folder, and what the program is asked
goes nowhere else. The key is read from ``TELEFINE_LM__API_KEY``, or from the
variable that the provider's own tools read (``OPENAI_API_KEY``, ...).
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, get_type_hints

HERE = Path(__file__).parent


def document() -> dict[str, Any]:
    """The version: instructions, demos, strategy, language model. Its bytes' SHA-256 is the version's name."""
    return dict(json.loads((HERE / "program.json").read_bytes()))


def load() -> Any:
    """The program, a fresh ``dspy.Module``."""
    content = document()
    program = _builder()()
    for name, predictor in program.named_predictors():
        predictor.load_state(content["state"][name])
    if (HERE / "nearest.py").exists():
        return _file("nearest", "nearest.py").wrapped(program, content["strategy"])
    return program


def context(config: Mapping[str, str] | None = None) -> Any:
    """``dspy.context`` with the program's language model and adapter, for a block.

    ``config`` may name another ``lm`` and its ``api_base``; it goes before the environment.

    Raises:
        ValueError: when it is not known where the language model is.
    """
    import dspy

    made_for = document()["lm"]
    config = config or {}
    model = config.get("lm") or os.environ.get("TELEFINE_LM__MODEL")
    api_base = config.get("api_base") or os.environ.get("TELEFINE_LM__API_BASE")
    api_key = os.environ.get("TELEFINE_LM__API_KEY")
    if "sha256" in made_for and not (model and api_base):
        raise ValueError(
            f"the program was compiled for the embedded model {made_for['model']}: serve those weights, "
            "and name them by TELEFINE_LM__MODEL (such as openai/NAME) and TELEFINE_LM__API_BASE"
        )
    if _origin()["own_server"] and not api_base:
        raise ValueError(
            "the program was compiled for a language model at an address of its own, which is not in this folder: "
            "name it by TELEFINE_LM__API_BASE (or api_base in MLflow's model_config); "
            "nothing is sent to another address"
        )
    connection = {"api_base": api_base, "api_key": api_key or "none"} if api_base else {}
    if api_key:
        connection["api_key"] = api_key
    sampling = {"temperature": float(made_for["temperature"]), "max_tokens": int(made_for["max_tokens"])}
    lm = dspy.LM(model or made_for["model"], cache=False, **sampling, **connection)
    return dspy.context(lm=lm, adapter=_adapter(made_for["adapter"]), track_usage=False)


def ask(program: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A program's answer to inputs that are JSON values, as JSON values."""
    from pydantic_core import to_jsonable_python

    types = _file("annotations", "annotations.py").FieldTypes(SimpleNamespace(types=_types(program), outputs=()))
    answer = program(**{name: types.typed(name, value) for name, value in inputs.items()})
    return dict(to_jsonable_python(answer.toDict(), fallback=str))


def _types(program: Any) -> dict[str, Any]:
    """Input -> its type: as ``forward`` of several predictors has it, else as the first that reads it does."""
    predictors = program.predictors()
    types = {name: each.annotation for one in reversed(predictors) for name, each in one.signature.input_fields.items()}
    try:
        return types | (get_type_hints(type(program).forward) if len(predictors) > 1 else {})
    except (NameError, TypeError, AttributeError):  # One names what cannot be found.
        return types


def _builder() -> Any:
    """The function that makes the first version, from the source file that the version was compiled with."""
    origin = _origin()
    module = _file(origin["module"], origin["file"]) if origin["file"] else importlib.import_module(origin["module"])
    return getattr(module, origin["function"])


def _origin() -> dict[str, Any]:
    """Where the program's code is, and whether its language model had an address of its own."""
    return dict(json.loads((HERE / "origin.json").read_bytes()))


def _adapter(name: str) -> Any:
    import dspy

    if name == "plain":
        return _file("plain_adapter", "plain_adapter.py").PlainFewShotAdapter()
    return dspy.JSONAdapter() if name == "json" else dspy.ChatAdapter()


def _file(name: str, file: str) -> ModuleType:
    """A module from a file of this folder."""
    spec = spec_from_file_location(name, HERE / file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{HERE / file} cannot be imported")
    module = module_from_spec(spec)
    # Type hints that are text are looked up there; what is imported already stays.
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


def main(arguments: list[str]) -> str | None:
    """Print the answer to the inputs; returns why there is none, for ``sys.exit``."""
    from dspy import DSPyError

    try:
        inputs = dict(json.loads(*arguments))
    except (TypeError, ValueError):
        return "give the program's inputs as one JSON object (see README.md)"
    try:
        model = context()
    except ValueError as error:
        return str(error)
    try:
        with model:
            print(json.dumps(ask(load(), inputs), ensure_ascii=False))
    except DSPyError as error:
        return f"no answer: {' '.join(str(error).split())}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
