"""A plain few-shot layout for base models, as a DSPy adapter.

Importing this module loads DSPy. That is why nothing else in
``telefine_assets.lm`` imports it: import it inside the function that calls the
model. Models that follow instructions do better with DSPy's own ChatAdapter.
"""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from dspy.adapters.base import Adapter
from dspy.adapters.utils import apply_output_field_defaults, format_field_value, parse_value
from dspy.clients.base_lm import BaseLM
from dspy.signatures.signature import Signature
from dspy.utils.exceptions import AdapterParseError

STOP = "\n\n"


class PlainFewShotAdapter(Adapter):
    """Writes a prompt that a base model can continue.

    The instructions, then one paragraph a demo of ``Field: value`` lines, then
    the input and the label of the first output field. The request stops at the
    first blank line, which is where the next demo would begin. How many tokens
    an answer may have is the LM's setting (``max_tokens``); labels need 8.
    """

    def __call__(
        self,
        lm: BaseLM,
        lm_kwargs: dict[str, Any],
        signature: type[Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Format, ask and parse, with the stop that this layout needs."""
        return super().__call__(lm, _with_stop(lm, lm_kwargs), signature, demos, inputs)

    async def acall(
        self,
        lm: BaseLM,
        lm_kwargs: dict[str, Any],
        signature: type[Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Format, ask and parse, with the stop that this layout needs."""
        return await super().acall(lm, _with_stop(lm, lm_kwargs), signature, demos, inputs)

    def format(
        self, signature: type[Signature], demos: list[dict[str, Any]], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Lay the whole prompt out as one user message.

        A demo without all its outputs would teach the model to leave them out,
        so it is not shown.
        """
        paragraphs = [signature.instructions.strip()]
        for demo in demos:
            if all(demo.get(name) is not None for name in signature.output_fields):
                paragraphs.append("\n".join(_lines(signature.fields, demo)))
        first_output = next(iter(signature.output_fields.values()))
        paragraphs.append("\n".join([*_lines(signature.input_fields, inputs), f"{_label(first_output)}:"]))
        return [{"role": "user", "content": "\n\n".join(part for part in paragraphs if part)}]

    def parse(self, signature: type[Signature], completion: str) -> dict[str, Any]:
        """Read the answer from the first lines of the completion.

        Raises:
            AdapterParseError: If a field is missing or its value is not one of
                its type. DSPy takes that for a wrong answer, not for a fault of
                the service.
        """
        texts = _split(signature, completion)
        fields: dict[str, Any] = {}
        for name, text in texts.items():
            try:
                fields[name] = _value(text, signature.output_fields[name].annotation)
            except (ValueError, TypeError) as error:
                raise AdapterParseError(
                    adapter_name=type(self).__name__,
                    signature=signature,
                    lm_response=completion,
                    message=f"{text!r} is no value of the output field {name!r}: {error}",
                ) from error
        fields = apply_output_field_defaults(signature, fields)
        if fields.keys() != signature.output_fields.keys():
            raise AdapterParseError(
                adapter_name=type(self).__name__,
                signature=signature,
                lm_response=completion,
                parsed_result=fields,
            )
        return fields


def _with_stop(lm: BaseLM, lm_kwargs: dict[str, Any]) -> dict[str, Any]:
    """Add the stop, unless the LM or the call brings its own."""
    if "stop" in lm_kwargs or lm.kwargs.get("stop"):
        return lm_kwargs
    return {**lm_kwargs, "stop": [STOP]}


def _label(field: Any) -> str:
    """The field's name as the prompt shows it, without the colon."""
    return str(field.json_schema_extra["prefix"]).strip().rstrip(":")


def _lines(fields: dict[str, Any], values: dict[str, Any]) -> list[str]:
    """One ``Label: value`` line a field that has a value.

    White space is collapsed: a line break in a value would look like the next
    field, and a blank line like the next demo.
    """
    return [
        f"{_label(field)}: {' '.join(str(format_field_value(field, values[name])).split())}"
        for name, field in fields.items()
        if values.get(name) is not None
    ]


def _split(signature: type[Signature], completion: str) -> dict[str, str]:
    """The text of each output field that the completion has.

    The completion starts inside the first field, whose label ends the prompt;
    each further field stands on the next line behind its label.
    """
    lines = completion.strip().split(STOP, 1)[0].splitlines()
    names = list(signature.output_fields)
    texts: dict[str, str] = {}
    for index, (name, line) in enumerate(zip(names, lines, strict=False)):
        if index:
            label, colon, line = line.partition(":")
            if not colon or label.strip().lower() != _label(signature.output_fields[name]).lower():
                break
        if not line.strip():
            break
        texts[name] = line.strip()
    return texts


def _value(text: str, annotation: Any) -> Any:
    """Turn the text into a value of the field's type; labels match in any case."""
    if get_origin(annotation) is not Literal:
        return parse_value(text, annotation)
    for member in get_args(annotation):
        if str(member).lower() == text.lower():
            return member
    raise ValueError(f"must be one of {', '.join(map(str, get_args(annotation)))}")
