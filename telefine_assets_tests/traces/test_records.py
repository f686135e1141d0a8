"""The two tables: what is written is what is read, and the digest covers all that a trace says."""

import hashlib
import io
from dataclasses import replace

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
    table_to_window,
    trace_schema,
)
from telefine_assets_tests.traces.examples import Text, batches_of, cleaned, expectation, feedback, trace

some_rows = st.lists(st.none() | st.text(max_size=6) | st.integers(0, 999), max_size=5)


(ONE,) = cleaned(trace(1, feedback(1)))[0]


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


given_again = st.dictionaries(
    st.tuples(st.integers(1, 4), st.integers(1, 5)), st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12
).map(
    lambda drawn: [
        replace(ONE, trace_id=f"tr-{number}", day=f"2026-11-0{day}", arrival_ms=at, cluster=f"c{cluster}")
        for (number, day), (at, cluster) in drawn.items()
    ]
)


@given(given_again.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_of_a_trace_on_several_days_the_newest_counts_in_whatever_order_they_are_read(both):
    stored = ([cleaned_to_table([row]) for row in rows] or [cleaned_to_table([])] for rows in both)
    one, other = (table_to_window(pa.concat_tables(days)) for days in stored)
    assert one == other
    last = {}
    for row in both[0]:
        last[row.trace_id] = max(row, last.get(row.trace_id, row), key=lambda each: each.day)
    assert sorted(one.traces, key=lambda each: each.trace_id) == [last[name] for name in sorted(last)]
    assert one.older == len(both[0]) - len(last)
    assert one.traces == table_to_cleaned(cleaned_to_table(one.traces))


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
