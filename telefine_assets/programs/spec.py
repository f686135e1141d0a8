"""What a program is: how it is made, its fields, and the metric that judges it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telefine_assets.canonical import digest_of
from telefine_assets.errors import TelefineError
from telefine_assets.programs.metrics import Metric, metric_named
from telefine_assets.settings import ProgramSettings
from telefine_assets.traces.cleaning import Fields


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
    """Predictor name -> its instructions and field names with types, as JSON values."""
    metric: Metric
    metric_name: str

    @property
    def signature_digest(self) -> str:
        """SHA-256 of all signatures: what the program promises, whatever its demos."""
        return digest_of(self.signatures)

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

    Inputs are those of the first predictor, outputs those of the last: the
    fields of a program with one predictor, and of a chain.

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
    first, last = predictors[0][1].signature, predictors[-1][1].signature
    return ProgramSpec(
        name=name,
        build=build,
        fields=Fields(tuple(first.input_fields), tuple(last.output_fields)),
        signatures={key: describe_signature(predictor.signature) for key, predictor in predictors},
        metric=metric_named(settings.metric, f"programs.{name}.metric"),
        metric_name=settings.metric,
    )


def describe_signature(signature: Any) -> dict[str, Any]:
    """Names and types of a signature's fields, as JSON values."""
    sides = {"inputs": signature.input_fields, "outputs": signature.output_fields}
    return {
        side: [{"name": name, "type": str(field.annotation)} for name, field in fields.items()]
        for side, fields in sides.items()
    }
