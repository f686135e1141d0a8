"""A program as JSON: its instructions and demos, and nothing that could run.

DSPy's own loader takes foreign headers, another model and demos of any shape;
a state is therefore checked against the program before it is loaded.
"""

from __future__ import annotations

from typing import Any

from telefine_assets.canonical import json_value
from telefine_assets.programs.spec import ProgramError, ProgramSpec
from telefine_assets.programs.values import plain_fields, typed_again
from telefine_assets.traces.cleaning.annotations import FieldTypes
from telefine_assets.traces.fields import Fields

_PARTS = {"traces", "train", "demos", "signature", "lm"}


def dump_state(module: Any) -> dict[str, Any]:
    """The state of a ``dspy.Module``: JSON values only, without a language model.

    Optimisers give inner predictors demos of the whole program. Of each demo the
    predictor's own fields are kept, and one that shows no input or no output of
    the predictor is left out: DSPy's adapters do not show it either. So a module
    loaded from the state asks what the dumped one asks.
    """
    # By predictor: a bare dspy.Predict, dumped as a module, has no names in its state.
    return {name: _dump(predictor) for name, predictor in module.named_predictors()}


def _dump(predictor: Any) -> dict[str, Any]:
    shown = [demo for each in predictor.demos if (demo := _demo(predictor.signature, each))]
    # Neither decides what the program answers: the model is the deployment's,
    # and traces are left over from optimising.
    left_out: dict[str, Any] = {"lm": None, "traces": [], "train": []}
    state: dict[str, Any] = json_value({**predictor.dump_state(), **left_out, "demos": shown})
    return state


def _demo(signature: Any, demo: Any) -> dict[str, Any] | None:
    """What a predictor's prompt shows of a demo, or None when it shows nothing."""
    shown = plain_fields(signature.fields, demo)
    if not shown.keys() & signature.input_fields.keys() or not shown.keys() & signature.output_fields.keys():
        return None
    return {**shown, "augmented": True} if demo.get("augmented") else shown


def load_state(spec: ProgramSpec, state: dict[str, Any]) -> Any:
    """A fresh module of ``spec`` with the given state.

    Raises:
        ProgramError: naming the predictor and what does not fit.
    """
    check_state(spec, state)
    module = spec.build()
    for name, predictor in module.named_predictors():
        predictor.load_state(state[name])
        predictor.demos = _examples(predictor)
    return module


def _examples(predictor: Any) -> list[Any]:
    """Loaded demos as they were before: DSPy leaves mappings of JSON.

    Its optimisers never find those equal to an example, and so would ask the
    program what one of its own demos answers.
    """
    import dspy

    fields = predictor.signature.fields
    annotations = {name: field.annotation for name, field in fields.items()}
    types = FieldTypes(Fields(tuple(fields), (), annotations))
    return [dspy.Example(typed_again(demo, types)) for demo in predictor.demos]


def check_state(spec: ProgramSpec, state: object) -> None:
    """Refuse a state that is not one of this program's.

    Raises:
        ProgramError: naming the predictor and what does not fit.
    """
    if not isinstance(state, dict) or set(state) != set(spec.signatures):
        found = ", ".join(map(str, state)) if isinstance(state, dict) else type(state).__name__
        raise ProgramError(f"{spec.name}: the state is for {found or 'nothing'}, not for {', '.join(spec.signatures)}")
    for name, predictor in state.items():
        where = f"{spec.name}: state of {name}"
        if not isinstance(predictor, dict) or not set(predictor) <= _PARTS or predictor.get("lm") is not None:
            raise ProgramError(f"{where}: must have only {', '.join(sorted(_PARTS))}, and no language model")
        if not _whole(predictor):
            raise ProgramError(f"{where}: must have a signature with its fields, and a list of demos")
        sides = spec.signatures[name]
        fields = {field["name"] for side in ("inputs", "outputs") for field in sides[side]}
        if len(predictor["signature"]["fields"]) != len(fields):
            raise ProgramError(f"{where}: has {len(predictor['signature']['fields'])} fields, not {len(fields)}")
        for position, demo in enumerate(predictor["demos"]):
            if not isinstance(demo, dict) or not set(demo) <= fields | {"augmented"}:
                raise ProgramError(f"{where}: demo {position} has fields that the signature lacks")


def _whole(predictor: dict[str, Any]) -> bool:
    signature, demos = predictor.get("signature"), predictor.get("demos")
    return isinstance(signature, dict) and isinstance(signature.get("fields"), list) and isinstance(demos, list)
