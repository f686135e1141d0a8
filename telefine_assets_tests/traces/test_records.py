"""The two tables: what is written is what is read, and the digest covers all that a trace says."""

import io
from dataclasses import fields, replace

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.traces.records import (
    Trace,
    cleaned_to_table,
    json_text,
    table_to_cleaned,
    table_to_traces,
    traces_to_table,
)
from telefine_assets_tests.traces.examples import cleaned, expectation, feedback, trace

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
some_traces = st.lists(
    st.builds(
        lambda number, inputs, outputs, value, extra: replace(
            trace(number, feedback(value), inputs={"ticket": inputs}, outputs=outputs), **extra
        ),
        st.integers(0, 10**9),
        json_values,
        json_values,
        json_values,
        st.fixed_dictionaries(
            {"error": st.none() | st.text(max_size=5), "duration_ms": st.none() | st.integers(0, 10**12)}
        ),
    ),
    max_size=6,
    unique_by=lambda each: each.trace_id,
)


def through_parquet(table):
    file = io.BytesIO()
    pq.write_table(table, file)
    return pq.read_table(io.BytesIO(file.getvalue()))


@given(some_traces)
@settings(max_examples=50, deadline=None)
def test_traces_come_back_from_parquet_as_they_were_in_the_order_of_their_time(traces):
    table = through_parquet(traces_to_table(traces))
    back = table_to_traces(table)
    assert back == sorted(traces, key=lambda each: (each.request_time_ms, each.trace_id))
    assert table.column("digest").to_pylist() == [each.digest for each in back]


def test_cleaned_traces_come_back_from_parquet_as_they_were():
    kept, _ = cleaned(trace(2, feedback(1), contributor=None), trace(1, expectation("login"), feedback(0)))
    assert table_to_cleaned(through_parquet(cleaned_to_table(kept[::-1]))) == kept


def test_a_day_without_traces_has_the_same_columns_as_any_other():
    assert traces_to_table([]).schema == traces_to_table([trace(1)]).schema
    assert cleaned_to_table([]).schema == cleaned_to_table(cleaned(trace(1, feedback(1)))[0]).schema
    assert table_to_traces(through_parquet(traces_to_table([]))) == []


@pytest.mark.parametrize("name", [field.name for field in fields(Trace)])
def test_a_traces_digest_changes_with_everything_that_it_says(name):
    one = trace(1, feedback(1))
    other = {"request_time_ms": 7, "duration_ms": None}.get(name, json_text({"other": 1}))
    assert replace(one, **{name: other}).digest != one.digest


def test_a_traces_digest_changes_when_feedback_is_overridden():
    assert trace(1, feedback(1)).digest != trace(1, feedback(1, valid=False)).digest


def test_feedback_that_is_not_a_number_survives():
    (said,) = table_to_traces(traces_to_table([trace(1, feedback("NaN"))]))[0].assessed()
    assert said.value == "NaN"


def test_json_text_does_not_depend_on_the_order_of_keys():
    assert json_text({"b": 1, "a": float("nan")}) == json_text({"a": float("nan"), "b": 1}) == '{"a":NaN,"b":1}'
