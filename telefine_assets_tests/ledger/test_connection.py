"""The ledger itself: rows are added and never changed, and what cannot be opened says why."""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from threading import Barrier

import pytest
from sqlalchemy import insert, make_url, text
from sqlalchemy.exc import DatabaseError, OperationalError

from telefine_assets.ledger import schema
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.looks import Looks
from telefine_assets.ledger.records import Promotion
from telefine_assets_tests.ledger.stranger import Stranger
from telefine_assets_tests.ledger.workers import take, workers

TABLES = [table.name for table in schema.metadata.sorted_tables]
ERASABLE = {table.name: key for table in schema.metadata.sorted_tables if (key := table.info.get(schema.ERASABLE))}
SECRET = "geheim"


def fill(ledger: Ledger) -> None:
    """One row in every table; nothing in it is recorded as erased."""
    with ledger.writing() as connection:
        for table in schema.metadata.sorted_tables:
            if table is not schema.versions:
                row = {column.name: 1 if column.type.python_type is int else "x" for column in table.columns}
                connection.execute(insert(table).values(**row))


@pytest.mark.parametrize("table", TABLES)
def test_no_row_of_any_table_can_be_changed_or_removed_by_any_program(ledger, stranger, table):
    fill(ledger)
    before = stranger.rows(table)
    column = schema.metadata.tables[table].columns.keys()[-1]
    changes = [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"]
    changes += [f"TRUNCATE {table}"] if stranger.kind == "postgresql" else []
    for change in changes:
        with pytest.raises(DatabaseError, match=f"{table} is append-only"):
            stranger.run(change)
    assert stranger.rows(table) == before != []


@pytest.mark.parametrize("table", TABLES)
def test_no_row_can_be_replaced_through_the_ledger(ledger, stranger, table):
    fill(ledger)
    before = stranger.rows(table)
    known = schema.metadata.tables[table]
    row = dict(zip(known.columns.keys(), before[0], strict=True))
    if stranger.kind == "sqlite":
        replace = insert(known).prefix_with("OR REPLACE").values(row)
    else:
        new = ledger.dialect.insert(known).values(row)
        replace = new.on_conflict_do_update(index_elements=list(known.primary_key), set_=row)
    with pytest.raises(DatabaseError, match="append-only"), ledger.writing() as connection:
        connection.execute(replace)
    assert stranger.rows(table) == before


@pytest.mark.parametrize("table", ERASABLE)
def test_only_a_row_whose_erasure_is_recorded_can_be_removed_and_none_be_changed(ledger, stranger, table):
    known = schema.metadata.tables[table]
    with ledger.writing() as connection:
        for name in "ab":
            connection.execute(insert(known).values({column.name: name for column in known.columns}))
        connection.execute(insert(schema.erased).values(kind=table, name="a", erasure=1))
        connection.execute(insert(schema.erased).values(kind="trace", name="b", erasure=1))
    with pytest.raises(DatabaseError, match=f"{table} is append-only but for what is recorded as erased"):
        stranger.run(f"DELETE FROM {table}")
    with pytest.raises(DatabaseError, match=f"{table} is append-only"):
        stranger.run(f"UPDATE {table} SET {ERASABLE[table]} = 'c' WHERE {ERASABLE[table]} = 'a'")
    stranger.run(f"DELETE FROM {table} WHERE {ERASABLE[table]} = 'a'")
    assert stranger.rows(table) == [("b",) * len(known.columns)]


def test_what_was_written_is_there_when_the_ledger_is_opened_again(ledger, url):
    Champions(ledger).promote(Promotion("p", "2026-11-02", "v1", "v0", "0x1"), datetime(2026, 11, 3, tzinfo=UTC))
    ledger.close()
    with closing(Ledger(url)) as again:
        assert Champions(again).current("p").version == "v1"


def test_a_transaction_that_fails_writes_nothing(ledger, stranger):
    def fail_after_writing():
        with ledger.writing() as connection:
            connection.execute(insert(schema.answers).values(request_key="a", response="b"))
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fail_after_writing()
    assert stranger.rows("lm_answers") == []


def test_a_reader_sees_one_moment_and_keeps_no_writer_waiting(ledger):
    with ledger.reading() as connection:
        assert connection.execute(schema.looks.select()).all() == []
        take(Looks(ledger), "a")
        assert connection.execute(schema.looks.select()).all() == []
        assert connection.execute(schema.look_numbers.select()).all() == []


def test_a_ledger_of_a_newer_telefine_is_refused_and_left_alone(ledger, url, stranger):
    known = schema.SCHEMA_VERSION
    with ledger.writing() as connection:
        connection.execute(insert(schema.versions).values(version=known + 1))
    ledger.close()
    with pytest.raises(LedgerError, match=rf"has schema {known + 1}, this Telefine knows {known}: use the Telefine"):
        Ledger(url)
    assert stranger.rows("ledger_version") == [(known,), (known + 1,)]


def test_a_refused_ledger_gets_no_tables(empty_url, tmp_path):
    (tmp_path / "state").mkdir()
    with closing(Stranger(empty_url)) as stranger:
        stranger.run("CREATE TABLE ledger_version (version INTEGER PRIMARY KEY)")
        stranger.run("INSERT INTO ledger_version VALUES (9)")
        with pytest.raises(LedgerError, match="schema 9"):
            Ledger(empty_url)
        with pytest.raises(DatabaseError, match="looks"):
            stranger.rows("looks")
        assert stranger.rows("ledger_version") == [(9,)]


def test_two_processes_may_open_an_empty_database_at_once(empty_url):
    with workers(*[("look", empty_url, each) for each in "ab"]) as both:
        for each in both:
            assert each.heard() == "ready"
        for each in both:
            each.tell()
        assert sorted(each.heard() for each in both) == [[1], [2]]
        assert [each.ended() for each in both] == [0, 0]


# One database only


def test_many_may_give_an_empty_file_its_tables_at_once(tmp_path):
    together = Barrier(8)

    def open_it(url):
        together.wait()
        Ledger(url).close()

    with ThreadPoolExecutor(8) as threads:
        for attempt in range(12):
            list(threads.map(open_it, [f"sqlite:///{tmp_path}/{attempt}.db"] * 8))


def test_the_folder_of_the_ledger_is_made(tmp_path):
    Ledger(f"sqlite:///{tmp_path}/a/b/ledger.db").close()
    assert (tmp_path / "a/b/ledger.db").is_file()


@pytest.fixture
def server_url(postgres):
    name = postgres.create(postgres.with_tables)
    yield postgres.url(name)
    postgres.drop(name)


@pytest.mark.parametrize("default", ["serializable", "repeatable read"])
def test_whoever_waited_to_write_sees_what_was_written_whatever_the_servers_default_is(server_url, default):
    with closing(Stranger(server_url)) as stranger:
        name = make_url(server_url).database
        stranger.run(f"ALTER DATABASE {name} SET default_transaction_isolation TO '{default}'")
    with workers(*[("look", server_url, *(f"{each}{number}" for number in range(10))) for each in "ab"]) as both:
        for each in both:
            each.heard()
        for each in both:
            each.tell()
        assert sorted(both[0].heard() + both[1].heard()) == list(range(1, 21))


def test_a_role_that_may_only_read_and_add_can_use_a_ledger_and_not_disarm_it(server_url):
    with closing(Stranger(server_url)) as owner:
        owner.run("DROP ROLE IF EXISTS clerk")
        owner.run("CREATE ROLE clerk LOGIN")
        owner.run("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO clerk")
        owner.run("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO clerk")
        theirs = server_url.replace("//postgres:", "//clerk:")
        with closing(Ledger(theirs)) as ledger, closing(Stranger(theirs)) as clerk:
            assert take(Looks(ledger), "a").k == 1
            for change in ("DROP TRIGGER looks_append_only ON looks", "DROP TABLE looks", "DELETE FROM looks"):
                with pytest.raises(DatabaseError):
                    clerk.run(change)
        owner.run("DROP OWNED BY clerk")
        owner.run("DROP ROLE clerk")


def test_a_server_that_dropped_its_connections_is_asked_again(server_url):
    with closing(Ledger(server_url)) as ledger, closing(Stranger(server_url)) as stranger:
        take(Looks(ledger), "a")
        theirs = "datname = current_database() AND pid <> pg_backend_pid()"
        assert stranger.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {theirs}").all() == [(True,)]
        assert take(Looks(ledger), "b").k == 2


def test_nobody_waits_for_ever_for_a_writer_that_hangs(server_url):
    with closing(Ledger(server_url)) as ledger, ledger.writing() as connection:
        assert connection.scalar(text("SHOW lock_timeout")) == "1min"
        with closing(Stranger(server_url)) as stranger, pytest.raises(OperationalError, match="lock timeout"):
            stranger.run("SET lock_timeout = '1ms'")
            stranger.run(ledger.dialect.begin_writing)


@pytest.mark.parametrize(
    "url",
    [f"postgresql+psycopg://ann:{SECRET}@127.0.0.1:9/none", f"postgresql+psycopg://127.0.0.1:9/none?password={SECRET}"],
)
def test_a_database_that_cannot_be_reached_is_named_without_its_password(url):
    said = r"the ledger postgresql\+psycopg://.*127\.0\.0\.1:9/none.* cannot be opened: .*refused"
    with pytest.raises(LedgerError, match=said) as caught:
        Ledger(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", [f"mysql://ann:{SECRET}@host/db", f"postgresql://ann:{SECRET}@host/db", "ledger.db"])
def test_another_kind_of_database_is_refused(url):
    with pytest.raises(LedgerError, match=r"must be sqlite:///<file> or postgresql\+psycopg://") as caught:
        Ledger(url)
    assert SECRET not in str(caught.value)


def test_without_the_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerError, match=r"needs the package psycopg: install telefine-assets\[postgres\]"):
        Ledger("postgresql+psycopg://ann@127.0.0.1:9/none")
