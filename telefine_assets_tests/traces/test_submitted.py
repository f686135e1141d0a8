"""Traces that are handed in: what is taken, what is refused, and what makes two of them one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from telefine_assets.ledger.spool_records import SpooledTrace
from telefine_assets.traces.spooling import Place, mlflow_trace
from telefine_assets.traces.submitted import SubmittedTrace, identity_of
from telefine_assets_tests.traces.examples import ADA

PLAIN = {"inputs": {"ticket": "late"}}
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def read(**changes):
    return SubmittedTrace.model_validate_json(json.dumps(PLAIN | changes))


def identity(trace, by="ada", program="tickets"):
    return identity_of(trace, trace.digest(), program, by)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"inputs": {}}, "at least 1"),
        ({"inputs": ["late"]}, "should be an object"),
        ({"ticket": "late"}, "Extra inputs"),
        ({"inputs": {"n": 2**53}}, "as text"),
        ({"inputs": {"n": float("nan")}}, "NaN"),
        ({"inputs": {"n": [[float("inf")]]}}, "NaN"),
        ({"inputs": {"deep": json.loads("[" * 101 + "]" * 101)}}, "100 deep"),
        ({"outputs": "shipping"}, "should be an object"),
        ({"id": ""}, "pattern"),
        ({"id": "a b"}, "pattern"),
        ({"id": 7}, "valid string"),
        ({"contributor": "ada.eth"}, "ens_name"),
        ({"contributor": ADA.replace("E", "e", 1)}, "bad_checksum"),
        ({"contributor": "0x" + "0" * 40}, "zero_address"),
        ({"session": "a\nb"}, "control character"),
        ({"session": "s" * 251}, "250"),
        ({"tags": {"mlflow.user": "root"}}, "begin with"),
        ({"tags": {"telefine.purpose": "test"}}, "begin with"),
        ({"tags": {"": "x"}}, "pattern"),
        ({"tags": {"a": "x\u0000"}}, "control character"),
        ({"tags": {"a": 1}}, "valid string"),
        ({"time_ms": -1}, "greater than or equal"),
        ({"time_ms": "1795000000000"}, "valid integer"),
        ({"duration_ms": True}, "valid integer"),
        ({"feedback": [{"name": "ok"}]}, "Field required"),
        ({"feedback": [{"name": "ok", "value": [1]}]}, "valid"),
        ({"feedback": [{"name": "ok", "value": float("inf")}]}, "NaN"),
        ({"feedback": [{"name": "ok", "value": 1, "source": "GOD"}]}, "HUMAN"),
        ({"feedback": [{"name": "ok", "value": 1}] * 51}, "50"),
        ({"expectations": {"": "x"}}, "at least 1"),
        ({"tags": {f"t{number}": "" for number in range(51)}}, "50"),
    ],
)
def test_what_is_not_taken(changes, problem):
    with pytest.raises(ValidationError, match=problem):
        read(**changes)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4), st.dictionaries(TEXTS, VALUES, max_size=3))
def test_what_was_handed_in_is_what_mlflow_is_given(inputs, outputs):
    trace = read(inputs=inputs, outputs=outputs)
    row = SpooledTrace(0, identity(trace), "ada", 5, trace.body())
    attributes = mlflow_trace(row, Place("tickets", "who", "signed")).span["attributes"]
    for name, value in (("mlflow.spanInputs", inputs), ("mlflow.spanOutputs", outputs)):
        found = json.loads(attributes[name])
        assert (json.dumps(found), list(found)) == (json.dumps(value), list(value))


@given(st.permutations(["inputs", "outputs", "tags", "session"]), st.permutations(["a", "b"]))
def test_the_order_of_fields_does_not_make_another_trace(fields, names):
    whole = {"inputs": dict.fromkeys(names, 1), "outputs": {"x": 1.0}, "tags": {"t": "u"}, "session": "s"}
    trace = read(**{name: whole[name] for name in fields})
    assert identity(trace) == identity(read(**(whole | {"inputs": {"b": 1, "a": 1}})))


def test_a_trace_is_told_apart_by_its_senders_id_or_by_all_that_it_says():
    plain, named = read(), read(id="call-1")
    assert identity(plain) == identity(read(), by="bob")
    assert len({identity(read(**each)) for each in ({}, {"session": "s"}, {"time_ms": 1}, {"contributor": ADA})}) == 4
    assert identity(named) == identity(read(id="call-1", session="s"))
    assert len({identity(named), identity(named, by="bob"), identity(named, program="refunds"), identity(plain)}) == 4


def test_nobody_speaks_in_another_raters_name():
    trace = read(expectations={"team": "x"}, feedback=[{"name": "ok", "value": True, "by": "trusted"}])
    row = SpooledTrace(0, identity(trace), "key7", 5, trace.body())
    said = mlflow_trace(row, Place("tickets", "who", "signed")).assessments
    assert [each.source_id for each in said] == ["api/key7", "api/key7/trusted"]
    assert {each.create_time_ms for each in said} == {5}
