"""MLflow's API when something is wrong: with the network, the server, or what it holds."""

import json
import re
import sqlite3
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from telefine_assets.traces.sources import api
from telefine_assets.traces.sources.api import ApiSource
from telefine_assets.traces.sources.api_patience import TRIES
from telefine_assets.traces.sources.api_rest import RestTracking
from telefine_assets.traces.sources.protocol import TraceSourceError
from telefine_assets_tests.traces.mlflow_server import free_port, served
from telefine_assets_tests.traces.sources.reading import COUNT, QUERY, direct_source, prints_of, rows_of
from telefine_assets_tests.traces.sources.rich_store import END, START


@pytest.fixture
def stub():
    """A server that answers as told: ``answers`` maps a path to (status, body) or what a function makes of the call."""
    made = SimpleNamespace(answers={}, calls=[], headers={})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            made.calls.append(path)
            made.headers = dict(self.headers)
            answer = made.answers.get(path, (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}))
            answer = answer(made.calls.count(path)) if callable(answer) else answer
            if answer is None:  # hang up
                self.connection.close()
                return
            status, body, *headers = answer
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for key, value in headers:
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.uri = f"http://127.0.0.1:{server.server_port}"
    made.answers["/api/2.0/mlflow/experiments/get-by-name"] = (200, {"experiment": {"experiment_id": "1"}})
    made.answers[SEARCH] = (200, {"traces": [SENT]})
    yield made
    server.shutdown()
    server.server_close()


SEARCH = "/api/3.0/mlflow/traces/search"
ARTIFACT = "/ajax-api/2.0/mlflow/get-trace-artifact"
BATCH = "/api/3.0/mlflow/traces/batchGet"
SENT = {
    "trace_id": "tr-1",
    "request_time": "2026-11-20T10:00:00.123Z",
    "execution_duration": "0.250s",
    "state": "OK",
    "request_preview": '{"ticket": "x"}',
    "response_preview": '{"team": "y"}',
    "trace_metadata": {"mlflow.traceInputs": '{"ticket": "x"}', "mlflow.traceOutputs": '{"team": "y"}'},
}


@pytest.mark.parametrize(
    "fault",
    [
        lambda number: (503, b"busy"),
        lambda number: (429, b"slowly", ("Retry-After", "0")),
        lambda number: (500, b"once"),
        lambda number: (502, b"<html>bad gateway</html>"),
        lambda number: None,
    ],
    ids=["503", "429", "500", "502", "hangs up"],
)
def test_a_fault_that_passes_is_waited_for(stub, hurried, fault):
    answer = stub.answers[SEARCH]
    stub.answers[SEARCH] = lambda number: fault(number) if number < 3 else answer
    (row,) = rows_of(ApiSource(stub.uri)).to_pylist()
    assert (row["trace_id"], row["duration_ms"], row["inputs"]) == ("tr-1", 250, '{"ticket": "x"}')
    assert stub.calls.count(SEARCH) == 3


def test_mlflows_own_retries_are_not_multiplied_with_ours(stub, hurried):
    stub.answers[SEARCH] = (503, b"busy")
    with pytest.raises(TraceSourceError, match=rf"{stub.uri} answered 503.*{TRIES} attempts.*load again"):
        rows_of(ApiSource(stub.uri))
    assert stub.calls.count(SEARCH) == TRIES


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "MLFLOW_TRACKING_TOKEN"), (403, "refuses us"), (400, "no such order"), (404, "must be MLflow 3")],
)
def test_a_fault_that_will_not_pass_is_said_at_once(stub, status, said):
    stub.answers[SEARCH] = (status, {"error_code": "X", "message": "no such order"})
    with pytest.raises(TraceSourceError, match=said):
        rows_of(ApiSource(stub.uri))
    assert stub.calls.count(SEARCH) == 1


def test_what_is_no_mlflow_server_is_named(stub):
    stub.answers[SEARCH] = (200, b"<html>please log in</html>")
    with pytest.raises(TraceSourceError, match=r"no MLflow tracking server.*please log in.*proxy"):
        rows_of(ApiSource(stub.uri))


def test_nobody_there(hurried):
    with pytest.raises(
        TraceSourceError, match=r"does not answer \(Connection refused, 7 attempts\).*check mlflow\.tracking_uri"
    ):
        rows_of(ApiSource(f"http://127.0.0.1:{free_port()}"))


def test_a_silent_server_is_not_waited_for_as_often(stub, hurried, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    stub.answers[SEARCH] = lambda number: time.sleep(1.5)
    with pytest.raises(TraceSourceError, match=r"does not answer \(not in time, 3 attempts\)"):
        rows_of(ApiSource(stub.uri))


def test_a_faulty_certificate_is_not_tried_again(stub):
    with pytest.raises(TraceSourceError, match=r"cannot be asked \(SSLError\).*certificates"):
        rows_of(ApiSource(stub.uri.replace("http:", "https:")))


def test_a_password_is_sent_and_in_no_message(stub, hurried, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "geheim")
    assert rows_of(ApiSource(stub.uri)).num_rows == 1
    assert stub.headers["Authorization"] == "Basic YW5uOmdlaGVpbQ=="
    for uri in (stub.uri.replace("//", "//ann:secret@"), f"http://ann:secret@127.0.0.1:{free_port()}"):
        stub.answers[SEARCH] = (400, {"message": "no"})
        with pytest.raises(TraceSourceError) as caught:
            rows_of(ApiSource(uri))
        assert not {"geheim", "secret"} & set(str(caught.value).replace("@", " ").replace(":", " ").split())
        assert caught.value.__cause__ is None


def test_a_missing_experiment_is_an_error_that_names_it(stub, source):
    with pytest.raises(TraceSourceError, match="no experiment 'typo'"):
        rows_of(source, replace(QUERY, experiment="typo"))


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(TraceSourceError, match="no MLflow database at"):
        rows_of(ApiSource(f"sqlite:///{tmp_path / 'none.db'}"))
    assert not list(tmp_path.iterdir())


def test_a_database_of_another_version_is_an_error(store):
    with sqlite3.connect(store.file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    with pytest.raises(TraceSourceError, match=r"cannot read from.*out-of-date"):
        rows_of(ApiSource(store.uri))


def test_a_server_that_goes_away_in_the_middle_is_an_error(store, tmp_path, monkeypatch, hurried):
    monkeypatch.setattr(RestTracking, "page", 20)
    monkeypatch.setattr(api, "_TRACES_TOGETHER", 20)
    with served(store.uri, tmp_path / "server") as server:
        batches = ApiSource(server.uri).read(QUERY)
        assert next(batches).num_rows > 0
        server.end()
        with pytest.raises(TraceSourceError, match="does not answer"):
            list(batches)


def test_reading_can_be_given_up_while_the_server_is_silent(stub):
    stub.answers[SEARCH] = lambda number: (200, _many(number)) if number == 1 else (503, b"busy")
    batches = ApiSource(stub.uri).read(replace(QUERY, start_ms=START, end_ms=END))
    source = api._Reading(stub.uri, QUERY, 2)
    pages = source.pages(spans=False)
    next(pages)
    begun = time.monotonic()
    pages.close()
    batches.close()
    assert time.monotonic() - begun < 5


def _many(number):
    times = (f"2026-11-20T{hour:02}:{minute:02}:00Z" for hour in range(10) for minute in range(50))
    traces = [SENT | {"trace_id": f"tr-{place}", "request_time": at} for place, at in enumerate(times)]
    return {"traces": traces, "next_page_token": "more"}


# What MLflow cannot say


@pytest.mark.parametrize("spans", ["none", "all"])
@pytest.mark.parametrize("kind", ["client", "http"])
def test_corrupt_spans_do_not_lose_the_other_traces(fresh, kind, spans, hurried):
    with sqlite3.connect(fresh.file, timeout=30) as connection:
        one, two, three = (row[0] for row in connection.execute("SELECT request_id FROM trace_info LIMIT 3"))
        connection.execute("UPDATE spans SET content = substr(content, 1, 90) WHERE trace_id IN (?, ?)", [one, two])
        connection.execute("UPDATE trace_info SET request_preview = '...' WHERE request_id IN (?, ?)", [one, three])
    source = ApiSource(fresh.uri if kind == "client" else fresh.http)
    found = {row["trace_id"]: row for row in rows_of(source, replace(QUERY, spans=spans)).to_pylist()}
    assert len(found) == COUNT
    broken = {trace_id for trace_id, row in found.items() if row["error"]}
    assert broken == ({one, two} if spans == "all" else {one})
    assert all("cannot be read" in found[trace_id]["error"] for trace_id in broken)
    # Of the one trace, nothing is known but its preview, which is not to be trusted.
    assert {trace_id for trace_id, row in found.items() if row["inputs"] is None} == {one}
    assert [row["fingerprint"] for row in found.values()] == [row["fingerprint"] for row in prints_of(source)]


def test_a_millisecond_with_a_trace_that_cannot_be_sent_is_named(fresh, hurried):
    with sqlite3.connect(fresh.file, timeout=30) as connection:
        connection.execute("UPDATE trace_info SET timestamp_ms = ?", [START + 5])
        connection.execute("UPDATE assessments SET value = 'NaN' WHERE rowid = 77")
    with pytest.raises(TraceSourceError, match=rf"fails at a trace of Unix millisecond {START + 5}"):
        rows_of(ApiSource(fresh.http))


def test_a_server_that_fails_does_not_make_traces_look_corrupt(stub, hurried):
    stub.answers[SEARCH] = (200, {"traces": [SENT | {"state": "ERROR"}]})
    for path in (BATCH, ARTIFACT, "/api/3.0/mlflow/traces/tr-1"):
        stub.answers[path] = (500, b"out of memory")
    with pytest.raises(TraceSourceError, match="500"):
        rows_of(ApiSource(stub.uri))
    stub.answers["/api/3.0/mlflow/traces/tr-1"] = (200, {"trace": {"trace_info": SENT}})
    (row,) = rows_of(ApiSource(stub.uri)).to_pylist()
    assert "cannot be read" in row["error"]
    stub.answers["/api/3.0/mlflow/traces/tr-1"] = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "gone"})
    (row,) = rows_of(ApiSource(stub.uri)).to_pylist()
    assert (row["status"], row["error"]) == ("ERROR", None)


@pytest.mark.parametrize("value", ["NaN", "Infinity", '"\\ud800"', "not JSON"])
def test_an_assessment_that_the_server_cannot_send_is_named_and_read_from_the_database(fresh, value, hurried):
    with sqlite3.connect(fresh.file, timeout=30) as connection:
        one_hundredth = "SELECT request_id, timestamp_ms FROM trace_info ORDER BY timestamp_ms LIMIT 1 OFFSET 99"
        chosen, at = connection.execute(one_hundredth).fetchone()
        connection.execute("UPDATE assessments SET value = ? WHERE trace_id = ? AND name = 'resolved'", [value, chosen])
    with pytest.raises(TraceSourceError) as caught:
        rows_of(ApiSource(fresh.http))
    if value == "not JSON":  # nothing that MLflow has can read it
        since = re.search(r"fails at the first trace since Unix millisecond (\d+)", str(caught.value))
        assert at - 1_000_000 < int(since[1]) <= at
        with pytest.raises(TraceSourceError, match="Expecting value"):
            rows_of(ApiSource(fresh.uri))
    else:
        assert re.search(rf"cannot send trace {chosen}: .*Delete that assessment.*direct", str(caught.value))
        assert rows_of(ApiSource(fresh.uri)).equals(rows_of(direct_source(fresh.uri)))
