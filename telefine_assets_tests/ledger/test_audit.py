"""The audit log: one chain, in which every change shows."""

import multiprocessing
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest

from telefine_assets.ledger.audit import BEFORE_THE_FIRST, Audit
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.records import AuditEntry

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
COLUMNS = ("seq", "at", "actor", "action", "subject", "details", "previous", "digest")


def entry(number: int, subject: str = "tickets") -> AuditEntry:
    return AuditEntry("ann", "promoted by hand", subject, {"version": f"v{number}", "reason": "faster"})


def append_some(url: str, count: int, actor: str) -> None:
    audit = Audit(Ledger(url))
    for number in range(count):
        audit.append(AuditEntry(actor, "promoted", "tickets", {"number": number}), NOON)


@pytest.fixture
def audit(ledger):
    return Audit(ledger)


@pytest.fixture
def three(audit):
    """Three rows; the chain is whole."""
    for number in range(3):
        audit.append(entry(number), NOON + timedelta(minutes=number))
    return audit


def test_rows_say_who_did_what_when_and_to_what(audit):
    row = audit.append(entry(1), datetime(2026, 11, 20, 14, 5, 6, tzinfo=timezone(timedelta(hours=2))))
    assert (row.seq, row.at, row.actor, row.action, row.subject) == (
        1,
        "2026-11-20T12:05:06Z",
        "ann",
        "promoted by hand",
        "tickets",
    )
    assert row.details == {"version": "v1", "reason": "faster"}
    assert row.previous == BEFORE_THE_FIRST
    assert audit.rows() == [row]


def test_every_row_names_the_one_before_it(three):
    rows = three.rows()
    assert [row.previous for row in rows[1:]] == [row.digest for row in rows[:-1]]
    assert three.verify() == 3


def test_an_empty_log_is_whole(audit):
    assert audit.verify() == 0


def test_rows_can_be_read_by_subject(three):
    other = three.append(entry(9, "reviews"), NOON)
    assert three.rows("reviews") == [other]
    assert len(three.rows("tickets")) == 3


def test_a_time_without_a_zone_is_refused(audit):
    with pytest.raises(ValueError, match="time zone"):
        audit.append(entry(1), NOON.replace(tzinfo=None))
    assert audit.rows() == []


def edit(url: str, statement: str, *values: object) -> None:
    """Change the file behind the ledger's back, triggers and all."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        for trigger in ("audit_no_update", "audit_no_delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        connection.execute(statement, values)


def raw(url: str, column: str, seq: int) -> bytes:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        query = f"SELECT CAST({column} AS BLOB) FROM audit WHERE seq = ?"
        return connection.execute(query, [seq]).fetchone()[0]


@pytest.mark.parametrize("seq", [1, 2, 3])
@pytest.mark.parametrize("column", COLUMNS[1:])
def test_any_byte_that_is_flipped_in_any_row_shows_and_the_row_is_named(three, url, seq, column):
    whole = raw(url, column, seq)
    for at in range(len(whole)):
        # 128 makes what is no UTF-8 any more.
        flipped = whole[:at] + bytes([whole[at] ^ (128 if at % 4 == 3 else 1)]) + whole[at + 1 :]
        edit(url, f"UPDATE audit SET {column} = CAST(? AS TEXT) WHERE seq = ?", flipped, seq)
        with pytest.raises(LedgerError, match=rf"audit log: row {seq} (was changed|cannot be read)"):
            three.verify()
    edit(url, f"UPDATE audit SET {column} = CAST(? AS TEXT) WHERE seq = ?", whole, seq)
    assert three.verify() == 3


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_a_row_with_another_number_shows(three, url, seq):
    edit(url, "UPDATE audit SET seq = 9 WHERE seq = ?", seq)
    with pytest.raises(LedgerError, match=f"row {seq} is missing"):
        three.verify()


def test_a_row_that_was_taken_out_shows(three, url):
    edit(url, "DELETE FROM audit WHERE seq = 2")
    with pytest.raises(LedgerError, match="row 2 is missing; what follows is row 3"):
        three.verify()


def test_a_row_that_was_written_anew_with_a_right_digest_shows_in_the_next(three, url, tmp_path):
    forged = Audit(Ledger(f"sqlite:///{tmp_path}/forged.db"))
    forged.append(entry(0), NOON)
    row = forged.append(entry(7), NOON)
    edit(
        url,
        "UPDATE audit SET details = ?, at = ?, previous = ?, digest = ? WHERE seq = 2",
        '{"reason":"faster","version":"v7"}',
        row.at,
        row.previous,
        row.digest,
    )
    with pytest.raises(LedgerError, match="row 3 does not follow row 2"):
        three.verify()


def test_rows_cut_off_at_the_end_show_to_whoever_kept_the_last_digest(three, url):
    last = three.rows()[-1].digest
    assert three.verify(last) == 3
    edit(url, "DELETE FROM audit WHERE seq = 3")
    assert three.verify() == 2
    with pytest.raises(LedgerError, match="rows after row 2 were cut off"):
        three.verify(last)


def test_two_processes_and_two_threads_make_one_chain(ledger, url):
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=append_some, args=(url, 20, f"process {each}")) for each in range(2)]
    workers += [threading.Thread(target=append_some, args=(url, 20, f"thread {each}")) for each in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    rows = Audit(ledger).rows()
    assert Audit(ledger).verify() == 80
    assert [row.seq for row in rows] == list(range(1, 81))
    for actor in {row.actor for row in rows}:
        assert [row.details["number"] for row in rows if row.actor == actor] == list(range(20))
