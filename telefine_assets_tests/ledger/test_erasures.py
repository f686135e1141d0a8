"""Erasures in the ledger: recorded first, with who and why, and only then is anything removed."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telefine_assets.canonical import digest_of
from telefine_assets.ledger.answers import Answers
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.erasures import EVIDENCE, TRACE, Asked, Erasures
from telefine_assets.ledger.errors import LedgerError
from telefine_assets.ledger.spool import Spool
from telefine_assets_tests.ledger.spooling import batch, names, offer, sha

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ASKED = Asked("0xAlice", "asked by mail", "ann")


def test_what_is_recorded_goes_and_nothing_else(ledger, stranger):
    Spool(ledger).accept(batch(offer("hers"), offer("others")), 1)
    answers = Answers(ledger)
    answers.keep("hers", "words " * 5_000)
    answers.keep("others", "text")
    erasures, rows = Erasures(ledger), stranger.rows("spool_traces")
    assert erasures.remove_rows() == 0
    wanted = {"spool_bodies": {sha("hers")}, "lm_answers": {"hers"}, TRACE: {"tr-1"}, EVIDENCE: set()}
    assert erasures.record(ASKED, wanted, NOON) == 3
    assert erasures.remove_rows() == 2
    erasures.compact()
    if ledger.file:
        # Neither free pages nor the write-ahead log hold anything still.
        assert stranger.run("PRAGMA freelist_count").scalar() == 0
        assert Path(f"{ledger.file}-wal").stat().st_size == 0

    assert names(Spool(ledger).waiting("tickets", 9)) == [sha("others")]
    assert stranger.rows("spool_traces") == rows
    assert (answers.find("hers"), answers.find("others")) == (None, "text")
    assert (erasures.names(TRACE), erasures.names(EVIDENCE), erasures.contributors()) == ({"tr-1"}, set(), ["0xAlice"])
    assert answers.keep("hers", "asked again") == "asked again"


def test_while_somebody_reads_the_file_it_says_that_the_words_stand_there_still(tmp_path, monkeypatch):
    monkeypatch.setattr("telefine_assets.ledger.erasures._WAIT_MS", 50)
    file, words = tmp_path / "ledger.db", b"words that nobody else says at all"
    with closing(Ledger(f"sqlite:///{file}")) as ledger, closing(sqlite3.connect(file, isolation_level=None)) as reader:
        Answers(ledger).keep("hers", words.decode())
        erasures = Erasures(ledger)
        erasures.require_alone()
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM audit").fetchone()
        erasures.record(ASKED, {"lm_answers": {"hers"}}, NOON)
        erasures.remove_rows()
        for refused in (erasures.compact, erasures.require_alone):
            with pytest.raises(LedgerError, match=r"ledger\.db is in use: .* telefine serve, .* run this again"):
                refused()
        assert words in file.read_bytes()
        reader.execute("ROLLBACK")
        # Whoever writes is in the way as well.
        reader.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="is in use"):
            erasures.compact()
        reader.execute("ROLLBACK")
        erasures.compact()
        assert not any(words in each.read_bytes() for each in tmp_path.iterdir())


def test_an_erasure_is_audited_and_what_is_recorded_already_is_not_recorded_again(ledger, stranger):
    erasures = Erasures(ledger)
    assert erasures.record(ASKED, {TRACE: {"tr-1", "tr-2"}}, NOON) == 2
    assert erasures.record(ASKED, {TRACE: {"tr-1"}}, NOON) == 0
    assert erasures.record(ASKED, {TRACE: {"tr-2", "tr-3"}}, NOON) == 1
    (first, second) = Audit(ledger).rows()
    assert (first.actor, first.subject) == ("ann", "0xAlice")
    first_names, second_names = (digest_of({TRACE: names}) for names in (["tr-1", "tr-2"], ["tr-3"]))
    assert first.details == {"reason": "asked by mail", "erasure": 1, "trace": 2, "names": first_names}
    assert second.details == {"reason": "asked by mail", "erasure": 2, "trace": 1, "names": second_names}
    assert erasures.asked(TRACE) == dict.fromkeys(("tr-1", "tr-2", "tr-3"), ASKED)
    assert erasures.asked(EVIDENCE) == {}
    assert sorted(stranger.rows("erased")) == [("trace", "tr-1", 1), ("trace", "tr-2", 1), ("trace", "tr-3", 2)]


@pytest.mark.parametrize(
    "written",
    [
        f"INSERT INTO erased VALUES ('{EVIDENCE}', '{'1' * 64}', 1)",
        f"INSERT INTO erased VALUES ('{EVIDENCE}', '{'1' * 64}', 7)",
        "INSERT INTO erasures VALUES (2, '0xBob', 'asked by mail', 'ann', 0)",
    ],
)
def test_an_erasure_that_was_written_past_the_audit_log_is_none(ledger, stranger, written):
    erasures = Erasures(ledger)
    erasures.require_audited()
    erasures.record(ASKED, {TRACE: {"tr-1", "tr-2"}, EVIDENCE: {"2" * 64}}, NOON)
    erasures.require_audited()
    stranger.run(written)
    with pytest.raises(LedgerError, match=r"erasure \d is not what the audit log says was recorded"):
        erasures.require_audited()


def test_an_older_ledger_learns_of_a_later_erasure_of_which_nothing_is_left(ledger):
    erasures = Erasures(ledger)
    later = int(NOON.timestamp() * 1000) + 5
    assert erasures.record(ASKED, {}, NOON, later) == 0
    assert erasures.record(ASKED, {}, NOON, later) == 0
    assert (erasures.last_ms(), len(Audit(ledger).rows())) == ({"0xAlice": later}, 1)
    erasures.require_audited()


def test_a_trace_that_was_erased_is_not_taken_in_again(ledger):
    spool = Spool(ledger)
    spool.accept(batch(offer("hers")), 1)
    erasures = Erasures(ledger)
    erasures.record(ASKED, {"spool_bodies": {sha("hers")}}, NOON)
    erasures.remove_rows()
    (verdict,) = spool.accept(batch(offer("hers"), key="again"), 2)
    assert verdict.outcome == "duplicate"
    assert spool.waiting("tickets", 9) == []


def test_what_was_erased_waits_for_nobody(ledger):
    spool = Spool(ledger)
    spool.accept(batch(offer("first"), offer("second"), offer("hers")), 1_000)
    erasures = Erasures(ledger)
    for gone, waiting, oldest in (("hers", 2, 1_000), ("first", 1, 1_000), ("second", 0, None)):
        erasures.record(ASKED, {"spool_bodies": {sha(gone)}}, NOON)
        erasures.remove_rows()
        lag = spool.lag("tickets")
        assert (lag.accepted, lag.waiting, lag.oldest_ms) == (3, waiting, oldest)
    assert not spool.lag("tickets").stands_still(10**9, 300)
    assert erasures.last_ms() == {"0xAlice": int(NOON.timestamp() * 1000)}
