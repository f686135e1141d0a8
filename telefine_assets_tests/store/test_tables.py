"""Daily tables: the same rows are the same bytes, and a missing day says what makes it."""

from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.canonical import sha256_hex
from telefine_assets.store.files import Files
from telefine_assets.store.tables import MissingPartition, TableStore

SCHEMA = pa.schema([("id", pa.string()), ("score", pa.float64()), ("at_ms", pa.int64())])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
            "score": st.none() | st.floats(allow_nan=False),
            "at_ms": st.integers(-(2**63), 2**63 - 1),
        }
    ),
    max_size=20,
)


def table(rows) -> pa.Table:
    return pa.Table.from_pylist(rows, SCHEMA)


def rows_of(*ids: str) -> pa.Table:
    return table([{"id": each, "score": 1.0, "at_ms": 0} for each in ids])


def in_memory() -> TableStore:
    return TableStore(Files(f"memory://{uuid4().hex}"))


@pytest.fixture
def store(tmp_path):
    return TableStore(Files(str(tmp_path)))


@given(ROWS)
def test_what_was_written_is_read_with_its_types_and_order(rows):
    store = in_memory()
    store.write("tickets", "traces", "2026-11-02", table(rows))
    read = store.read("tickets", "traces", "2026-11-02")
    assert (read.to_pylist(), read.schema) == (rows, SCHEMA)


@given(ROWS)
def test_the_same_rows_give_the_same_bytes_in_any_store(rows):
    assert in_memory().write("tickets", "traces", "2026-11-02", table(rows)) == in_memory().write(
        "other", "elsewhere", "2026-11-03", table(rows)
    )


def test_another_order_or_another_row_gives_other_bytes(store):
    digests = {store.write("p", "t", "2026-11-02", rows_of(*ids)) for ids in ("ab", "ba", "abc", "")}
    assert len(digests) == 4


def test_the_digest_is_that_of_the_file(store):
    digest = store.write("p", "t", "2026-11-02", rows_of("a"))
    assert sha256_hex(Path(store.path("p", "t", "2026-11-02")).read_bytes()) == digest


def test_a_missing_day_names_the_command_that_makes_it(store):
    with pytest.raises(MissingPartition) as caught:
        store.read("tickets", "traces", "2026-11-02")
    assert str(caught.value).startswith("tickets/traces has no partition 2026-11-02")
    assert str(caught.value).endswith("make it first: telefine run traces --program tickets --day 2026-11-02")


def test_several_days_come_one_after_the_other(store):
    for day, ids in (("2026-11-03", "c"), ("2026-11-02", "ba")):
        store.write("p", "t", day, rows_of(*ids))
    read = store.read_days("p", "t", ["2026-11-02", "2026-11-03"])
    assert read["id"].to_pylist() == ["b", "a", "c"]


def test_one_missing_day_fails_the_whole_read(store):
    store.write("p", "t", "2026-11-02", rows_of("a"))
    with pytest.raises(MissingPartition, match="2026-11-03"):
        store.read_days("p", "t", ["2026-11-02", "2026-11-03"])


def test_a_window_may_lack_earlier_days_but_not_its_own(store):
    days = ["2026-11-02", "2026-11-03", "2026-11-04"]
    store.write("p", "t", "2026-11-02", rows_of("a"))
    with pytest.raises(MissingPartition, match="2026-11-04"):
        store.read_window("p", "t", days)
    store.write("p", "t", "2026-11-04", rows_of("b"))
    assert store.read_window("p", "t", days)["id"].to_pylist() == ["a", "b"]


def test_days_that_exist_are_told_from_those_that_do_not(store):
    for day in ("2026-11-04", "2026-11-02"):
        store.write("p", "t", day, rows_of())
    store.write("p", "other", "2026-11-03", rows_of())
    assert store.days("p", "t") == ["2026-11-02", "2026-11-04"]
    assert [store.exists("p", "t", f"2026-11-0{day}") for day in (2, 3, 4)] == [True, False, True]
    assert store.days("q", "t") == []


def test_a_day_without_rows_exists(store):
    store.write("p", "t", "2026-11-02", rows_of())
    assert store.exists("p", "t", "2026-11-02")
    assert store.read("p", "t", "2026-11-02").num_rows == 0


def test_writing_a_day_again_replaces_it(store):
    store.write("p", "t", "2026-11-02", rows_of("old", "rows"))
    store.write("p", "t", "2026-11-02", rows_of("new"))
    assert store.read("p", "t", "2026-11-02")["id"].to_pylist() == ["new"]


def test_people_read_a_partition_with_duckdb(store):
    import duckdb

    store.write("p", "t", "2026-11-02", rows_of("a", "b"))
    path = store.path("p", "t", "2026-11-02")
    assert duckdb.connect().execute("select count(*) from read_parquet(?)", [path]).fetchone() == (2,)
