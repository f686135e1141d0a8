"""Traces of the spool, once they are in MLflow: real traces, the same to every reader as those that MLflow logged."""

from datetime import date
from types import SimpleNamespace

import pytest

from telefine_assets.ledger.spool_records import SpooledTrace
from telefine_assets.traces.fields import Fields
from telefine_assets.traces.mlflow_writing import MlflowWriter, TraceWriteError
from telefine_assets.traces.records import batch_to_traces
from telefine_assets.traces.sources.api import ApiSource
from telefine_assets.traces.sources.protocol import TraceQuery
from telefine_assets.traces.spooling import Place, Written, mlflow_trace, trace_id_of
from telefine_assets.traces.submitted import SubmittedFeedback, SubmittedTrace, identity_of
from telefine_assets_tests.traces.examples import ADA, only
from telefine_assets_tests.traces.mlflow_logging import log, logging_to
from telefine_assets_tests.traces.mlflow_server import served
from telefine_assets_tests.traces.mlflow_store import EXPERIMENT, copy_store
from telefine_assets_tests.traces.sources.reading import direct_source, rows_of

PLACE = Place("tickets", "telefine.contributor", "telefine.submission")
AT = 1_795_000_000_000
SAID = AT + 60_000
EVERY = TraceQuery(EXPERIMENT, 0, 2**53, ("ticket",), spans="all")
SUBMITTED = {
    "plain": SubmittedTrace(inputs={"ticket": "late"}, outputs={"team": "shipping"}),
    "without outputs": SubmittedTrace(inputs={"ticket": "?"}),
    "long": SubmittedTrace(inputs={"ticket": "parcel " * 400}, outputs={"team": "x" * 3000}),
    "just cut": SubmittedTrace(inputs={"ticket": "é" * 300}, outputs={"team": "ü" * 985}),
    "odd": SubmittedTrace(
        inputs={"z": 1.0, "ticket": 'Straße "\u2028" \x00 \U0001f4e6 %s', "a": {"y": [1, 2.5, None], "b": False}},
        outputs={"team": None, "why": [1e-9, 123456789012345]},
    ),
    "assessed": SubmittedTrace(
        inputs={"ticket": "broken"},
        outputs={"team": "billing"},
        expectations={"right_team": "shipping", "steps": ["a", {"b": 1}], "many": 3},
        feedback=[
            SubmittedFeedback(name="resolved", value=False, by="ann", rationale="no\nanswer"),
            SubmittedFeedback(name="stars", value=2, source="LLM_JUDGE"),
            SubmittedFeedback(name="score", value=0.25, source="CODE"),
            SubmittedFeedback(name="word", value="gut", by="bo"),
        ],
    ),
    "tagged": SubmittedTrace(
        inputs={"ticket": "mine"},
        outputs={"team": "login"},
        contributor=ADA,
        session="chat 1",
        tags={"channel": "mail", "a b/c:d": "ä" * 1000},
    ),
}  # fmt: skip


def spooled(trace, number=0, submitter="key1"):
    return SpooledTrace(number, identity_of(trace, trace.digest(), "tickets", submitter), submitter, SAID, trace.body())


def at_seven(trace):
    """The trace, begun at ``AT`` and seven milliseconds long, as the helper logs it."""
    return trace.model_copy(update={"time_ms": AT, "duration_ms": 7})


def log_directly(experiment, trace):
    """Log by MLflow's API what the spool would write."""
    import mlflow
    from mlflow.entities import AssessmentSource, Expectation, Feedback

    tags = dict(trace.tags) | ({"telefine.contributor": trace.contributor} if trace.contributor else {})
    metadata = {"mlflow.trace.session": trace.session} if trace.session else {}
    trace_id = log(experiment, AT, trace.inputs, trace.outputs, tags=tags, metadata=metadata)
    times = {"create_time_ms": SAID, "last_update_time_ms": SAID}
    for name, value in trace.expectations.items():
        source = AssessmentSource("HUMAN", "api/key1")
        mlflow.log_assessment(trace_id, Expectation(name=name, value=value, source=source, **times))
    for each in trace.feedback:
        source = AssessmentSource(each.source, f"api/key1/{each.by}" if each.by else "api/key1")
        said = Feedback(name=each.name, value=each.value, source=source, rationale=each.rationale, **times)
        mlflow.log_assessment(trace_id, said)
    return trace_id


@pytest.fixture(scope="module", params=["database", "server"])
def stored(request, empty_template, tmp_path_factory):
    """One store with traces that MLflow logged, one with the same ones from the spool."""
    folder = tmp_path_factory.mktemp("spooled")
    logged, drained = copy_store(empty_template, folder / "logged"), copy_store(empty_template, folder / "drained")
    with logging_to(logged):
        ids = {name: log_directly("1", trace) for name, trace in SUBMITTED.items()}
    traces = {name: mlflow_trace(spooled(at_seven(trace)), PLACE) for name, trace in SUBMITTED.items()}
    if request.param == "database":
        refused = MlflowWriter(drained, EXPERIMENT).write(list(traces.values()))
    else:
        with served(drained, folder / "server") as server:
            refused = MlflowWriter(server.uri, EXPERIMENT).write(list(traces.values()))
            again = MlflowWriter(server.uri, EXPERIMENT).write(list(traces.values()))
            assert again == Written({})
    assert refused == Written({})
    return SimpleNamespace(logged=logged, drained=drained, ids=ids, traces=traces)


def told(row):
    """What a source says of a trace, but for the names of things."""
    spans = None if row.spans is None else len(row.spans)
    said = [(each.name, each.kind, each.value, each.source_type, each.source_id, each.create_time_ms, each.rationale)
            for each in row.assessed()]  # fmt: skip
    names = ("request_time_ms", "duration_ms", "status", "inputs", "outputs", "error", "session", "version", "tags")
    return {name: getattr(row, name) for name in names} | {"said": sorted(said), "has spans": spans is not None}


@pytest.mark.parametrize("name", SUBMITTED)
@pytest.mark.parametrize("source", [direct_source, ApiSource])
def test_every_source_reads_them_as_it_reads_those_that_mlflow_logged(stored, source, name):
    logged = {row.trace_id: row for row in batch_to_traces(rows_of(source(stored.logged), EVERY))}
    drained = {row.trace_id: row for row in batch_to_traces(rows_of(source(stored.drained), EVERY))}
    assert told(drained[stored.traces[name].trace_id]) == told(logged[stored.ids[name]])
    assert len(drained) == len(logged) == len(SUBMITTED)


def test_both_sources_agree_to_the_byte(stored):
    query = TraceQuery(EXPERIMENT, 0, 2**53, ("ticket",))
    assert rows_of(direct_source(stored.drained), query) == rows_of(ApiSource(stored.drained), query)


def test_mlflow_itself_finds_them_whole(stored):
    import mlflow

    with logging_to(stored.drained):
        found = {trace.info.trace_id: trace for trace in mlflow.search_traces(locations=["1"], return_type="list")}
        session = mlflow.search_traces(
            locations=["1"], filter_string="metadata.`mlflow.trace.session` = 'chat 1'", return_type="list"
        )
    assert found.keys() == {trace.trace_id for trace in stored.traces.values()}
    assessed = found[stored.traces["assessed"].trace_id]
    assert (assessed.info.state.value, assessed.info.execution_duration) == ("OK", 7)
    assert assessed.data.spans[0].inputs == {"ticket": "broken"}
    assert {each.name for each in assessed.info.assessments} == {
        "right_team", "steps", "many", "resolved", "stars", "score", "word",
    }  # fmt: skip
    assert assessed.info.request_preview == '{"ticket": "broken"}'
    assert found[stored.traces["plain"].trace_id].info.tags["mlflow.traceName"] == "tickets"
    assert [trace.info.trace_id for trace in session] == [stored.traces["tagged"].trace_id]


def test_what_is_written_again_stays_as_people_left_it(stored):
    import mlflow

    trace = stored.traces["tagged"]
    with logging_to(stored.drained):
        mlflow.set_trace_tag(trace.trace_id, "channel", "phone")
        assert MlflowWriter(stored.drained, EXPERIMENT).write([trace]) == Written({})
        now = mlflow.get_trace(trace.trace_id)
        mlflow.set_trace_tag(trace.trace_id, "channel", "mail")
    assert (now.info.tags["channel"], len(now.data.spans)) == ("phone", 1)


def test_a_trace_that_stopped_half_way_is_finished_and_seen_as_another_until_then(empty_template, tmp_path):
    uri = copy_store(empty_template, tmp_path)
    writer, trace = MlflowWriter(uri, EXPERIMENT), mlflow_trace(spooled(SUBMITTED["assessed"]), PLACE)
    writer._begin(trace)
    [half] = batch_to_traces(rows_of(direct_source(uri)))
    assert writer.write([trace]) == Written({})
    [whole] = batch_to_traces(rows_of(direct_source(uri)))
    assert (half.status, half.inputs) == ("IN_PROGRESS", None)
    assert (whole.status, whole.inputs) == ("OK", '{"ticket": "broken"}')
    assert half.fingerprint != whole.fingerprint
    assert len(whole.assessed()) == 7


def test_what_mlflow_refuses_for_good_is_named_and_the_others_are_written(empty_template, tmp_path):
    uri = copy_store(empty_template, tmp_path)
    good = [mlflow_trace(spooled(SUBMITTED[name]), PLACE) for name in ("plain", "tagged")]
    bad = mlflow_trace(spooled(SUBMITTED["long"]), PLACE)
    for spoilt in (
        {"metadata": {**bad.metadata, "mlflow.trace.session": "s" * 300}},
        {"span": {**bad.span, "attributes": {}}},
    ):
        poison = type(bad)(**{**vars(bad), **spoilt})
        refused = MlflowWriter(uri, EXPERIMENT).write([good[0], poison, good[1]]).refused
        assert list(refused) == [poison.trace_id]
        assert "Exception" in refused[poison.trace_id]
    rows = {row.trace_id: row.status for row in batch_to_traces(rows_of(direct_source(uri)))}
    assert {trace.trace_id: "OK" for trace in good}.items() <= rows.items()


def test_an_expectation_of_null_comes_back_from_mlflow_as_null(empty_template, tmp_path):
    uri = copy_store(empty_template, tmp_path)
    none = SubmittedTrace(inputs={"ticket": "no date"}, expectations={"right_team": None})
    assert MlflowWriter(uri, EXPERIMENT).write([mlflow_trace(spooled(none), PLACE)]) == Written({})
    [row] = batch_to_traces(rows_of(direct_source(uri)))
    assert only(row, fields=Fields(("ticket",), ("team",), {"team": date | None})).label == '{"team":null}'


def test_nothing_is_refused_when_mlflow_is_not_there(empty_template, tmp_path):
    trace = mlflow_trace(spooled(SUBMITTED["plain"]), PLACE)
    with pytest.raises(TraceWriteError, match="no experiment 'other'"):
        MlflowWriter(copy_store(empty_template, tmp_path), "other").write([trace])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(TraceWriteError, match="cannot be written to") as caught:
            MlflowWriter("http://ann:geheim@127.0.0.1:9", EXPERIMENT).write([trace])
    assert "geheim" not in str(caught.value)


def test_the_id_of_a_trace_follows_from_its_identity():
    row = spooled(SUBMITTED["tagged"])
    assert mlflow_trace(row, PLACE) == mlflow_trace(row, PLACE)
    assert mlflow_trace(row, PLACE).trace_id == trace_id_of(row.identity) == f"tr-{row.identity[:32]}"
