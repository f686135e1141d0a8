"""The two tables: what is written is what is read, and the digest covers all that a trace says."""

import hashlib
import io

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.traces.records import (
    batch_to_traces,
    cleaned_schema,
    cleaned_to_table,
    json_text,
    row_digest,
    table_to_cleaned,
    trace_schema,
)
from telefine_assets_tests.traces.examples import Text, batches_of, cleaned, expectation, feedback, trace

some_rows = st.lists(st.none() | st.text(max_size=6) | st.integers(0, 999), max_size=5)


def through_parquet(table):
    file = io.BytesIO()
    pq.write_table(table, file)
    return pq.read_table(io.BytesIO(file.getvalue()))


def test_traces_come_back_from_parquet_as_they_were():
    traces = [trace(1, feedback(1), expectation("login")), trace(2, error="it broke", outputs=None, duration_ms=None)]
    table = through_parquet(pa.Table.from_batches(batches_of(traces), trace_schema()))
    assert batch_to_traces(table) == traces


def test_cleaned_traces_come_back_from_parquet_as_they_were():
    kept, _ = cleaned(trace(2, feedback(1), contributor=None), trace(1, expectation("login"), feedback(0)))
    assert table_to_cleaned(through_parquet(cleaned_to_table(kept[::-1]))) == kept


def test_a_day_without_traces_has_the_same_columns_as_any_other():
    assert through_parquet(trace_schema().empty_table()).schema.equals(trace_schema())
    assert cleaned_to_table([]).schema == cleaned_to_table(cleaned(trace(1, feedback(1)))[0]).schema == cleaned_schema()


@given(some_rows, some_rows)
def test_rows_that_differ_have_different_digests(one, other):
    def seen(row):
        return [None if value is None else str(value) for value in row]

    assert (row_digest(one) == row_digest(other)) is (seen(one) == seen(other))


def test_the_digest_of_a_row_is_that_of_its_netstrings():
    assert row_digest(["", None, 12, "é"]) == hashlib.sha256("0:,-2:12,2:é,".encode()).hexdigest()


def test_feedback_that_is_not_a_number_survives():
    (said,) = trace(1, feedback(Text("NaN"))).assessed()
    assert said.value == "NaN"


def test_json_text_does_not_depend_on_the_order_of_keys():
    assert json_text({"b": 1, "a": float("nan")}) == json_text({"a": float("nan"), "b": 1}) == '{"a":NaN,"b":1}'
