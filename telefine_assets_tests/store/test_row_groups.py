"""Partitions that are written as a stream."""

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.store import row_groups as module
from telefine_assets.store.files import Files
from telefine_assets.store.row_groups import row_groups
from telefine_assets.store.tables import MissingPartition, TableStore

SCHEMA = pa.schema([("text", pa.string()), ("number", pa.int64())])


def batches(texts, cuts):
    """The texts as batches that end at ``cuts``."""
    table = pa.table({"text": texts, "number": list(range(len(texts)))}, SCHEMA)
    edges = sorted({0, len(texts), *(cut % (len(texts) + 1) for cut in cuts)})
    for start, stop in pairwise(edges):
        yield from table.slice(start, stop - start).to_batches()


@given(
    st.lists(st.text(max_size=30), max_size=40),
    st.lists(st.integers(0, 100)),
    st.lists(st.integers(0, 100)),
    st.integers(1, 7),
    st.integers(20, 120),
)
def test_groups_depend_on_the_rows_and_not_on_how_they_came(texts, one, other, rows, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS", rows)
        patch.setattr(module, "BYTES", size)
        groups = [group.to_pylist() for group in row_groups(batches(texts, one), SCHEMA)]
        again = [group.to_pylist() for group in row_groups(batches(texts, other), SCHEMA)]
    assert groups == again
    assert [row["text"] for group in groups for row in group] == texts
    assert all(0 < len(group) <= rows for group in groups)
    for group in groups:
        assert sum(len(row["text"].encode()) + 8 for row in group[:-1]) < size


def test_the_same_rows_in_other_batches_give_the_same_file(tmp_path):
    texts = [f"text {number}" for number in range(25_000)]
    first = TableStore(Files(str(tmp_path / "a"))).write_batches("p", "t", "2026-11-01", batches(texts, [7]), SCHEMA)
    second = TableStore(Files(str(tmp_path / "b"))).write_batches(
        "p", "t", "2026-11-01", batches(texts, range(0, 25_000, 999)), SCHEMA
    )
    assert first == second
    assert first.rows == 25_000
    assert pq.ParquetFile(next((tmp_path / "a").rglob("*.parquet"))).num_row_groups == 3


@pytest.mark.parametrize("uri", ["{tmp}/store", "memory://store"])
def test_a_stream_that_fails_leaves_the_old_partition_whole(uri, tmp_path):
    store = TableStore(Files(uri.format(tmp=tmp_path)))
    store.write_batches("p", "t", "2026-11-01", batches(["old"], []), SCHEMA)

    def broken():
        yield from batches(["new"] * 20_000, [])
        raise OSError("the store went away")

    with pytest.raises(OSError, match="went away"):
        store.write_batches("p", "t", "2026-11-01", broken(), SCHEMA)
    assert [row["text"] for batch in store.batches("p", "t", "2026-11-01") for row in batch.to_pylist()] == ["old"]
    assert store.days("p", "t") == ["2026-11-01"]
    assert not list(Path(tmp_path).rglob("*.part"))


def test_an_empty_day_is_a_partition_without_rows(tmp_path):
    store = TableStore(Files(str(tmp_path)))
    assert store.write_batches("p", "t", "2026-11-01", [], SCHEMA).rows == 0
    assert store.read("p", "t", "2026-11-01").schema.names == ["text", "number"]
    assert list(store.batches("p", "t", "2026-11-01")) == []


def test_columns_can_be_chosen_and_a_missing_day_says_what_to_do(tmp_path):
    store = TableStore(Files(str(tmp_path)))
    store.write_batches("p", "t", "2026-11-01", batches(["a", "b"], []), SCHEMA)
    assert [batch.schema.names for batch in store.batches("p", "t", "2026-11-01", ["number"])] == [["number"]]
    with pytest.raises(MissingPartition, match="make it first: telefine run t "):
        list(store.batches("p", "t", "2026-11-02"))
