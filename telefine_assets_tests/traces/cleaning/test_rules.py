"""Cleaning: what is dropped and why, and that each trace is accounted for."""

import json
from itertools import pairwise

import dspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.settings.traces import BalanceSettings, OutcomeSettings, OutlierSettings
from telefine_assets.traces.cleaning.pipeline import CleaningError, clean_day
from telefine_assets.traces.cleaning.rules import RULES
from telefine_assets.traces.fields import Fields
from telefine_assets.traces.records import Trace, cleaned_schema, table_to_cleaned
from telefine_assets_tests.traces.cleaning.days import some_traces
from telefine_assets_tests.traces.examples import (
    ADA,
    BEN,
    DAY,
    FIELDS,
    SETTINGS,
    SPLIT,
    Text,
    batches_of,
    clean,
    cleaned,
    expectation,
    feedback,
    only,
    sealed,
    settings_with,
    trace,
    why,
)

RIGHT = expectation("billing")
TYPED = Fields(("ticket",), ("team",), {"ticket": str, "team": str})
BUSY = settings_with(
    outcomes=(OutcomeSettings(feedback="helpful"), OutcomeSettings(feedback="stars", kind="stars", weight=3)),
    normalise="rank",
    accept_outputs_at=0.3,
    outliers=OutlierSettings(min_traces=3, threshold=3, action="drop", max_disagreement=0.9, max_output_share=0.6),
    balance=BalanceSettings(by="label:team", max_per_day=2),
)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (trace(1, RIGHT, status="ERROR"), "failed"),
        (trace(1, RIGHT, status="IN_PROGRESS"), "failed"),
        (trace(1, RIGHT, inputs={"ticket": "x" * 20_001}), "inputs_too_long"),
        (trace(1, RIGHT, inputs=None), "inputs_missing"),
        (trace(1, RIGHT, inputs="a string"), "inputs_missing"),
        (trace(1, RIGHT, inputs={"args": ["one", "two"]}), "inputs_missing"),
        (trace(1, RIGHT, inputs=Text('{"ticket": "a",}')), "inputs_missing"),
        (trace(1, RIGHT, inputs=Text(" ")), "inputs_missing"),
        (trace(1, RIGHT, inputs=Text('{"ticket": ' + "9" * 5_000 + "}")), "inputs_missing"),
        (trace(1, RIGHT, inputs=Text('{"ticket": ' + "[" * 9_000 + "]" * 9_000 + "}")), "inputs_missing"),
        (trace(1, RIGHT, inputs=Text('{"ticket": ' + "[" * 101 + "]" * 101 + "}")), "inputs_missing"),
        (trace(1, RIGHT, inputs={"ticket": None}), "inputs_empty"),
        (trace(1, RIGHT, inputs={"ticket": " \n"}), "inputs_empty"),
        (trace(1, RIGHT, inputs={"ticket": 5}), "inputs_wrong_type"),
        (trace(1, expectation(5)), "label_wrong_type"),
        (trace(1), "unlabelled"),
        (trace(1, feedback(0.7)), "unlabelled"),
        (trace(1, feedback(0.7), outputs=None), "unlabelled"),
        (trace(1, expectation("billing", name="something_else")), "unlabelled"),
        (trace(1, expectation(None)), "unlabelled"),
        (trace(1, expectation(float("nan"))), "unlabelled"),
        (trace(1, expectation("billing", valid=False), feedback(1, valid=False)), "unlabelled"),
        (trace(1, feedback(1), outputs=None), "outputs_missing"),
        (trace(1, feedback(1), outputs="billing"), "outputs_missing"),
        (trace(1, feedback(1), outputs=Text("{billing")), "outputs_missing"),
        (trace(1, feedback(1), outputs={"reasoning": "because"}), "outputs_missing"),
        (trace(1, feedback(1), outputs={"team": None}), "outputs_missing"),
        (trace(1, feedback(1), outputs={"team": ["billing"]}), "outputs_wrong_type"),
    ],
)
def test_a_trace_that_cannot_be_learnt_from_is_dropped_for_a_stated_reason(bad, reason):
    assert why(bad, fields=TYPED) == reason


@pytest.mark.parametrize(
    "good",
    [
        trace(1, RIGHT, outputs=None),
        trace(1, RIGHT, outputs={"team": 5}),
        trace(1, RIGHT, feedback(0)),
        trace(1, feedback(0.8)),
        trace(1, RIGHT, inputs={"ticket": "x" * 19_900}),
        trace(1, RIGHT, inputs=Text('{"ticket": "a", "more": ' + "[" * 99 + "]" * 99 + "}")),
        trace(1, RIGHT, inputs={"ticket": "[" * 5_000}),
        trace(1, RIGHT, tags={f"tag {number}": "x" for number in range(10_000)}),
        trace(1, RIGHT, *(feedback(1, str(number)) for number in range(2_000))),
        trace(1, RIGHT, at=-5, duration_ms=-3),
    ],
)
def test_what_is_odd_but_can_be_learnt_from_is_kept(good):
    assert why(good, fields=TYPED) is None


def test_a_failed_trace_with_a_correction_is_used_where_the_settings_want_it():
    failed = trace(1, RIGHT, status="ERROR", outputs=None)
    assert why(failed, settings_with(statuses=("OK", "ERROR"))) is None


def test_every_rule_drops_and_the_first_that_objects_names_the_reason():
    """A trace that breaks every rule loses one fault after another, and is dropped for each in the rules' order."""
    strict = settings_with(
        outcomes=(OutcomeSettings(feedback="helpful", missing="drop", out_of_range="drop"),),
        outliers=OutlierSettings(method="off", max_disagreement=0.5),
    )
    wrong = [feedback(9, "cat"), expectation(5)]
    steps = [
        {"status": "ERROR", "inputs": "x" * 30_000, "outputs": None, "said": wrong},
        {"status": "OK"},
        {"inputs": None},
        {"inputs": {"ticket": " "}},
        {"inputs": {"ticket": 5}},
        {"inputs": {"ticket": "fine"}},
        {"said": [feedback(9, "cat")]},
        {"said": []},
        {"said": [feedback(0, "cat"), feedback(1)]},
        {"said": [feedback(0)]},
        {"said": [feedback(1)]},
        {"outputs": {"team": 5}},
        {"outputs": {"team": "billing"}},
    ]
    careless = [
        trace(number, expectation("login"), expectation("billing", "desk", at=2), feedback(1))
        for number in range(10, 14)
    ]
    found, now = [], {}
    for step in steps:
        now |= step
        bad = trace(1, *now["said"], **{key: value for key, value in now.items() if key != "said"})
        found.append(cleaned(bad, *careless, settings=strict, fields=TYPED)[1].drops["tr-1"])
    assert found == list(RULES)[: list(RULES).index("untrusted_label") + 1]


def test_a_trace_says_nothing_of_fields_that_the_program_does_not_have():
    kept = only(trace(1, RIGHT, inputs={"ticket": "x", "user": "u"}, outputs={"team": "login", "reasoning": "r"}))
    assert (json.loads(kept.inputs), json.loads(kept.label)) == ({"ticket": "x"}, {"team": "billing"})


@pytest.mark.parametrize(
    "value", ["plain", "ünï \U0001f600", "half \ud800 a pair", "line\nbreak\0", 1.5, [1, {"a": None}], {"k": [True]}]
)
def test_what_is_kept_reads_back_as_a_dspy_example_with_its_inputs_and_label(value):
    kept = only(trace(1, expectation(value), inputs=Text(json.dumps({"ticket": value, "other": 1}))))
    inputs, label = json.loads(kept.inputs), json.loads(kept.label)
    example = dspy.Example(**inputs, **label).with_inputs(*inputs)
    plain = json.loads(json.dumps(value).replace("\\ud800", "?")) if value == "half \ud800 a pair" else value
    assert (example.inputs().toDict(), example.labels().toDict()) == ({"ticket": plain}, {"team": plain})


def test_what_comes_with_a_trace_stays_with_it():
    one = trace(1, RIGHT, session="s", version="v", tags={"telefine.submission": "signed \ud800"})
    kept = only(one)
    assert (kept.session, kept.version, kept.submission, kept.day) == ("s", "v", "signed ?", DAY)
    assert (kept.trace_digest, kept.arrival_ms) == (one.digest, one.request_time_ms)


def test_a_day_without_traces_has_an_empty_table_of_the_same_columns():
    for batches in ([], batches_of([])):
        day = clean_day(batches, DAY, FIELDS, SETTINGS, SPLIT)
        assert (day.table.num_rows, day.table.schema, day.report.traces_in) == (0, cleaned_schema(), 0)
    assert clean(trace(1, RIGHT)).table.schema == cleaned_schema()


def test_a_trace_that_stands_twice_in_a_day_is_refused_and_named():
    with pytest.raises(CleaningError, match=r"1 traces stand more than once .*tr-1"):
        clean(trace(1, RIGHT), trace(1, RIGHT, at=7))


def test_a_report_is_json_of_whole_numbers_and_text():
    def leaves(value):
        if isinstance(value, dict):
            assert all(isinstance(key, str) for key in value)
            value = list(value.values())
        return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list) else [value]

    rows = [trace(number, feedback(number / 40), RIGHT, duration_ms=number) for number in range(40)]
    record = clean(*rows, settings=BUSY).report.to_record()
    assert json.loads(json.dumps(record)) == record
    assert {type(leaf) for leaf in leaves(record)} <= {int, str}


@given(some_traces, st.sampled_from([SETTINGS, BUSY]))
@settings(max_examples=60, deadline=None)
def test_every_trace_is_kept_or_dropped_for_one_reason_and_the_counts_add_up(traces, how):
    day = clean(*traces, settings=how, fields=TYPED)
    kept, report = table_to_cleaned(day.table), day.report
    assert report.traces_in == len(traces) == report.kept + sum(report.dropped.values())
    assert {each.trace_id for each in traces} == {each.trace_id for each in kept} | set(report.drops)
    assert len(kept) == report.kept == len(traces) - len(report.drops) == sum(report.splits.values())
    assert set(report.dropped) <= set(RULES)
    for reason, ids in report.samples.items():
        assert len(ids) == min(5, report.dropped[reason])
        assert {report.drops[trace_id] for trace_id in ids} == {reason}
    assert all((a.arrival_ms, a.trace_id) < (b.arrival_ms, b.trace_id) for a, b in pairwise(kept))
    for each in kept:
        assert each.score_ppm is None or 0 <= each.score_ppm <= 1_000_000
        assert 0 <= each.quality_ppm <= 1_000_000
        assert each.disagreement_ppm is None or 0 <= each.disagreement_ppm <= 1_000_000


@given(some_traces, st.sampled_from([SETTINGS, BUSY]))
@settings(max_examples=60, deadline=None)
def test_every_contributor_learns_what_became_of_each_trace(traces, how):
    report = clean(*traces, settings=how, fields=TYPED).report
    counts = report.contributors.values()
    assert all(each["given"] == each["kept"] + sum(each["dropped"].values()) for each in counts)
    assert (sum(each["given"] for each in counts), sum(each["kept"] for each in counts)) == (len(traces), report.kept)
    assert set(report.contributors) <= {ADA, BEN, "nobody", "(none)"}


@given(
    some_traces.flatmap(lambda traces: st.tuples(st.just(traces), st.permutations(traces))),
    st.integers(1, 30),
    st.sampled_from([SETTINGS, BUSY]),
)
@settings(max_examples=60, deadline=None)
def test_neither_the_order_in_which_traces_come_nor_their_batches_matter(both, size, how):
    one, other = (
        clean_day(batches_of(traces, rows), DAY, TYPED, how, SPLIT)
        for traces, rows in zip(both, (7, size), strict=True)
    )
    assert one.table == other.table
    assert one.report.to_record() == other.report.to_record()


json_texts = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([10**30, "\ud800", "\0", -0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
).map(json.dumps)
any_text = st.one_of(json_texts, json_texts.map('{{"ticket":{0},"team":{0}}}'.format), st.text(max_size=20)).map(Text)


@given(st.lists(st.tuples(*[any_text] * 5), min_size=1, max_size=4), st.sampled_from([SETTINGS, BUSY]))
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_a_trace_cleaning_does_not_fail_and_what_it_keeps_can_be_read(rows, how):
    traces = [
        sealed(
            trace(number, feedback(value), expectation(right), feedback(1, "bob"), inputs=inputs, outputs=outputs),
            tags=str(tags),
        )
        for number, (inputs, outputs, tags, value, right) in enumerate(rows)
    ]
    day = clean(*traces, settings=how)
    assert day.report.traces_in == len(rows) == day.report.kept + sum(day.report.dropped.values())
    for kept in table_to_cleaned(day.table):
        assert (set(json.loads(kept.inputs)), set(json.loads(kept.label))) == ({"ticket"}, {"team"})


@pytest.mark.parametrize("column", ["tags", "assessments"])
@pytest.mark.parametrize("text", ["", "[", "null", "3", "[" * 5_000])
def test_unreadable_tags_and_assessments_say_nothing(column, text):
    odd: Trace = sealed(trace(1, RIGHT), **{column: text})
    assert why(odd) == ("unlabelled" if column == "assessments" else None)


def test_traces_of_one_moment_are_ordered_by_their_ids():
    rows = [trace(number, RIGHT, at=5) for number in range(9_000)]
    table = clean_day(batches_of(rows[::-1], 9_000), DAY, FIELDS, SETTINGS, SPLIT).table
    assert table["trace_id"].to_pylist() == sorted(each.trace_id for each in rows)
