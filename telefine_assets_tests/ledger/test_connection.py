"""The ledger itself: rows are added and never changed, and a newer ledger is left alone."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import DatabaseError

from telefine_assets.ledger import schema
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.records import Promotion

TABLES = [table.name for table in schema.metadata.sorted_tables]


def fill(ledger: Ledger) -> None:
    """One row in every table."""
    with ledger.writing() as connection:
        for table in schema.metadata.sorted_tables:
            if table is not schema.versions:
                row = {column.name: 1 if column.type.python_type is int else "x" for column in table.columns}
                connection.execute(insert(table).values(**row))


def rows(path: str, table: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", ["UPDATE {table} SET {column} = 7", "DELETE FROM {table}"])
def test_no_row_of_any_table_can_be_changed_or_removed_by_any_program(ledger, url, table, change):
    fill(ledger)
    path = url.removeprefix("sqlite:///")
    before = rows(path, table)
    statement = change.format(table=table, column=schema.metadata.tables[table].columns.keys()[-1])
    with closing(sqlite3.connect(path)) as stranger, pytest.raises(sqlite3.DatabaseError, match="append-only"):
        stranger.execute(statement)
    assert rows(path, table) == before != []


@pytest.mark.parametrize("table", TABLES)
def test_no_row_can_be_replaced_through_the_ledger(ledger, url, table):
    fill(ledger)
    before = rows(url.removeprefix("sqlite:///"), table)
    marks = ", ".join("?" for _ in before[0])
    with pytest.raises(DatabaseError, match="append-only"), ledger.writing() as connection:
        connection.exec_driver_sql(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", before[0])
    assert rows(url.removeprefix("sqlite:///"), table) == before


def test_what_was_written_is_there_when_the_ledger_is_opened_again(ledger, url):
    Champions(ledger).promote(Promotion("p", "2026-11-02", "v1", "v0", "0x1"), datetime(2026, 11, 3, tzinfo=UTC))
    ledger.close()
    assert Champions(Ledger(url)).current("p").version == "v1"


def test_a_transaction_that_fails_writes_nothing(ledger, url):
    def fail_after_writing():
        with ledger.writing() as connection:
            connection.execute(insert(schema.answers).values(request_key="a", response="b"))
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fail_after_writing()
    assert rows(url.removeprefix("sqlite:///"), "lm_answers") == []


def test_a_ledger_of_a_newer_telefine_is_refused_and_left_alone(ledger, url):
    with ledger.writing() as connection:
        connection.execute(insert(schema.versions).values(version=schema.SCHEMA_VERSION + 1))
    ledger.close()
    with pytest.raises(LedgerError, match=r"has schema 2, this Telefine knows 1: use the Telefine that wrote it"):
        Ledger(url)
    assert rows(url.removeprefix("sqlite:///"), "ledger_version") == [(1,), (2,)]


def test_a_refused_ledger_gets_no_tables(tmp_path):
    path = tmp_path / "newer.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE ledger_version (version INTEGER PRIMARY KEY)")
        connection.execute("INSERT INTO ledger_version VALUES (9)")
    with pytest.raises(LedgerError, match="schema 9"):
        Ledger(f"sqlite:///{path}")
    assert rows(str(path), "sqlite_master")[0][1] == "ledger_version"
    assert len(rows(str(path), "sqlite_master")) == 1


def test_the_folder_of_the_ledger_is_made(tmp_path):
    Ledger(f"sqlite:///{tmp_path}/a/b/ledger.db").close()
    assert (tmp_path / "a/b/ledger.db").is_file()
