"""Pictures and other files inside of traces: kept once, by digest, with a reference in their place.

MLflow writes them as ``data:`` URIs (RFC 2397) into inputs and outputs, where the
same picture can stand a thousand times.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from telefine_assets.traces.records import DIGESTED, row_digest

if TYPE_CHECKING:
    import pyarrow as pa

SCHEME = "telefine-blob"
_MARK = ";base64,"
_COLUMNS = ("inputs", "outputs", "spans")
_DATA_URI = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+);base64,(?P<data>[A-Za-z0-9+/]{64,}={0,2})")


def with_references(batches: Iterable[pa.RecordBatch], put: Callable[[bytes], str]) -> Iterator[pa.RecordBatch]:
    """The same traces, with ``telefine-blob:sha256:<hex>;<type>`` in place of each file.

    Args:
        batches: traces in the columns of ``records.trace_schema``.
        put: stores bytes and returns their SHA-256 as hex digits.
    """
    for batch in batches:
        yield _replaced(batch, put) if _marked(batch).any() else batch


def _marked(batch: pa.RecordBatch) -> Any:
    """Which rows may hold a file, as a NumPy mask."""
    import numpy as np
    import pyarrow.compute as pc

    found = (pc.fill_null(pc.match_substring(batch[name], _MARK), False) for name in _COLUMNS)
    return np.logical_or.reduce([each.to_numpy(zero_copy_only=False) for each in found])


def _replaced(batch: pa.RecordBatch, put: Callable[[bytes], str]) -> pa.RecordBatch:
    import pyarrow as pa

    def reference(match: re.Match[str]) -> str:
        # Too few or odd characters are no file: the text stays as it is.
        try:
            content = base64.b64decode(match["data"], validate=True)
        except ValueError:
            return match[0]
        return f"{SCHEME}:sha256:{put(content)};{match['type']}"

    rows = batch.to_pylist()
    for position in _marked(batch).nonzero()[0]:
        row = rows[position]
        for name in _COLUMNS:
            row[name] = row[name] and _DATA_URI.sub(reference, row[name])
        row["digest"] = row_digest(row[name] for name in DIGESTED)
    return pa.RecordBatch.from_pylist(rows, schema=batch.schema)
