"""The audit log: one chain, in which every change shows."""

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest

from telefine_assets.ledger.audit import BEFORE_THE_FIRST, Audit
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.records import AuditEntry
from telefine_assets_tests.ledger.workers import append, workers

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
COLUMNS = ("seq", "at", "actor", "action", "subject", "details", "previous", "digest")


def entry(number: int, subject: str = "tickets") -> AuditEntry:
    return AuditEntry("ann", "promoted by hand", subject, {"version": f"v{number}", "reason": "faster"})


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


@pytest.fixture
def forger(stranger):
    """A stranger whom no trigger stops."""
    stranger.disarm("audit")
    return stranger


def raw(stranger, column: str, seq: int) -> bytes:
    as_bytes = {"sqlite": "CAST({} AS BLOB)", "postgresql": "convert_to({}, 'UTF8')"}[stranger.kind].format(column)
    return stranger.run(f"SELECT {as_bytes} FROM audit WHERE seq = :seq", seq=seq).scalar_one()


def overwrite(stranger, column: str, seq: int, value: bytes) -> None:
    as_text = {"sqlite": "CAST(:value AS TEXT)", "postgresql": "convert_from(:value, 'UTF8')"}[stranger.kind]
    stranger.run(f"UPDATE audit SET {column} = {as_text} WHERE seq = :seq", value=value, seq=seq)


@pytest.mark.parametrize("seq", [1, 2, 3])
@pytest.mark.parametrize("column", COLUMNS[1:])
def test_any_byte_that_is_flipped_in_any_row_shows_and_the_row_is_named(three, forger, seq, column):
    whole = raw(forger, column, seq)
    # PostgreSQL takes no bytes that are not UTF-8; and one in five, so that this does not last.
    step, odd = (1, 128) if forger.kind == "sqlite" else (5, 1)
    for at in range(0, len(whole), step):
        flipped = whole[:at] + bytes([whole[at] ^ (odd if at % 4 == 3 else 1)]) + whole[at + 1 :]
        overwrite(forger, column, seq, flipped)
        with pytest.raises(LedgerError, match=rf"audit log: row {seq} (was changed|cannot be read)"):
            three.verify()
    overwrite(forger, column, seq, whole)
    assert three.verify() == 3


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_a_row_with_another_number_shows(three, forger, seq):
    forger.run("UPDATE audit SET seq = 9 WHERE seq = :seq", seq=seq)
    with pytest.raises(LedgerError, match=f"row {seq} is missing"):
        three.verify()


def test_a_row_that_was_taken_out_shows(three, forger):
    forger.run("DELETE FROM audit WHERE seq = 2")
    with pytest.raises(LedgerError, match="row 2 is missing; what follows is row 3"):
        three.verify()


def test_a_row_that_was_written_anew_with_a_right_digest_shows_in_the_next(three, forger, new_url):
    with closing(Ledger(new_url())) as other:
        forged = Audit(other)
        forged.append(entry(0), NOON)
        row = forged.append(entry(7), NOON)
    forger.run(
        "UPDATE audit SET details = :details, at = :at, previous = :previous, digest = :digest WHERE seq = 2",
        details='{"reason":"faster","version":"v7"}',
        at=row.at,
        previous=row.previous,
        digest=row.digest,
    )
    with pytest.raises(LedgerError, match="row 3 does not follow row 2"):
        three.verify()


def test_rows_cut_off_at_the_end_show_to_whoever_kept_the_last_digest(three, forger):
    last = three.rows()[-1].digest
    assert three.verify(last) == 3
    forger.run("DELETE FROM audit WHERE seq = 3")
    assert three.verify() == 2
    with pytest.raises(LedgerError, match="rows after row 2 were cut off"):
        three.verify(last)


def test_two_processes_and_two_threads_make_one_chain(ledger, url):
    threads = [threading.Thread(target=append, args=(ledger, f"thread {each}", 20)) for each in range(2)]
    with workers(*[("append_when_told", url, f"process {each}", "20") for each in range(2)]) as processes:
        for each in processes:
            assert each.heard() == "ready"
        for each in processes:
            each.tell()
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert [each.ended() for each in processes] == [0, 0]
    rows = Audit(ledger).rows()
    assert Audit(ledger).verify() == 80
    assert [row.seq for row in rows] == list(range(1, 81))
    for actor in {row.actor for row in rows}:
        assert [row.details["number"] for row in rows if row.actor == actor] == list(range(20))
