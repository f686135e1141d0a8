"""Exported files: MLflow's own exports load as its database does, and bad files say where they are bad."""

import gzip
import json
import random
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telefine_assets.traces.records import batch_to_traces, trace_schema
from telefine_assets.traces.sources import files
from telefine_assets.traces.sources.api import spans_by_client
from telefine_assets.traces.sources.databases import database_of
from telefine_assets.traces.sources.direct import DirectSource
from telefine_assets.traces.sources.files import FileSource
from telefine_assets.traces.sources.protocol import Filters, OutcomeRange, TraceQuery, TraceSourceError
from telefine_assets_tests.traces.mlflow_store import copy_store
from telefine_assets_tests.traces.sources import rich_store
from telefine_assets_tests.traces.sources.rich_store import END, ODD, START

QUERY = TraceQuery("any experiment", START, END, ("ticket",))
EVER = replace(QUERY, experiment="tickets", start_ms=0, end_ms=2**53)
AT = START + 36_000_000
ROW = {"trace_id": "tr-1", "request_time_ms": AT, "inputs": {"ticket": "x"}, "outputs": {"team": "y"}}


def rows_of(source, query=QUERY):
    return pa.Table.from_batches(source.read(query), trace_schema())


@pytest.fixture(scope="module")
def exported(empty_template, tmp_path_factory):
    """A store with traces of every kind that can be exported, what its database holds, and MLflow's exports of it."""
    import mlflow
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("exported")
    uri = copy_store(empty_template, folder)
    ids = rich_store.make(uri)
    # What MLflow's client itself leaves out of a search with spans.
    lost = [ids[name] for name in ("under way", "lost artifact")]
    with sqlite3.connect(folder / "mlflow.db") as database:
        database.executemany("DELETE FROM trace_info WHERE request_id = ?", [[trace_id] for trace_id in lost])
    traces = MlflowClient(uri).search_traces(locations=["1"], max_results=1_000)
    random.Random(3).shuffle(traces)
    half = len(traces) // 2
    (folder / "traces-1.jsonl").write_text("\n".join(trace.to_json() for trace in traces[:half]) + "\n")
    with gzip.open(folder / "traces-2.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(trace.to_dict()) + "\n\n" for trace in traces[half:])
    frame = mlflow.tracing.utils.search.traces_to_df(traces)
    frame.drop(columns=["request", "response", "spans", "assessments"]).to_parquet(folder / "frame.parquet")
    frame.to_json(folder / "frame.jsonl", orient="records", lines=True)
    return folder, DirectSource(database_of(uri), spans_by_client(uri)), ids


def test_a_search_with_spans_leaves_out_what_is_not_complete(exported):
    _, source, ids = exported
    assert rows_of(source, EVER).num_rows == rich_store.PLAIN + len(ids) - 4


@pytest.mark.parametrize("spans", ["none", "all"])
@pytest.mark.parametrize("name", ["traces-*", "frame.parquet", "frame.jsonl"])
def test_mlflows_exports_give_what_the_database_holds(exported, name, spans):
    folder, source, _ = exported
    query = replace(EVER, spans=spans)
    here, there = rows_of(source, query), rows_of(FileSource(str(folder / name)), query)
    assert here.equals(there)
    prints = pa.Table.from_batches(FileSource(str(folder / name)).fingerprints(query))
    assert prints["fingerprint"].to_pylist() == here["fingerprint"].to_pylist()


@pytest.mark.parametrize(
    "filters",
    [
        Filters(statuses=("ERROR",)),
        Filters(tags={"channel": "mail"}),
        Filters(tags={ODD[:40]: ODD}),
        Filters(versions=("v1", "v2")),
        Filters(outcome=OutcomeRange("resolved", at_least=1)),
    ],
    ids=repr,
)
def test_filters_mean_the_same(exported, filters):
    folder, source, _ = exported
    query = replace(EVER, filters=filters, version_key="release")
    here = rows_of(source, query)
    assert here.num_rows > 0
    assert rows_of(FileSource(str(folder / "traces-*")), query).equals(here)


@pytest.mark.parametrize("spans", ["none", "all"])
def test_days_that_telefine_stored_load_as_they_were(exported, tmp_path, spans):
    _, source, _ = exported
    query = replace(EVER, spans=spans)
    rows = rows_of(source, query)
    pq.write_table(rows, tmp_path / "day.parquet", row_group_size=10)
    assert rows_of(FileSource(str(tmp_path / "day.parquet")), query).equals(rows)


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return FileSource(str(path))


def only(path, row, query=QUERY):
    (trace,) = batch_to_traces(rows_of(write(path, row), query))
    return trace


def test_flat_rows_may_be_written_in_many_ways(tmp_path):
    one = only(
        tmp_path / "one.jsonl",
        ROW
        | {"state": "OK", "duration_ms": 7.0, "tags": {"a": "b", "n": 5}, "session": "s", "version": "v", "tokens": 3}
        | {"metadata": '{"mlflow.user": "ann"}', "spans": None, "assessments": "[]"},
    )
    assert (one.status, one.duration_ms, one.session, one.version, one.tokens) == ("OK", 7, "s", "v", 3)
    assert json.loads(one.tags) == {"a": "b", "n": "5"}
    other = only(
        tmp_path / "other.jsonl",
        {
            "request_id": "tr-1",
            "request_time": "2026-11-20T10:00:00",
            "status": "TraceState.OK",
            "request": '{"ticket": "x"}',
            "response": '{"team": "y"}',
            "execution_time_ms": 7,
            "tags": [{"key": "a", "value": "b"}, {"key": "n", "value": "5"}],
            "trace_metadata": {"mlflow.trace.session": "s", "mlflow.modelId": "v", "mlflow.trace.tokenUsage": None},
            "tokens": 3,
        },
    )
    assert other == one


@pytest.mark.parametrize(
    "at", [AT, float(AT), "2026-11-20T10:00:00Z", "2026-11-20 11:00:00.000+01:00", "2026-11-20T10:00:00"]
)
def test_a_start_may_be_written_in_many_ways(tmp_path, at):
    assert only(tmp_path / "one.jsonl", ROW | {"request_time_ms": at}).request_time_ms == AT


@pytest.mark.parametrize(
    ("outputs", "said"),
    [("plain text", '"plain text"'), ("5", "5"), (5, "5"), (None, None), ([1], "[1]"), ('{"a": NaN}', '{"a": NaN}')],
)
def test_text_that_is_no_json_is_text(tmp_path, outputs, said):
    assert only(tmp_path / "one.jsonl", ROW | {"outputs": outputs}).outputs == said


def test_half_a_character_does_not_stop_a_file(tmp_path):
    one = only(tmp_path / "one.jsonl", ROW | {"inputs": {"ticket": "\ud83d"}, "tags": {"a": "\ud83d"}})
    assert json.loads(one.inputs) == {"ticket": "?"}
    assert json.loads(one.tags) == {"a": "?"}


def test_an_error_makes_a_trace_a_failed_one(tmp_path):
    one = only(tmp_path / "one.jsonl", ROW | {"error": "the model is down", "outputs": None})
    assert (one.status, one.error, one.outputs) == ("ERROR", "the model is down", None)


def test_telefines_assessments_are_understood(tmp_path):
    said = {"name": "helpful", "kind": "feedback", "value": "0.5", "source_type": "HUMAN", "create_time_ms": 5}
    (one,) = only(tmp_path / "one.jsonl", ROW | {"assessments": [said]}).assessed()
    assert (one.name, one.value, one.source_type, one.source_id, one.valid) == ("helpful", "0.5", "HUMAN", None, True)


def test_parquet_with_arrow_types(tmp_path):
    table = pa.table(
        {
            "trace_id": ["tr-2", "tr-1", "tr-3"],
            "request_time": pa.array([datetime.fromtimestamp(AT / 1000, UTC)] * 3, pa.timestamp("us", "UTC")),
            "inputs": [{"ticket": "x"}] * 3,
            "tags": pa.array([[("a", "b")], [], None], pa.map_(pa.string(), pa.string())),
            "metadata": [{"mlflow.trace.session": "s"}, {"mlflow.trace.session": None}, None],
        }
    )
    pq.write_table(table, tmp_path / "some.parquet")
    found = batch_to_traces(rows_of(FileSource(str(tmp_path))))
    assert [trace.trace_id for trace in found] == ["tr-1", "tr-2", "tr-3"]
    assert [trace.tags for trace in found] == ["{}", '{"a":"b"}', "{}"]
    assert [trace.session for trace in found] == [None, "s", None]


def test_only_the_days_own_traces_are_read_and_row_groups_of_other_days_are_passed_over(tmp_path, monkeypatch):
    days = [START - 1, START, END - 1, END]
    table = pa.Table.from_pylist([ROW | {"trace_id": f"tr-{at}", "request_time_ms": at} for at in days])
    pq.write_table(table, tmp_path / "some.parquet", row_group_size=1)
    seen = []
    real = files.start_of
    monkeypatch.setattr(files, "start_of", lambda row: seen.append(row["trace_id"]) or real(row))
    found = rows_of(FileSource(str(tmp_path / "*.parquet")))["trace_id"].to_pylist()
    assert found == seen == [f"tr-{START}", f"tr-{END - 1}"]


def test_many_files_come_out_sorted_with_bounded_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_ROWS_AT_ONCE", 10)
    numbers = list(range(300))
    random.Random(1).shuffle(numbers)
    for file in range(3):
        chosen = numbers[file * 100 : file * 100 + 100]
        write(
            tmp_path / f"{file}.jsonl",
            *(ROW | {"trace_id": f"tr-{number:03}", "request_time_ms": START + number // 7} for number in chosen),
        )
    batches = list(FileSource(str(tmp_path / "*")).read(QUERY))
    assert max(batch.num_rows for batch in batches) == 10
    assert [each for batch in batches for each in batch["trace_id"].to_pylist()] == [f"tr-{n:03}" for n in range(300)]


def test_large_traces_come_in_small_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_MANY_BYTES", 200_000)
    rows = [ROW | {"trace_id": f"tr-{number}", "inputs": {"ticket": "y" * 100_000}} for number in range(6)]
    batches = list(write(tmp_path / "large.jsonl", *rows).read(QUERY))
    assert [batch.num_rows for batch in batches] == [2, 2, 2]


def test_equal_copies_are_one_trace(tmp_path):
    write(tmp_path / "a.jsonl", ROW, ROW)
    write(tmp_path / "b.jsonl", ROW)
    assert rows_of(FileSource(str(tmp_path / "*.jsonl"))).num_rows == 1


def test_copies_that_differ_are_an_error_that_names_both(tmp_path):
    write(tmp_path / "a.jsonl", ROW | {"trace_id": "tr-0"}, ROW)
    write(tmp_path / "b.jsonl", ROW | {"outputs": {"team": "z"}})
    with pytest.raises(TraceSourceError, match=r"trace tr-1 .* in a\.jsonl, line 2 and another in b\.jsonl, line 1;"):
        rows_of(FileSource(str(tmp_path / "*.jsonl")))


BAD = {
    "no JSON": ('{"trace_id": ', "is no JSON"),
    "no object": ("[1]", "is no JSON object"),
    "nested too deep": ('{"a":' * 100_000, "is no JSON"),
    "no bytes of text": (b'{"trace_id": "\xff"}', "is no JSON"),
    "no id": ({"request_time_ms": AT, "inputs": {}}, "it has no trace_id"),
    "an id that is a number": (ROW | {"trace_id": 5}, "trace_id is 5, not text"),
    "no start": ({"trace_id": "tr-1"}, "it has no request_time_ms"),
    "a start that is text": (ROW | {"request_time_ms": "yesterday"}, "its start is 'yesterday'"),
    "a start that is a list": (ROW | {"request_time_ms": []}, "its start is '\\[\\]'"),
    "tags that are a list": (ROW | {"tags": ["a"]}, "tags is list, not an object"),
    "tags that are text": (ROW | {"tags": "a"}, "tags is text that is no JSON"),
    "assessments that are an object": (ROW | {"assessments": {}}, "assessments is dict, not a list"),
    "an assessment without a name": (ROW | {"assessments": [{"feedback": {"value": 1}}]}, "something is missing"),
    "an assessment of no kind": (ROW | {"assessments": [{}]}, "something is missing"),
    "a duration that is text": (ROW | {"duration_ms": "long"}, "something is of the wrong type"),
    "spans that are text": (ROW | {"spans": ["a"]}, "something is of the wrong type"),
    "MLflow's, without info": ({"info": None, "data": {}}, "it has no request_time_ms"),
    "MLflow's, without an id": ({"info": {"request_time": "2026-11-20T10:00:00Z"}, "data": {}}, "something is missing"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_named_with_its_file_and_number(tmp_path, name):
    line, said = BAD[name]
    line = line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
    (tmp_path / "bad.jsonl").write_bytes(json.dumps(ROW).encode() + b"\n\n" + line + b"\n")
    with pytest.raises(TraceSourceError, match=rf"bad\.jsonl, line 3, .*{said}"):
        rows_of(FileSource(str(tmp_path / "*.jsonl")))


def test_a_bad_row_of_parquet_is_named_with_its_number(tmp_path):
    pq.write_table(pa.Table.from_pylist([ROW, ROW | {"trace_id": None}]), tmp_path / "bad.parquet")
    with pytest.raises(TraceSourceError, match=r"bad\.parquet, row 2, is no trace: it has no trace_id"):
        rows_of(FileSource(str(tmp_path)))


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path):
    pq.write_table(pa.table({"id": ["tr-1"], "when": [5]}), tmp_path / "other.parquet")
    with pytest.raises(TraceSourceError, match=r"other\.parquet has no column trace, nor trace_id.*it has id, when"):
        rows_of(FileSource(str(tmp_path)))


@pytest.mark.parametrize("content", [b"", b"not parquet", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_broken_parquet_file_is_named(tmp_path, content):
    (tmp_path / "broken.parquet").write_bytes(content)
    with pytest.raises(TraceSourceError, match=r"broken\.parquet cannot be read"):
        rows_of(FileSource(str(tmp_path)))


def test_a_broken_gzip_file_is_named(tmp_path):
    whole = gzip.compress(json.dumps(ROW).encode() * 50)
    for content in (whole[:-20], b"not gzip"):
        (tmp_path / "broken.jsonl.gz").write_bytes(content)
        with pytest.raises(TraceSourceError, match=r"broken\.jsonl\.gz"):
            rows_of(FileSource(str(tmp_path)))


@pytest.mark.parametrize("name", ["none.jsonl", "*.jsonl", "", "notes.txt", "folder"])
def test_no_file_is_an_error_that_names_the_setting(tmp_path, name):
    (tmp_path / "notes.txt").write_text("no traces")
    (tmp_path / "folder").mkdir()
    with pytest.raises(TraceSourceError, match=r"no file matches .*check programs\.\*\.traces\.files"):
        rows_of(FileSource(str(tmp_path / name)))


def test_files_may_be_wherever_fsspec_reaches():
    with fsspec.open("memory://exports/day.jsonl", "w") as file:
        file.write(json.dumps(ROW) + "\n")
    assert rows_of(FileSource("memory://exports/*.jsonl")).num_rows == 1
    assert FileSource("memory://exports/*.jsonl").described == "from the files at memory://exports/*.jsonl"


def test_credentials_are_in_no_message():
    source = FileSource("ftp://ann:geheim@127.0.0.1:9/day.jsonl")
    with pytest.raises(TraceSourceError, match="cannot be read") as caught:
        rows_of(source)
    assert "geheim" not in str(caught.value) + source.described


def test_a_broken_file_leaves_no_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    source = write(tmp_path / "one.jsonl", ROW, {})
    with pytest.raises(TraceSourceError):
        rows_of(source)
    batches = write(tmp_path / "one.jsonl", ROW).read(QUERY)
    next(batches)
    batches.close()
    assert not list((tmp_path / "temporary").iterdir())
