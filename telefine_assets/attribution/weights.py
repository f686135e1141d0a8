"""The weight table: whole parts per million per wallet, and what is in escrow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from telefine_assets.attribution.addresses import ZERO_ADDRESS, address_order, is_checksummed
from telefine_assets.attribution.records import Fields, RecordError

FULL_PPM = 1_000_000

_CODE = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class WeightLine:
    """One wallet's weight and what it rests on.

    Attributes:
        address: the wallet, EIP-55.
        weight_ppm: its weight, 1 to 1,000,000 parts per million.
        clusters: the content clusters it is paid for, sorted.
        trace_ids: the traces of those clusters that the program uses, sorted.
    """

    address: str
    weight_ppm: int
    clusters: tuple[str, ...]
    trace_ids: tuple[str, ...]


@dataclass(frozen=True)
class EscrowLine:
    """What is held back because its contributor is unresolved.

    Attributes:
        reason: why, as a code (``missing``, ``bad_checksum``, ...).
        weight_ppm: the weight, 1 to 1,000,000 parts per million.
        clusters: the content clusters concerned, sorted.
        trace_ids: the traces of those clusters that the program uses, sorted.
    """

    reason: str
    weight_ppm: int
    clusters: tuple[str, ...]
    trace_ids: tuple[str, ...]


@dataclass(frozen=True)
class WeightTable:
    """Weights that sum to exactly 1,000,000 with the escrow, or none at all.

    Attributes:
        method: how they were found: ``usage``.
        lines: one per wallet, ascending by address, each above 0.
        escrow: one per reason, ascending by reason, each above 0.
        reason: why the table is empty; set exactly when it is.

    Raises:
        RecordError: on construction, if any of this does not hold.
    """

    method: str
    lines: tuple[WeightLine, ...]
    escrow: tuple[EscrowLine, ...]
    reason: str | None = None

    def __post_init__(self) -> None:
        for line in self.lines:
            if not is_checksummed(line.address) or line.address == ZERO_ADDRESS:
                raise RecordError("weights.lines.address", f"expected an EIP-55 address, found {line.address!r}")
        _check_order("weights.lines", [address_order(line.address) for line in self.lines])
        _check_order("weights.escrow", [line.reason for line in self.escrow])
        parts = [line.weight_ppm for line in self.lines] + [line.weight_ppm for line in self.escrow]
        if any(part < 1 for part in parts):
            raise RecordError("weights.weight_ppm", f"expected 1 or more, found {min(parts)}")
        empty = not self.lines and not self.escrow
        if empty != (self.reason is not None):
            raise RecordError("weights.reason", "must be given exactly when there are no weights")
        if not empty and self.total_ppm != FULL_PPM:
            raise RecordError("weights", f"must sum to {FULL_PPM}, sum to {self.total_ppm}")

    @property
    def total_ppm(self) -> int:
        """The sum of all lines and of the escrow: 1,000,000, or 0 when empty."""
        return sum(line.weight_ppm for line in self.lines) + self.escrow_ppm

    @property
    def escrow_ppm(self) -> int:
        """The parts per million held in escrow."""
        return sum(line.weight_ppm for line in self.escrow)

    def to_record(self) -> dict[str, Any]:
        """The table as JSON, fit for ``canonical_json``."""
        return {
            "method": self.method,
            "lines": [_line_record("address", line.address, line) for line in self.lines],
            "escrow": [_line_record("reason", line.reason, line) for line in self.escrow],
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> WeightTable:
        """Read what ``to_record`` wrote.

        Raises:
            RecordError: a field is missing, unknown or wrong, or the table does not add up.
        """
        fields = Fields(record, "weights")
        lines = tuple(WeightLine(f.text("address"), *_rest(f)) for f in fields.objects("lines"))
        escrow = tuple(EscrowLine(f.text("reason", _CODE, "a code"), *_rest(f)) for f in fields.objects("escrow"))
        table = cls(fields.text("method"), lines, escrow, fields.text_or_none("reason"))
        fields.done()
        return table


def _line_record(key: str, name: str, line: WeightLine | EscrowLine) -> dict[str, Any]:
    return {
        key: name,
        "weight_ppm": line.weight_ppm,
        "clusters": list(line.clusters),
        "trace_ids": list(line.trace_ids),
    }


def _rest(fields: Fields) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    rest = fields.integer("weight_ppm", 1, FULL_PPM), fields.texts("clusters"), fields.texts("trace_ids")
    fields.done()
    return rest


def _check_order(where: str, keys: list[Any]) -> None:
    if any(low >= high for low, high in pairwise(keys)):
        raise RecordError(where, "must ascend strictly: sorted, each name once")
