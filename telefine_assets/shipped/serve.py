"""The program in this folder as an MLflow model from code: it reads ``program.json``; nothing is unpickled.

    mlflow models serve -m "models:/NAME@champion" --env-manager local

``model_config`` may name another language model (``lm``) and its address
(``api_base``). A key is read from the environment only (see ``program.py``).
"""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any


def _model() -> Any:
    from mlflow.pyfunc import PythonModel

    class Served(PythonModel):
        """Answers rows of inputs with rows of outputs."""

        def load_context(self, context: Any) -> None:
            """Make the program once, when the model is loaded."""
            self._module = _program_file()
            self._program = self._module.load()
            self._config = {key: value for key, value in (context.model_config or {}).items() if value}

        # No type hint of the input: MLflow would put it in the place of the model's signature.
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            """Answer each row; what stops the language model from answering is raised, and is no answer."""
            rows = model_input.to_dict("records") if hasattr(model_input, "to_dict") else model_input
            with self._module.context(self._config):
                return [self._module.ask(self._program, row) for row in rows]

    return Served()


def _program_file() -> Any:
    path = Path(__file__).with_name("program.py")
    spec = spec_from_file_location("program", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _set_model() -> None:
    from mlflow.models import set_model

    set_model(_model())


_set_model()
