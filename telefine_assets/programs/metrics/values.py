"""Values of labels and answers, brought to one form in which they can be compared.

Labels come from traces and are JSON; an answer of a typed program may be made
of models, enums and other types. Both are compared as JSON.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from enum import Enum
from typing import Any

from telefine_assets.programs.metrics.scores import CannotJudge
from telefine_assets.strangers_json import MAX_DEPTH


def plain_value(value: Any, depth: int = 0) -> Any:
    """``value`` as JSON values: models by their fields, enums by their value, sets sorted, other types as text.

    What is nested more than ``MAX_DEPTH`` deep (``depth`` so far) becomes a text that says so.
    """
    from pydantic_core import to_jsonable_python

    if depth > MAX_DEPTH:
        return f"(nested more than {MAX_DEPTH} deep)"
    if hasattr(value, "model_dump"):
        return plain_value(value.model_dump(), depth)
    if isinstance(value, dict):
        return {str(plain_value(key)): plain_value(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain_value(item, depth + 1) for item in value), key=normal_form)
    if isinstance(value, Enum):
        return plain_value(value.value, depth)
    if hasattr(value, "tolist"):  # NumPy's and torch's scalars and arrays
        return plain_value(value.tolist(), depth)
    return to_jsonable_python(value, fallback=str)


def normal_form(value: Any, case_sensitive: bool = False) -> str:
    """A text that two values share exactly when they are the same.

    Text is compared in Unicode's NFC, without outer white space and, unless
    ``case_sensitive``, without case; 1 and 1.0 are the same, True and 1 are not;
    lists element by element, objects by their keys.
    """
    return json.dumps(_normal(plain_value(value), case_sensitive), sort_keys=True)


def _normal(value: Any, case_sensitive: bool) -> Any:
    if isinstance(value, dict):
        return {key: _normal(item, case_sensitive) for key, item in value.items()}
    if isinstance(value, list):
        return [_normal(item, case_sensitive) for item in value]
    if isinstance(value, str):
        text = unicodedata.normalize("NFC", value).strip()
        return text if case_sensitive else text.casefold()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def words_of(value: Any) -> str:
    """A value as running text: text as it is, lists joined by spaces, anything else as JSON."""
    plain = plain_value(value)
    if isinstance(plain, list):
        return " ".join(map(words_of, plain))
    return plain if isinstance(plain, str) else "" if plain is None else json.dumps(plain, ensure_ascii=False)


def labels_of(example: Any, fields: Sequence[str] | None = None) -> dict[str, Any]:
    """The labels that count: those of ``fields``, or all.

    Raises:
        CannotJudge: when the item lacks one, or has none.
    """
    labels = dict(example.labels().items())
    missing = [name for name in fields or () if name not in labels]
    if missing or not labels:
        raise CannotJudge(f"no label for {', '.join(missing) or 'any output'}")
    return {name: labels[name] for name in fields or labels}
