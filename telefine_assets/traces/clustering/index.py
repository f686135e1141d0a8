"""The index that is stored of a day: which texts and sessions it recorded, and where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from telefine_assets.errors import TelefineError
from telefine_assets.traces.clustering.signatures import PERMUTATIONS

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

METHOD = "2"
"""Names normalising, shingles, permutations and all else that contents and signatures depend on.

Whoever changes one of them counts up.
"""
_METHOD_KEY = b"telefine.clustering.method"
_DAY_KEY = b"telefine.clustering.day"


class Entry(NamedTuple):
    """One text of one session, recorded: it keeps its cluster and its group for ever."""

    content: str
    session: str | None
    arrival_ms: int
    cluster: str
    group: str


def index_schema(day: str) -> pa.Schema:
    """The columns of a day's index, in order of arrival; digests are bytes.

    ``signature`` stands in the first row of each content only, and is missing
    where near-duplicates were switched off. The schema's metadata names the
    method and the day, and must be stored with the table.
    """
    import pyarrow as pa

    digest = pa.binary(32)
    columns: list[tuple[str, pa.DataType]] = [
        ("content", digest),
        ("session", pa.string()),
        ("arrival_ms", pa.int64()),
        ("cluster", digest),
        ("group", digest),
        ("signature", pa.binary(PERMUTATIONS)),
    ]
    nullable = {"session", "signature"}
    fields = [pa.field(name, kind, name in nullable) for name, kind in columns]
    return pa.schema(fields, {_METHOD_KEY: METHOD.encode(), _DAY_KEY: day.encode()})


def checked(table: pa.Table) -> pa.Table:
    """The table, if it was made by this method.

    Raises:
        TelefineError: when it was not.
    """
    metadata = table.schema.metadata or {}
    method = metadata.get(_METHOD_KEY, b"unknown").decode()
    if method != METHOD:
        day = metadata.get(_DAY_KEY, b"an unknown day").decode()
        raise TelefineError(
            f"The cluster index of {day} was made by method {method}, this Telefine uses method {METHOD}, and their "
            "texts cannot be compared. Go on with the version of Telefine that made it, or delete this "
            "program's cluster indexes and clean all its days again, in order: traces may then change sides, so that "
            "the holdout begins anew."
        )
    return table


def index_table(
    day: str,
    entries: list[Entry],
    own: pa.Table | None,
    signatures: NDArray[np.uint8] | None,
    numbers: Mapping[str, int],
) -> pa.Table:
    """The entries of ``own`` and ``entries``, signed.

    Args:
        day: The day.
        entries: What the day adds.
        own: The day's index of an earlier run.
        signatures: A row for each text of the day, or None when near-duplicates are switched off.
        numbers: The row of each content.
    """
    import pyarrow as pa

    schema = index_schema(day)
    columns = [digests([entry.content for entry in entries])]
    columns += [pa.array([entry.session for entry in entries], pa.string())]
    columns += [pa.array([entry.arrival_ms for entry in entries], pa.int64())]
    columns += [digests([entry.cluster for entry in entries]), digests([entry.group for entry in entries])]
    columns += [pa.nulls(len(entries), schema.field("signature").type)]
    table = pa.Table.from_arrays(columns, schema=schema)
    if own is not None:
        table = pa.concat_tables([own.select(schema.names).cast(schema), table])
    order = [(name, "ascending") for name in ("arrival_ms", "content", "session")]
    table = table.sort_by(order).combine_chunks()
    return table if signatures is None else _signed(table, signatures, numbers)


def _signed(table: pa.Table, signatures: NDArray[np.uint8], numbers: Mapping[str, int]) -> pa.Table:
    """Sign the first row of each content, as it was or as the day's text is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = table.schema.field("signature").type
    data = pa.py_buffer(signatures)
    new = pa.FixedSizeBinaryArray.from_buffers(kind, len(signatures), [None, data])
    missing = table["signature"].is_null().to_pylist()
    contents = [content.hex() for content in table["content"].to_pylist()]
    done = {content for content, none in zip(contents, missing, strict=True) if not none}
    rows: list[int | None] = []
    for content in contents:
        rows.append(None if content in done else numbers.get(content))
        done.add(content)
    column = pc.coalesce(table["signature"], new.take(pa.array(rows, pa.int64())))
    return table.set_column(table.schema.get_field_index("signature"), table.schema.field("signature"), column)


def digests(values: Iterable[str]) -> pa.Array:
    """Hexadecimal digests as the index has them."""
    import pyarrow as pa

    return pa.array([bytes.fromhex(value) for value in values], pa.binary(32))


def listed_in(table: pa.Table | None) -> set[tuple[str, str | None]]:
    """The contents and sessions that a table has."""
    if table is None:
        return set()
    contents = (content.hex() for content in table["content"].to_pylist())
    return set(zip(contents, table["session"].to_pylist(), strict=True))
