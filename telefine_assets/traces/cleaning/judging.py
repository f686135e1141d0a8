"""The first pass: what can be said of each trace alone, kept as Arrow columns.

The day's traces come in batches and are never all in memory as Python objects.
A trace that is dropped, or that can have no label, leaves only what the report
and the day's scales need of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from telefine_assets.settings.traces import CleaningSettings
from telefine_assets.traces.cleaning.audit import Audit
from telefine_assets.traces.cleaning.candidate import Candidate, Program, Row
from telefine_assets.traces.cleaning.missing import NamesSaid
from telefine_assets.traces.cleaning.outcomes import Notes
from telefine_assets.traces.cleaning.rules import TRACE_RULES
from telefine_assets.traces.clusters import cluster_of, normalised, text_of
from telefine_assets.traces.fields import Fields
from telefine_assets.traces.records import json_text

if TYPE_CHECKING:
    import pyarrow as pa

NO_CATEGORY: Final = "(none)"
_ROWS_AT_ONCE: Final = 4_096
_NUMBERS: Final = ("arrival_ms", "disagreement_ppm", "latency", "tokens", "input_length", "output_length")
_BOOLEANS: Final = ("expected", "audited")
_ALWAYS: Final = ("trace_id", "arrival_ms", "who", "rule")
_OF_LABELLED: Final = (
    *("digest", "inputs", "label", "label_source", "expected", "audited", "fault", "content", "text", "category"),
    *("contributor", "contributor_reason", "submission", "session", "version"),
    *("latency", "tokens", "input_length", "output_length"),
)


@dataclass(frozen=True)
class Judged:
    """A day's traces, each judged alone."""

    table: pa.Table
    """A row for each, ordered by arrival and id, with the rule that dropped it or null."""
    audit: Audit
    notes: Notes
    names: NamesSaid


def value_column(feedback: str) -> str:
    """The column with an outcome's values."""
    return f"value:{feedback}"


def answer_column(name: str) -> str:
    """The column that tells the answers of a free-text output field apart."""
    return f"answer:{name}"


def judge(batches: Iterable[pa.RecordBatch], fields: Fields, settings: CleaningSettings) -> Judged:
    """Judge each trace of a day alone. The order of the batches and of their rows is irrelevant."""
    import pyarrow as pa

    alone = _Alone(fields, settings)
    pieces = [alone.batch(piece) for batch in batches for piece in _pieces(batch)]
    table = pa.Table.from_batches(pieces, alone.schema)
    return Judged(_ordered(table), alone.audit, alone.program.notes, alone.names)


class _Alone:
    def __init__(self, fields: Fields, settings: CleaningSettings) -> None:
        self.program = Program(fields, settings)
        self.audit = Audit(settings.audit)
        self.names = NamesSaid()
        share = settings.outliers.max_output_share
        self._answers = self.program.types.free_text if share is not None else ()
        values = [value_column(each.feedback) for each in settings.outcomes]
        answers = [answer_column(name) for name in self._answers]
        self._columns = [*_ALWAYS, "disagreement_ppm", *values, *_OF_LABELLED, *answers]
        self._numbers = {*_NUMBERS, *values}
        self._blank = (None,) * (1 + len(values))
        self._nothing = (None,) * (len(_OF_LABELLED) + len(answers))

    @property
    def schema(self) -> pa.Schema:
        import pyarrow as pa

        # Large strings: a day's inputs may be more than the two gigabytes of a plain column.
        kinds = {name: pa.int64() for name in self._numbers} | {name: pa.bool_() for name in _BOOLEANS}
        return pa.schema([(name, kinds.get(name, pa.large_string())) for name in self._columns])

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        rows = zip(*(batch.column(name).to_pylist() for name in Row._fields), strict=True)
        columns = list(zip(*(self._row(Candidate(Row(*row), self.program)) for row in rows), strict=True))
        arrays = [pa.array(column, kind) for column, kind in zip(columns, self.schema.types, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _row(self, each: Candidate) -> tuple[Any, ...]:
        self.names.add(each.assessed)
        if self.program.settings.audit is not None:
            # Of dropped traces too: they are its contributor's work like any other.
            self.audit.add(each.contributor.who, each.expectations)
        rule = next((name for name, objects in TRACE_RULES.items() if objects(each)), None)
        known = (each.row.trace_id, each.row.request_time_ms, each.contributor.who, rule)
        if rule is not None:
            return (*known, *self._blank, *self._nothing)
        of_label = self._nothing if each.label is None else self._labelled(each)
        return (*known, each.disagreement_ppm, *each.values, *of_label)

    def _labelled(self, each: Candidate) -> tuple[Any, ...]:
        row, label = each.row, each.label
        if label is None:
            raise ValueError("a trace without a label has nothing to be kept")
        inputs = json_text(each.inputs)
        return (
            row.digest,
            inputs,
            json_text(label.values),
            label.source,
            label is each.expected,
            label.audited,
            each.label_fault,
            cluster_of(each.inputs),
            text_of(each.inputs),
            self._category(each),
            each.contributor.address,
            each.contributor.reason,
            _text(each.tags.get(self.program.settings.submission_tag)),
            row.session,
            row.version,
            row.duration_ms,
            row.tokens,
            len(inputs),
            None if row.outputs is None else len(row.outputs),
            *(_answer(each.outputs, name) for name in self._answers),
        )

    def _category(self, each: Candidate) -> str | None:
        """Where balance counts the trace; None without balance."""
        balance = self.program.settings.balance
        if balance is None:
            return None
        kind, _, name = balance.by.partition(":")
        values = {"label": each.label.values if each.label else {}, "field": each.inputs, "tag": each.tags}
        value = each.row.version if kind == "version" else values[kind].get(name)
        return _text(value) or NO_CATEGORY


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
        yield batch.slice(start, _ROWS_AT_ONCE)


def _ordered(table: pa.Table) -> pa.Table:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    order = pc.sort_indices(table, sort_keys=[("arrival_ms", "ascending"), ("trace_id", "ascending")])
    if np.array_equal(order.to_numpy(), np.arange(table.num_rows)):
        return table
    # In pieces again, each of which fits into a plain column of text.
    return pa.Table.from_batches(table.take(order).to_batches(_ROWS_AT_ONCE), table.schema)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json_text(value)


def _answer(outputs: Any, name: str) -> str | None:
    """What a text has in common with those that differ in case and white space alone."""
    value = outputs.get(name) if isinstance(outputs, dict) else None
    return hashlib.sha256(normalised(value).encode()).hexdigest() if isinstance(value, str) and value.strip() else None
