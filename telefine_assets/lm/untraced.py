"""No call that Telefine makes becomes a trace of production.

MLflow's autologging is switched on for a whole process, and a program may have
functions of its own under ``@mlflow.trace``. Here tracing is off for a block,
for the threads that DSPy starts in it, and for nobody else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any


@contextmanager
def untraced() -> Iterator[None]:
    """Switch MLflow's tracing off in this thread, if MLflow is loaded at all."""
    mlflow = sys.modules.get("mlflow")
    if mlflow is None:
        yield
        return
    # Autologging writes an evaluation's scores to the last trace of the thread: production's, if there was one.
    last = sys.modules["mlflow.tracing.fluent"]._LAST_ACTIVE_TRACE_ID_THREAD_LOCAL
    token = last.set(None)
    try:
        with mlflow.tracing.context(enabled=False):
            yield
    finally:
        last.reset(token)


def untraced_modules() -> list[Any]:
    """DSPy callbacks that switch tracing off around modules, in whatever thread they run."""
    if "mlflow" not in sys.modules:
        return []
    from dspy.utils.callback import BaseCallback

    class Untraced(BaseCallback):
        def __init__(self) -> None:
            self._blocks: dict[str, AbstractContextManager[None]] = {}

        def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
            self._blocks[call_id] = untraced()
            self._blocks[call_id].__enter__()

        def on_module_end(self, call_id: str, outputs: Any, exception: Exception | None = None) -> None:
            self._blocks.pop(call_id).__exit__(None, None, None)

    return [Untraced()]
