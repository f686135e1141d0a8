"""A day's judged traces while the rules that look at all of them take some away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class Day:
    """Rows in the order of arrival, each with the rule that dropped it or None, and with what is odd about it."""

    def __init__(self, table: pa.Table) -> None:
        """Begin with what the rules on single traces left."""
        self.table = table
        self.rules: list[str | None] = table["rule"].to_pylist()
        self.flags: dict[int, list[str]] = {}
        self._columns: dict[str, list[Any]] = {}

    def standing(self) -> list[int]:
        """The rows that no rule has dropped yet."""
        return [row for row, rule in enumerate(self.rules) if rule is None]

    def drop(self, rows: Iterable[int], rule: str) -> None:
        """Drop those of the rows that still stand."""
        for row in rows:
            self.rules[row] = self.rules[row] or rule

    def flag(self, rows: Iterable[int], flag: str) -> None:
        """Note what is odd about some rows."""
        for row in rows:
            self.flags.setdefault(row, []).append(flag)

    def column(self, name: str) -> list[Any]:
        """A column's values for all rows; for columns of numbers and short texts."""
        if name not in self._columns:
            self._columns[name] = self.table[name].to_pylist()
        return self._columns[name]

    def taken(self, names: Sequence[str], rows: Sequence[int]) -> pa.Table:
        """Some columns of some rows, which go up, in the plain types of the stored tables."""
        import numpy as np
        import pyarrow as pa

        wanted = np.zeros(len(self.rules), bool)
        wanted[rows] = True
        found = self.table.select(names).filter(wanted)
        plain = [field.with_type(pa.string()) if field.type == pa.large_string() else field for field in found.schema]
        return found.cast(pa.schema(plain))
