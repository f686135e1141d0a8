"""Draining the spool while MLflow is in trouble: the rest waits, none is put aside, and it goes on where it was."""

import sqlite3
from contextlib import closing

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy import event, exc

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.spool import Spool
from telefine_assets.ledger.spool_records import Lag
from telefine_assets.traces.mlflow_writing import MlflowWriter, TraceWriteError, _is_for_good
from telefine_assets.traces.spooling import drain, replay, trace_id_of
from telefine_assets_tests.ledger.draining import PLACE, submitted
from telefine_assets_tests.ledger.spooling import batch
from telefine_assets_tests.traces.mlflow_store import EXPERIMENT, copy_store

AT = 1_795_000_000_000


@pytest.fixture
def mlflow_uri(empty_template, tmp_path):
    return copy_store(empty_template, tmp_path / "mlflow")


@pytest.fixture
def writer(mlflow_uri):
    return MlflowWriter(mlflow_uri, EXPERIMENT)


@pytest.fixture
def spool(tmp_path):
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        yield Spool(ledger)


@pytest.fixture
def database(mlflow_uri):
    """MLflow's database, as somebody else has it open."""
    with closing(sqlite3.connect(mlflow_uri.removeprefix("sqlite:///"), isolation_level=None)) as other:
        yield other


def accept(spool, count):
    offers = [submitted(number) for number in range(count)]
    spool.accept(batch(*offers), AT)
    return [trace_id_of(each.identity) for each in offers]


def in_mlflow(uri):
    found = MlflowClient(uri).search_traces(locations=["1"], max_results=500)
    return sorted(trace.info.trace_id for trace in found if trace.info.state.value == "OK" and trace.data.spans)


def break_for(database, trace_id):
    """From now on the database cannot write this trace's spans."""
    database.execute(
        f"CREATE TRIGGER trouble BEFORE INSERT ON spans WHEN NEW.trace_id = '{trace_id}' "
        "BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
    )


def test_a_locked_database_is_waited_for_once_and_not_for_each_trace(spool, writer, database, mlflow_uri):
    ids, tried = accept(spool, 20), []

    @event.listens_for(writer._client.store.engine, "before_cursor_execute", retval=True)
    def _(_connection, _cursor, statement, parameters, *_):
        tried.extend(["insert"] * statement.startswith("INSERT"))
        return statement.replace("busy_timeout = 20000", "busy_timeout = 10"), parameters

    database.execute("BEGIN IMMEDIATE")
    with pytest.raises(TraceWriteError, match=r"database is locked; the traces wait in the spool\. Check"):
        drain(spool, PLACE, writer, 100, 5)
    assert len(tried) == 1
    assert spool.lag("tickets") == Lag(20, 20, AT, 0)
    database.execute("ROLLBACK")
    assert drain(spool, PLACE, writer, 100, 6).written == 20
    assert in_mlflow(mlflow_uri) == sorted(ids)


def test_what_stands_before_the_first_trouble_is_marked_and_the_rest_waits(spool, writer, database, mlflow_uri):
    ids = accept(spool, 6)
    break_for(database, ids[3])
    with pytest.raises(TraceWriteError, match="disk I/O error"):
        drain(spool, PLACE, writer, 100, 5)
    assert spool.lag("tickets") == Lag(6, 3, AT, 0, 5)
    assert in_mlflow(mlflow_uri) == sorted(ids[:3])
    database.execute("DROP TRIGGER trouble")
    assert drain(spool, PLACE, writer, 100, 6).written == 3
    assert in_mlflow(mlflow_uri) == sorted(ids)
    assert spool.lag("tickets") == Lag(6, 0, None, 0, 6)


def test_trouble_while_replaying_takes_nothing_for_written(spool, writer, database):
    ids = accept(spool, 3)
    spool.drained("tickets", 2, dict.fromkeys(range(3), "MLflow was odd"), 5)
    break_for(database, ids[1])
    with pytest.raises(TraceWriteError, match="disk I/O error"):
        replay(spool, PLACE, writer, 6)
    assert [each.trace.position for each in spool.refused("tickets")] == [1, 2]


@pytest.mark.parametrize("known_before", [True, False])
def test_a_deleted_experiment_is_waited_for(spool, writer, mlflow_uri, known_before):
    ids = accept(spool, 3)
    if known_before:
        assert writer._location == "1"
    client = MlflowClient(mlflow_uri)
    client.delete_experiment("1")
    with pytest.raises(TraceWriteError, match="'active' state" if known_before else "experiments restore -x 1"):
        drain(spool, PLACE, writer, 100, 5)
    assert spool.lag("tickets") == Lag(3, 3, AT, 0)
    client.restore_experiment("1")
    assert drain(spool, PLACE, MlflowWriter(mlflow_uri, EXPERIMENT), 100, 6).written == 3
    assert in_mlflow(mlflow_uri) == sorted(ids)


def wrapped(cause, code=1000):
    """As MLflow passes on what its database raised."""
    error = MlflowException("(odd) something", code)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "for_good"),
    [
        (MlflowException.invalid_parameter_value("a tag is too long"), True),
        (wrapped(exc.DataError("INSERT", {}, Exception("value too long"))), True),
        (wrapped(ValueError("A string literal cannot contain NUL (0x00) characters.")), True),
        (TypeError("no number"), True),
        (wrapped(exc.OperationalError("INSERT", {}, Exception("disk I/O error"))), False),
        (wrapped(exc.DatabaseError("INSERT", {}, Exception("database disk image is malformed"))), False),
        (wrapped(exc.PendingRollbackError("odd")), False),
        (MlflowException("odd"), False),
        (OSError(24, "Too many open files"), False),
        (requests.exceptions.JSONDecodeError("odd", "<html>", 0), False),
    ],
)
def test_only_what_a_trace_itself_is_to_blame_for_is_for_good(error, for_good):
    assert _is_for_good(error) is for_good
