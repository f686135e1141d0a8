"""A program's own fields: what goes into the whole of it, and what comes out that can be right or wrong.

A program with one predictor has that predictor's fields. One with several has
its signature's, if it has a signature (``dspy.ReAct``); else its inputs are the
parameters that its ``forward`` needs, and its outputs those of its last
predictor; where expectations name those and others that predictors make, all
that they name. The settings may say otherwise.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, get_type_hints

from telefine_assets.errors import TelefineError
from telefine_assets.settings.schema import FieldsSettings
from telefine_assets.settings.traces import CleaningSettings
from telefine_assets.traces.fields import Fields

# What a program thinks is nobody's label: ChainOfThought and ReAct add these outputs.
THOUGHTS = frozenset({"reasoning", "trajectory"})
# dspy.Example keeps these names for itself, and marks bootstrapped demos with the last:
# a field so called would silently be lost from every demo.
_TAKEN_NAMES = frozenset({"base", "self", "augmented"})
_TAKEN_PREFIX = "dspy_"


class ProgramError(TelefineError):
    """A program cannot be made or used as the settings say."""


def fields_of(module: Any, said: FieldsSettings, setting: str, expected: Collection[str] = ()) -> Fields:
    """The fields of a ``dspy.Module``; what the settings say goes before what the code shows.

    An output that no predictor has may be one that ``forward`` works out, and
    is taken at its word. ``expected`` are the outputs that expectations are configured for.

    Raises:
        ProgramError: naming ``setting`` (``programs.<name>.fields``), when the
            fields cannot be told or are none that a program can have.
    """
    signature = _own_signature(module)
    parameters = _parameters(module)
    inputs = said.inputs or tuple(signature.input_fields if signature else _needed(parameters))
    outputs = said.outputs or (_outputs(signature) if signature else _made(module, {*expected}))
    _check(inputs, outputs, signature, parameters, setting)
    _check_names(module, (*inputs, *outputs), setting)
    return Fields(inputs, outputs, _types(module, signature, inputs, outputs))


def _own_signature(module: Any) -> Any | None:
    """The signature of the whole program, if it has one."""
    predictors = module.predictors()
    if len(predictors) == 1:
        return predictors[0].signature
    found = getattr(module, "signature", None)
    return found if hasattr(found, "input_fields") else None


def _parameters(module: Any) -> Mapping[str, inspect.Parameter]:
    # By the class: asking the module itself for its ``forward`` makes DSPy warn.
    forward = getattr(type(module), "forward", None)
    return dict(list(inspect.signature(forward).parameters.items())[1:]) if forward else {}


def _needed(parameters: Mapping[str, inspect.Parameter]) -> Iterator[str]:
    """A parameter with a default need not be given, and then is in no trace."""
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and parameter.kind not in _STARRED:
            yield name


_STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _outputs(signature: Any) -> tuple[str, ...]:
    return tuple(name for name in signature.output_fields if name not in THOUGHTS)


def _made(module: Any, expected: set[str]) -> tuple[str, ...]:
    """The last predictor's outputs; or all that are expected, if those are among them and predictors make the rest."""
    made = [_outputs(predictor.signature) for predictor in module.predictors()]
    every = dict.fromkeys(name for outputs in made for name in outputs)
    return tuple(name for name in every if name in expected) if {*made[-1]} < expected <= {*every} else made[-1]


def require_cleaned(fields: Fields, cleaning: CleaningSettings, setting: str) -> None:
    """Refuse settings of cleaning that name a field that the program does not have.

    Raises:
        ProgramError: naming ``setting`` (``programs.<name>``), the fields that there are, and the cure.
    """
    kind, _, name = cleaning.balance.by.partition(":") if cleaning.balance else ("", "", "")
    known = {"label": fields.outputs, "field": fields.inputs}.get(kind)
    if known is not None and name not in known:
        raise ProgramError(
            f"{setting}.cleaning.balance.by = '{kind}:{name}': the program has no such field; "
            f"there are: {', '.join(known)}"
        )
    unknown = [output for output in cleaning.expectations if output not in fields.outputs]
    if unknown:
        raise ProgramError(
            f"{setting}.cleaning.expectations: {', '.join(map(repr, unknown))} is no output field of the program; "
            f"there are: {', '.join(fields.outputs)}. Name one of those, or all that the program returns in "
            f"{setting}.fields.outputs, such as [{', '.join((*unknown, *fields.outputs))}]"
        )


def _check(
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    signature: Any | None,
    parameters: Mapping[str, inspect.Parameter],
    setting: str,
) -> None:
    if not inputs:
        raise ProgramError(
            f"{setting}.inputs: the program's forward names no parameter that must be given; "
            "name the inputs here, or give forward one parameter for each"
        )
    if not outputs:
        raise ProgramError(f"{setting}.outputs: the last predictor has none that can be right or wrong; name them here")
    if len({*inputs, *outputs}) < len(inputs) + len(outputs):
        raise ProgramError(f"{setting}: {', '.join((*inputs, *outputs))}: each field may be named once")
    named = [name for name, each in parameters.items() if each.kind not in _STARRED]
    takes = [*named, *(signature.input_fields if signature else ())]
    # Without a signature, **anything may be what the forward wants.
    takes_any = signature is None and len(named) < len(parameters)
    unknown = [] if takes_any else [name for name in inputs if name not in takes]
    if unknown:
        raise ProgramError(
            f"{setting}.inputs: the program takes no {', '.join(unknown)}; it takes {', '.join(takes) or 'nothing'}"
        )


def _check_names(module: Any, fields: tuple[str, ...], setting: str) -> None:
    of_predictors = (name for predictor in module.predictors() for name in predictor.signature.fields)
    for field in (*fields, *of_predictors):
        if field in _TAKEN_NAMES or field.startswith(_TAKEN_PREFIX):
            raise ProgramError(f"{setting}: dspy.Example cannot hold a field named {field!r}; call it otherwise")


def _types(module: Any, signature: Any | None, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> dict[str, Any]:
    """Field -> annotation: as ``forward`` has it, else as the predictors do; the last to make an output decides."""
    # Later ones overwrite: of inputs the program's own and then the first reader's type counts.
    own = [signature] if signature else []
    predictors = [predictor.signature for predictor in module.predictors()]
    read = _annotations("input_fields", [*reversed(predictors), *own]) | ({} if own else _hints(module))
    made = _annotations("output_fields", [*predictors, *own])
    return {name: types[name] for names, types in ((inputs, read), (outputs, made)) for name in names if name in types}


def _annotations(side: str, signatures: Iterable[Any]) -> dict[str, Any]:
    return {name: field.annotation for each in signatures for name, field in getattr(each, side).items()}


def _hints(module: Any) -> dict[str, Any]:
    """The annotations of ``forward``, or none where one names what cannot be found."""
    try:
        return get_type_hints(type(module).forward, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}
