"""Draining the spool into a real MLflow: every trace comes there once, whatever dies on the way."""

import json
from dataclasses import replace

import pytest

from telefine_assets.ledger.spool import Spool
from telefine_assets.ledger.spool_records import Lag, SpooledTrace
from telefine_assets.traces import spooling
from telefine_assets.traces.mlflow_writing import MlflowWriter, TraceWriteError
from telefine_assets.traces.spooling import Written, drain, mlflow_trace, replay, trace_id_of
from telefine_assets_tests.ledger.draining import PLACE, submitted
from telefine_assets_tests.ledger.spooling import batch
from telefine_assets_tests.ledger.workers import workers
from telefine_assets_tests.traces.mlflow_store import EXPERIMENT, copy_store


@pytest.fixture
def mlflow_uri(empty_template, tmp_path):
    return copy_store(empty_template, tmp_path / "mlflow")


@pytest.fixture
def spool(ledger):
    return Spool(ledger)


@pytest.fixture
def writer(mlflow_uri):
    return MlflowWriter(mlflow_uri, EXPERIMENT)


def accept(spool, *offers):
    spool.accept(batch(*offers), 1_795_000_000_000)
    return [trace_id_of(each.identity) for each in offers]


def in_mlflow(uri):
    """State, spans and assessments of every trace that MLflow has whole, by id."""
    from mlflow import MlflowClient

    found = MlflowClient(uri).search_traces(locations=["1"], max_results=500)
    assert len({trace.info.trace_id for trace in found}) == len(found)
    return {
        trace.info.trace_id: (trace.info.state.value, len(trace.data.spans), len(trace.info.assessments))
        for trace in found
    }


def test_a_process_that_is_killed_while_it_drains_loses_and_doubles_nothing(spool, url, writer, mlflow_uri):
    ids = accept(spool, *(submitted(number) for number in range(30)))
    with workers(("elsewhere", "telefine_assets_tests.ledger.draining", "stop_half_way", url, mlflow_uri)) as [worker]:
        assert worker.heard() == "half way"
        worker.process.kill()
        worker.process.wait()
    assert spool.lag("tickets").waiting == 30
    assert in_mlflow(mlflow_uri) == dict.fromkeys(ids[:10], ("OK", 1, 2))
    done = drain(spool, PLACE, writer, 1_000, 5)
    assert (done.written, done.refused) == (30, {})
    assert in_mlflow(mlflow_uri) == dict.fromkeys(ids, ("OK", 1, 2))
    assert spool.lag("tickets") == Lag(30, 0, None, 0, 5)


def test_a_process_that_is_killed_within_a_transaction_leaves_nothing_of_it(spool, url, writer, mlflow_uri):
    ids = accept(spool, *(submitted(number) for number in range(5)))
    worker_of = ("elsewhere", "telefine_assets_tests.ledger.draining", "stop_within_a_transaction", url, mlflow_uri)
    with workers(worker_of) as [worker]:
        assert worker.heard() == "half way"
        worker.process.kill()
        worker.process.wait()
    assert in_mlflow(mlflow_uri) == {}
    assert drain(spool, PLACE, writer, 1_000, 5).written == 5
    assert in_mlflow(mlflow_uri) == dict.fromkeys(ids, ("OK", 1, 2))


def test_what_mlflow_refuses_takes_nothing_of_the_others_back(writer, mlflow_uri):
    good, bad = (mlflow_trace(row(number), PLACE) for number in (1, 2))
    said = writer.write([good, replace(bad, tags={"x" * 10_000: "y"}, metadata={"x" * 10_000: "y"}, span={})]).refused
    assert list(said) == [bad.trace_id]
    assert in_mlflow(mlflow_uri) == {good.trace_id: ("OK", 1, 2)}


def test_a_trace_that_was_begun_before_takes_nothing_of_the_others_back(writer, mlflow_uri):
    new, begun = (mlflow_trace(row(number), PLACE) for number in (1, 2))
    writer._begin(begun)
    assert writer.write([new, begun]) == Written({})
    assert in_mlflow(mlflow_uri) == {new.trace_id: ("OK", 1, 2), begun.trace_id: ("OK", 1, 2)}


def test_no_text_that_postgresql_cannot_hold_leaves_the_spool():
    said = json.dumps(
        {"inputs": {"ticket": "x"}, "feedback": [{"name": "resolved", "value": True, "rationale": "a\0b"}]}
    )
    [feedback] = mlflow_trace(replace(row(1), body=said), PLACE).assessments
    assert feedback.rationale == "a\ufffdb"


def row(number):
    """A row of the spool."""
    offered = submitted(number)
    return SpooledTrace(number, offered.identity, "ada", 1_795_000_000_000, offered.body)


def test_a_budget_is_kept_and_batches_are_marked_one_by_one(spool, writer, mlflow_uri, monkeypatch):
    monkeypatch.setattr(spooling, "AT_ONCE", 2)
    ids = accept(spool, *(submitted(number) for number in range(7)))
    assert drain(spool, PLACE, writer, 3, 5).written == 3
    assert in_mlflow(mlflow_uri).keys() == set(ids[:3])
    assert drain(spool, PLACE, writer, 100, 6).written == 4
    assert drain(spool, PLACE, writer, 100, 7).written == 0
    assert in_mlflow(mlflow_uri).keys() == set(ids)


def test_a_bad_row_is_put_aside_and_the_rest_goes_on(spool, writer, mlflow_uri):
    good, bad = [submitted(1), submitted(3)], replace(submitted(2), body='{"inputs": {}}')
    ids = accept(spool, good[0], bad, good[1])
    done = drain(spool, PLACE, writer, 100, 5)
    assert (done.written, list(done.refused)) == (2, [1])
    assert in_mlflow(mlflow_uri).keys() == {ids[0], ids[2]}
    assert [(each.trace.position, each.reason) for each in spool.refused("tickets")] == list(done.refused.items())
    assert "no trace" in done.refused[1]
    assert replay(spool, PLACE, writer, 6).written == 0
    assert spool.lag("tickets") == Lag(3, 0, None, 1, 5)


def test_what_was_put_aside_is_written_when_mlflow_takes_it(spool, writer, mlflow_uri):
    ids = accept(spool, submitted(1), submitted(2))
    spool.drained("tickets", 1, {0: "MLflow was odd"}, 5)
    assert replay(spool, PLACE, writer, 6).written == 1
    assert in_mlflow(mlflow_uri) == {ids[0]: ("OK", 1, 2)}
    assert spool.refused("tickets") == []


def test_while_mlflow_is_not_there_everything_waits(spool, mlflow_uri):
    accept(spool, submitted(1))
    with pytest.raises(TraceWriteError, match="wait in the spool"):
        drain(spool, PLACE, MlflowWriter(mlflow_uri, "no such experiment"), 100, 5)
    assert spool.lag("tickets") == Lag(1, 1, 1_795_000_000_000, 0)
