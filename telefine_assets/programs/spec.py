"""What a program is: how it is made, its fields, and the metric that judges it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telefine_assets.canonical import digest_of, sha256_hex
from telefine_assets.errors import TelefineError
from telefine_assets.programs.metrics import Metric, metric_named
from telefine_assets.settings import ProgramSettings
from telefine_assets.traces.fields import Fields

# What a program thinks is nobody's label: ChainOfThought and ReAct add these outputs.
_THOUGHTS = frozenset({"reasoning", "trajectory"})
# dspy.Example keeps these names for itself: a field so called would silently be lost from every demo.
_TAKEN_NAMES = frozenset({"base", "self"})
_TAKEN_PREFIX = "dspy_"


class ProgramError(TelefineError):
    """A program cannot be made or used as the settings say."""


@dataclass(frozen=True)
class ProgramSpec:
    """A configured program, ready to be made as often as needed."""

    name: str
    build: Callable[[], Any]
    """Makes the first version, a fresh ``dspy.Module`` each time."""
    fields: Fields
    signatures: dict[str, Any]
    """Predictor name -> its field names with types, as JSON values."""
    metric: Metric
    metric_name: str

    @property
    def code_digest(self) -> str:
        """SHA-256 of the source file that makes the program: its state says nothing of its ``forward``."""
        return sha256_hex(Path(inspect.getfile(self.build)).read_bytes())

    @property
    def metric_digest(self) -> str:
        """SHA-256 of what the metric is: its name and source code."""
        return digest_of({"name": self.metric_name, "source": self.metric.source})


def import_named(path: str, setting: str) -> Any:
    """The object at ``package.module:name``.

    Raises:
        ProgramError: naming the setting that holds the path.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise ProgramError(f"{setting} = {path!r}: cannot be imported: {error}") from error
    except AttributeError:
        raise ProgramError(f"{setting} = {path!r}: module {module} has no {name!r}") from None


def load_spec(name: str, settings: ProgramSettings) -> ProgramSpec:
    """Import the program of the settings and read its fields off its predictors.

    Outputs are those that can be right or wrong: not the reasoning on the way.

    Raises:
        ProgramError: when the path does not lead to a function that returns a
            ``dspy.Module`` with a predictor.
    """
    import dspy

    setting = f"programs.{name}.module"
    build = import_named(settings.module, setting)
    if not callable(build):
        raise ProgramError(f"{setting} = {settings.module!r}: is not a function")
    module = build()
    if not isinstance(module, dspy.Module):
        raise ProgramError(f"{setting} = {settings.module!r}: returns {type(module).__name__}, not a dspy.Module")
    predictors = module.named_predictors()
    if not predictors:
        raise ProgramError(f"{setting} = {settings.module!r}: the program has no dspy.Predict to compile")
    if len(predictors) > 1:
        raise ProgramError(
            f"{setting} = {settings.module!r}: has {len(predictors)} predictors "
            f"({', '.join(key for key, _ in predictors)}); demos of inner predictors cannot be traced to a "
            "contributor yet, so only programs with one are compiled"
        )
    signature = predictors[0][1].signature
    for field in (*signature.input_fields, *signature.output_fields):
        if field in _TAKEN_NAMES or field.startswith(_TAKEN_PREFIX):
            raise ProgramError(
                f"{setting} = {settings.module!r}: dspy.Example cannot hold a field named {field!r}; call it otherwise"
            )
    return ProgramSpec(
        name=name,
        build=build,
        fields=_fields(signature),
        signatures={key: describe_signature(predictor.signature) for key, predictor in predictors},
        metric=metric_named(settings.metric, f"programs.{name}.metric"),
        metric_name=settings.metric,
    )


def _fields(signature: Any) -> Fields:
    outputs = {name: field for name, field in signature.output_fields.items() if name not in _THOUGHTS}
    types = {name: field.annotation for name, field in {**signature.input_fields, **outputs}.items()}
    return Fields(tuple(signature.input_fields), tuple(outputs), types)


def describe_signature(signature: Any) -> dict[str, Any]:
    """Names and types of a signature's fields, as JSON values."""
    sides = {"inputs": signature.input_fields, "outputs": signature.output_fields}
    return {
        side: [{"name": name, "type": str(field.annotation)} for name, field in fields.items()]
        for side, fields in sides.items()
    }
