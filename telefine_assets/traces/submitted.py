"""A trace as somebody hands it in, instead of logging it to MLflow himself."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from telefine_assets.attribution.addresses import resolve_contributor
from telefine_assets.canonical import digest_of, sha256_hex
from telefine_assets.traces.cleaning.reading import MAX_DEPTH
from telefine_assets.traces.records import json_text

MAX_CHARACTERS = 1_000_000
"""Of a trace as JSON text."""
MAX_AHEAD_MS, MAX_BEHIND_MS = 300_000, 7 * 86_400_000
"""How far before and after its receipt a trace may have begun. Who was first is paid: nobody may have been long ago."""
RESERVED = ("mlflow.", "telefine.")
"""How the names of tags begin that say something to MLflow or to Telefine."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LAST_WHOLE = 2**53 - 1


def _plain(value: Any) -> Any:
    """``value`` if every JSON reader reads the same in it (RFC 7493), and no deeper than cleaning reads it."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH + 1:
            raise ValueError(f"is nested more than {MAX_DEPTH} deep")
        for each in level:
            _check(each)
        level = [inner for each in level for inner in _inner(each)]
    return value


def _inner(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _check(value: Any) -> None:
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise ValueError("has half a character (a lone UTF-16 surrogate)")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("has a number that JSON does not know (NaN or infinity); use null")
    elif isinstance(value, int):
        if abs(value) > _LAST_WHOLE:
            raise ValueError("has an integer beyond 2**53, which readers of JSON round; write it as text")
    elif not isinstance(value, dict | list | None):
        raise ValueError(f"has a value that JSON does not know: {type(value).__name__}")


def _line(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("has a control character")
    return str(_plain(value))


def _own_tag(key: str) -> str:
    if key.startswith(RESERVED):
        raise ValueError(f"tags that begin with {' or '.join(RESERVED)} are not given by hand; use the fields for them")
    return key


def _wallet(value: str) -> str:
    found = resolve_contributor(value)
    if found.address is None:
        raise ValueError(f"names no wallet for certain ({found.reason}); give a checksummed (EIP-55) address")
    return found.address


Plain = Annotated[Any, AfterValidator(_plain)]
Line = Annotated[str, AfterValidator(_line)]
Named = Annotated[Line, Field(min_length=1, max_length=250)]
FieldValues = Annotated[dict[str, Any], Field(max_length=200), AfterValidator(_plain)]
TagName = Annotated[str, Field(pattern=r"^\w[\w.:/ -]*$", max_length=250), AfterValidator(_own_tag)]
TagValue = Annotated[Line, Field(max_length=4_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SubmittedFeedback(_Strict):
    """What somebody, a judge or code thought of the answer."""

    name: Named = Field(description="Which feedback it is, as the program's settings name its outcomes.")
    value: Annotated[bool | int | float | str, AfterValidator(_plain)] = Field(description="What was said.")
    by: Annotated[Line, Field(min_length=1, max_length=100)] | None = Field(None, description="Who said it.")
    source: Literal["HUMAN", "LLM_JUDGE", "CODE"] = "HUMAN"
    rationale: Annotated[str, Field(max_length=4_000), AfterValidator(_plain)] | None = None


class SubmittedTrace(_Strict):
    """One call of a program in production."""

    id: Annotated[str, Field(pattern=r"^[!-~]{1,128}$")] | None = Field(
        None, description="The sender's own id; without one, a trace that says the same is the same trace."
    )
    inputs: FieldValues = Field(min_length=1, description="The program's input fields, with their values.")
    outputs: FieldValues | None = Field(None, description="What the program answered, by output field.")
    expectations: Annotated[dict[Named, Plain], Field(max_length=50)] = Field(
        default_factory=dict,
        description="What would have been right, as the program's settings name its expectations; null where the "
        "output may be none and no text fits it.",
    )
    feedback: Annotated[list[SubmittedFeedback], Field(max_length=50)] = Field(default_factory=list)
    contributor: Annotated[str, AfterValidator(_wallet)] | None = Field(
        None, description="The wallet of whoever gave the trace, EIP-55."
    )
    submission: Annotated[Line, Field(max_length=2_000)] | None = Field(
        None, description="The contributor's signed submission, as `telefine submissions sign` prints it."
    )
    session: Annotated[Line, Field(min_length=1, max_length=250)] | None = None
    tags: Annotated[dict[TagName, TagValue], Field(max_length=50)] = Field(default_factory=dict)
    time_ms: Annotated[int, Field(ge=0, le=_LAST_WHOLE)] | None = Field(
        None, description="When the call began, Unix milliseconds UTC; when it was received, by default."
    )
    duration_ms: int = Field(0, ge=0, le=86_400_000)

    def body(self) -> str:
        """The trace as JSON text; fields stand in the order in which they came."""
        return self.model_dump_json(exclude_defaults=True)

    def digest(self) -> str:
        """SHA-256 of all that the trace says, whatever the order of its fields."""
        return sha256_hex(json_text(self.model_dump(mode="json", exclude_defaults=True)).encode())


def identity_of(trace: SubmittedTrace, digest: str, program: str, submitter: str) -> str:
    """What a trace is told apart by, as SHA-256.

    Its sender's id, which is worth something to that sender alone; without
    one, its content, whoever sends it.
    """
    if trace.id is not None:
        return digest_of({"id": trace.id, "program": program, "submitter": submitter})
    return digest_of({"program": program, "trace": digest})
