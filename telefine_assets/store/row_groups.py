"""Where a Parquet file's row groups begin: a rule over the rows, whatever batches they came in.

Readers hold a row group at a time, so its size bounds their memory; and the same
rows must give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

ROWS = 10_000
BYTES = 32 * 2**20


def row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Cut a stream of rows into tables of at most ``ROWS`` rows; a group ends with the row that reaches ``BYTES``."""
    import numpy as np
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        ends = np.cumsum(_row_bytes(batch))
        start = 0
        while start < batch.num_rows:
            before = int(ends[start - 1]) if start else 0
            full = int(np.searchsorted(ends, before + BYTES - size)) + 1
            stop = min(batch.num_rows, full, start + ROWS - rows)
            waiting.append(batch.slice(start, stop - start))
            rows, size = rows + stop - start, size + int(ends[stop - 1]) - before
            start = stop
            if rows >= ROWS or size >= BYTES:
                yield pa.Table.from_batches(waiting, schema)
                waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting, schema)


def _row_bytes(batch: pa.RecordBatch) -> np.ndarray:
    """Bytes of each row's texts; numbers count eight."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    total = np.zeros(batch.num_rows, dtype=np.int64)
    for column in batch.columns:
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
            total += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
        else:
            total += 8
    return total
