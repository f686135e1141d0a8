"""All ways into a real MLflow store, with traces as MLflow's own API and its DSPy autologging write them."""

import json
import os
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pytest

from telefine_assets.lm.opening import open_lm
from telefine_assets.partitions import bounds_ms
from telefine_assets.traces.records import batch_to_traces, trace_schema
from telefine_assets.traces.sources.api import ApiSource, spans_by_client
from telefine_assets.traces.sources.databases import database_of
from telefine_assets.traces.sources.direct import DirectSource
from telefine_assets.traces.sources.protocol import TraceQuery, TraceSourceError
from telefine_assets_tests.knn_lm import knn_lm, lm_settings
from telefine_assets_tests.programs.tickets import build
from telefine_assets_tests.traces.examples import ADA
from telefine_assets_tests.traces.mlflow_logging import log, logging_to
from telefine_assets_tests.traces.mlflow_store import copy_store

DAY = "2026-11-20"
START, END = bounds_ms(DAY)
BUSY = "2026-11-10"
MANY = 450
EVER = (0, 2**53)


def direct(uri):
    return DirectSource(database_of(uri), spans_by_client(uri))


SOURCES = {"direct": direct, "api": ApiSource}


@dataclass
class Store:
    """A tracking store with what was logged into it."""

    uri: str
    ids: dict[str, str] = field(default_factory=dict)
    source: Any = None

    def rows(self, experiment: str, bounds: tuple[int, int] = EVER, **more: Any) -> Any:
        query = TraceQuery(experiment, *bounds, ("ticket",), **more)
        return pa.Table.from_batches(self.source.read(query), trace_schema())

    def read(self, experiment: str = "open", day: str = DAY) -> dict[str, Any]:
        return {each.trace_id: each for each in batch_to_traces(self.rows(experiment, bounds_ms(day)))}

    def trace(self, name: str, experiment: str = "open") -> Any:
        found = batch_to_traces(self.rows(experiment))
        return next(each for each in found if each.trace_id == self.ids[name])


@pytest.fixture(scope="module")
def logged(empty_template, tmp_path_factory):
    """One store for all tests here: logging takes seconds."""
    import mlflow

    folder = tmp_path_factory.mktemp("mlflow")
    made = Store(copy_store(empty_template, folder))
    with logging_to(made.uri) as patch:
        client = mlflow.MlflowClient()
        tickets, busy, live = (
            client.create_experiment(name, artifact_location=str(folder / name)) for name in ("open", "busy", "live")
        )
        _log_tickets(made, tickets)
        for number in range(MANY):
            log(busy, bounds_ms(BUSY)[0] + number // 3, {"ticket": f"ticket {number}"}, {"team": "login"})
        patch.setenv("MLFLOW_EXPERIMENT_ID", live)
        _call_program(made)
    return made


@pytest.fixture(params=SOURCES)
def store(logged, request):
    return replace(logged, source=SOURCES[request.param](logged.uri))


def _log_tickets(made, experiment):
    import mlflow
    from mlflow.entities import AssessmentSource

    ann, bob = AssessmentSource("HUMAN", "ann"), AssessmentSource("LLM_JUDGE", "bob")
    made.ids |= {
        "last moment": log(experiment, END - 1, {"ticket": "late"}, {"team": "login"}),
        "midnight": log(experiment, END, {"ticket": "midnight"}, {"team": "login"}),
        "first moment": log(
            experiment, START, {"ticket": "early"}, {"team": "login"}, tags={"telefine.contributor": ADA}
        ),
        "yesterday": log(experiment, START - 1, {"ticket": "yesterday"}, {"team": "login"}),
        "failed": log(experiment, START + 5, {"ticket": "x"}, error=ValueError("the model is down")),
        "positional": log(experiment, START + 6, {"args": ["by place"]}, {"team": "login"}),
        "two positional": log(experiment, START + 6, {"args": ["one", "two"]}, {"team": "login"}),
        "wrapped": log(
            experiment,
            START + 7,
            {"request": {"id": 3}},
            "done",
            child=({"ticket": "inside", "more": 1}, {"team": "billing"}),
        ),
        "without inputs": log(experiment, START + 8),
        "assessed": log(
            experiment,
            START + 9,
            {"ticket": "assessed"},
            {"team": "login"},
            metadata={"mlflow.trace.session": "a talk", "mlflow.modelId": "m-1"},
            attributes={"mlflow.chat.tokenUsage": {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}},
        ),
    }
    said = made.ids["assessed"]
    wrong = mlflow.log_feedback(trace_id=said, name="helpful", value=False, source=ann)
    mlflow.override_feedback(trace_id=said, assessment_id=wrong.assessment_id, value=True, source=ann)
    mlflow.log_feedback(trace_id=said, name="helpful", value=0.25, source=bob)
    mlflow.log_feedback(trace_id=said, name="helpful", value=float("nan"), source=bob)
    mlflow.log_expectation(trace_id=said, name="right_team", value="billing", source=ann)
    mlflow.log_expectation(trace_id=said, name="also", value={"any": ["shape", 1]}, source=ann)


def _call_program(made):
    """Real calls of a real program, logged by MLflow itself."""
    import dspy
    import mlflow

    program = build()

    @mlflow.trace
    def endpoint(request):
        return program(ticket=request["text"]).team

    with knn_lm() as knn, open_lm(lm_settings(knn, num_retries=0)) as lm:
        mlflow.dspy.autolog()
        try:
            with dspy.context(lm=lm.lm, adapter=lm.adapter):
                for name, call in (
                    ("called", lambda: program(ticket="the invoice")),
                    ("called in an endpoint", lambda: endpoint({"text": "the password"})),
                ):
                    call()
                    made.ids[name] = mlflow.get_last_active_trace_id()
                knn.refuses = lambda prompt: True
                with pytest.raises(Exception, match="too many requests"):
                    program(ticket="nobody answers")
                made.ids["refused"] = mlflow.get_last_active_trace_id()
        finally:
            mlflow.dspy.autolog(disable=True)


@pytest.mark.parametrize("spans", ["none", "all"])
@pytest.mark.parametrize("experiment", ["open", "busy", "live"])
def test_every_way_gives_the_same_rows(logged, experiment, spans):
    one, other = (replace(logged, source=make(logged.uri)).rows(experiment, spans=spans) for make in SOURCES.values())
    assert one.num_rows > 0
    assert one.equals(other)


@pytest.mark.parametrize("experiment", ["open", "busy", "live"])
def test_every_way_gives_the_same_fingerprints(logged, experiment):
    query = TraceQuery(experiment, *EVER, ("ticket",))
    one, other = (pa.Table.from_batches(make(logged.uri).fingerprints(query)) for make in SOURCES.values())
    rows = replace(logged, source=direct(logged.uri)).rows(experiment)
    assert one.equals(other)
    assert one["fingerprint"].to_pylist() == rows["fingerprint"].to_pylist()


def test_the_processes_own_tracking_address_is_neither_used_nor_changed(store):
    import mlflow

    assert mlflow.get_tracking_uri() != store.uri
    before = (mlflow.get_tracking_uri(), os.environ.get("MLFLOW_TRACKING_URI"))
    assert store.read()
    assert (mlflow.get_tracking_uri(), os.environ.get("MLFLOW_TRACKING_URI")) == before


def test_a_trace_at_midnight_belongs_to_the_day_that_begins(store):
    today, tomorrow, yesterday = (set(store.read(day=day)) for day in (DAY, "2026-11-21", "2026-11-19"))
    assert {store.ids["first moment"], store.ids["last moment"]} <= today
    assert tomorrow == {store.ids["midnight"]}
    assert yesterday == {store.ids["yesterday"]}
    assert len(today) == len(store.ids) - 2 - 3


def test_more_traces_than_a_page_holds_come_each_exactly_once_and_in_order(store):
    found = batch_to_traces(store.rows("busy", bounds_ms(BUSY)))
    assert len(found) == len({each.trace_id for each in found}) == MANY
    assert {json.loads(each.inputs)["ticket"] for each in found} == {f"ticket {number}" for number in range(MANY)}
    places = [(each.request_time_ms, each.trace_id) for each in found]
    assert places == sorted(places)


def test_what_a_trace_says_arrives_whole(store):
    one = store.trace("first moment")
    assert (one.request_time_ms, one.duration_ms, one.status, one.error) == (START, 7, "OK", None)
    assert (json.loads(one.inputs), json.loads(one.outputs)) == ({"ticket": "early"}, {"team": "login"})
    assert json.loads(one.tags) == {"telefine.contributor": ADA}
    assert one.tag("telefine.contributor") == ADA


def test_session_version_and_tokens_arrive(store):
    one = store.trace("assessed")
    assert (one.session, one.version) == ("a talk", "m-1")
    assert one.tokens == 12


def test_a_failed_trace_is_kept_with_its_error(store):
    one = store.trace("failed")
    assert (one.status, one.outputs) == ("ERROR", None)
    assert one.error == "ValueError: the model is down"


def test_inputs_by_place_get_their_names_if_there_are_as_many(store):
    assert json.loads(store.trace("positional").inputs) == {"ticket": "by place"}
    assert json.loads(store.trace("two positional").inputs) == {"args": ["one", "two"]}


def test_the_programs_call_is_found_inside_of_what_wraps_it(store):
    one = store.trace("wrapped")
    assert json.loads(one.inputs) == {"ticket": "inside", "more": 1}
    assert json.loads(one.outputs) == {"team": "billing"}


def test_a_trace_that_says_nothing_is_a_trace(store):
    one = store.trace("without inputs")
    assert (one.inputs, one.outputs, one.status) == (None, None, "OK")


def test_feedback_and_expectations_come_with_who_said_them_and_whether_they_still_hold(store):
    said = store.trace("assessed").assessed()
    feedback = {(each.source_type, each.source_id, each.value, each.valid) for each in said if each.kind == "feedback"}
    assert feedback == {
        ("HUMAN", "ann", "false", False),
        ("HUMAN", "ann", "true", True),
        ("LLM_JUDGE", "bob", "0.25", True),
        ("LLM_JUDGE", "bob", "NaN", True),
    }
    expected = {(each.name, each.value, each.valid) for each in said if each.kind == "expectation"}
    assert expected == {("right_team", '"billing"', True), ("also", '{"any":["shape",1]}', True)}
    assert all(each.create_time_ms > 0 for each in said)


def test_reading_twice_gives_the_same_digests(store):
    one, other = ({key: each.digest for key, each in store.read().items()} for _ in range(2))
    assert one == other


def test_a_missing_experiment_is_an_error_that_names_it(store):
    with pytest.raises(TraceSourceError, match=r"no experiment 'typo'.* at (sqlite|http).* there are .*'tickets'"):
        store.read("typo")


@pytest.mark.parametrize(("name", "text"), [("called", "the invoice"), ("called in an endpoint", "the password")])
def test_a_real_call_of_a_dspy_program_arrives_with_its_fields(store, name, text):
    one = store.trace(name, "live")
    assert (one.status, json.loads(one.inputs)) == ("OK", {"ticket": text})
    assert json.loads(one.outputs)["team"] in ("billing", "login")


def test_a_real_call_that_failed_arrives_with_its_inputs_and_the_error(store):
    one = store.trace("refused", "live")
    assert (one.status, json.loads(one.inputs), one.outputs) == ("ERROR", {"ticket": "nobody answers"}, None)
    assert one.error.startswith("LMRateLimitError: ")
    assert "too many requests" in one.error
