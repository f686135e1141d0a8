"""What a program is: how it is made, its fields, and the metric that judges it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from telefine_assets.canonical import sha256_hex
from telefine_assets.programs.metrics import Metric, metric_named
from telefine_assets.programs.program_fields import ProgramError as ProgramError
from telefine_assets.programs.program_fields import fields_of, require_cleaned
from telefine_assets.settings.schema import ProgramSettings
from telefine_assets.traces.cleaning.annotations import FieldTypes
from telefine_assets.traces.fields import Fields


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
    guardrails: Mapping[str, Metric] = field(default_factory=dict)
    """The metrics among the guardrails, by name."""

    @cached_property
    def types(self) -> FieldTypes:
        """The types of the program's fields: labels and inputs are logged as JSON, and learnt from as these."""
        return FieldTypes(self.fields)

    @property
    def code_digest(self) -> str:
        """SHA-256 of the source file that makes the program: its state says nothing of its ``forward``."""
        return sha256_hex(Path(inspect.getfile(self.build)).read_bytes())

    @property
    def metric_digest(self) -> str:
        """SHA-256 of what the metric is: see :attr:`Metric.digest`."""
        return self.metric.digest


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
    """Import the program of the settings and read its fields off its code (see ``program_fields``).

    Raises:
        ProgramError: when the path does not lead to a function that returns a
            ``dspy.Module`` with a predictor, its fields cannot be told, or
            cleaning or the report is to use one that it has not.
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
    fields = fields_of(module, settings.fields, f"programs.{name}.fields", settings.cleaning.expectations)
    require_cleaned(fields, settings.cleaning, f"programs.{name}")
    _require_field(settings.deltaone.category, (*fields.inputs, *fields.outputs), f"programs.{name}.deltaone.category")
    _require_field(settings.deltaone.confidence, fields.outputs, f"programs.{name}.deltaone.confidence")
    return ProgramSpec(
        name=name,
        build=build,
        fields=fields,
        signatures={key: describe_signature(predictor.signature) for key, predictor in predictors},
        metric=metric_named(settings.metric, f"programs.{name}.metric", fields.outputs),
        metric_name=settings.metric.label,
        guardrails={
            rail: metric_named(bound.metric, f"programs.{name}.deltaone.guardrails.{rail}.metric", fields.outputs)
            for rail, bound in settings.deltaone.guardrails.items()
            if bound.metric is not None
        },
    )


def _require_field(field: str | None, known: Sequence[str], setting: str) -> None:
    if field is not None and field not in known:
        raise ProgramError(f"{setting} = {field!r}: the program has no such field; there are: {', '.join(known)}")


def describe_signature(signature: Any) -> dict[str, Any]:
    """Names and types of a signature's fields, as JSON values."""
    sides = {"inputs": signature.input_fields, "outputs": signature.output_fields}
    return {
        side: [{"name": name, "type": str(field.annotation)} for name, field in fields.items()]
        for side, fields in sides.items()
    }
