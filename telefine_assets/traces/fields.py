"""The fields of a program, as far as its traces are read by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fields:
    """The program's input and output fields, in the signature's order."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    types: Mapping[str, Any] = field(default_factory=dict)
    """Field -> its Python annotation; a field that is not named may be anything."""
