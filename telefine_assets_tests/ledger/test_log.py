"""The transparency log's leaves: in order, each once, never rewritten."""

from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.connection import LedgerError
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.ledger.records import AuditEntry


@pytest.fixture
def log(ledger):
    return LogLeaves(ledger)


def test_leaves_stand_in_the_order_in_which_they_came(log):
    assert [log.append(f"0x{number}", bytes([number, 0, 255])) for number in range(3)] == [0, 1, 2]
    assert log.leaves() == [bytes([number, 0, 255]) for number in range(3)]
    assert (log.leaves(2), log.leaves(0)) == ([b"\x00\x00\xff", b"\x01\x00\xff"], [])


def test_the_same_entry_keeps_its_place(log):
    log.append("0xa", b"leaf a")
    log.append("0xb", b"leaf b")
    assert log.append("0xa", b"leaf a") == 0
    assert log.leaves() == [b"leaf a", b"leaf b"]


def test_an_entry_with_another_leaf_is_refused(log):
    log.append("0xa", b"leaf a")
    with pytest.raises(LedgerError, match="log entry 0xa exists with another leaf; a log is never rewritten"):
        log.append("0xa", b"forged")
    assert log.leaves() == [b"leaf a"]


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_batch_stands_at_the_place_it_was_made_for_with_its_row_of_the_audit_log(log, ledger):
    log.append("0xa", b"leaf a")
    decided = AuditEntry("ada", "rotated", "0xb", {})
    assert log.append_at(1, [("0xb", b"leaf b"), ("0xc", b"leaf c")], (decided, NOON))
    assert log.leaves() == [b"leaf a", b"leaf b", b"leaf c"]
    assert [row.action for row in Audit(ledger).rows()] == ["rotated"]


@pytest.mark.parametrize("position", [0, 2])
def test_a_batch_for_another_place_is_not_appended_and_not_audited(log, ledger, position):
    log.append("0xa", b"leaf a")
    assert not log.append_at(position, [("0xb", b"leaf b")], (AuditEntry("ada", "rotated", "0xb", {}), NOON))
    assert (log.leaves(), Audit(ledger).rows()) == ([b"leaf a"], [])


def test_a_batch_with_an_entry_that_is_there_leaves_nothing_behind(log, ledger):
    log.append("0xa", b"leaf a")
    with pytest.raises(IntegrityError):
        log.append_at(1, [("0xb", b"leaf b"), ("0xa", b"leaf c")], (AuditEntry("ada", "rotated", "0xb", {}), NOON))
    assert (log.leaves(), Audit(ledger).rows()) == ([b"leaf a"], [])


EXAMPLES = count()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(st.integers(0, 9), max_size=20))
def test_appending_never_changes_what_was_there(log, entries):
    example, older = next(EXAMPLES), log.leaves()
    before = older
    for entry in entries:
        position = log.append(f"{example} {entry}", bytes([entry]))
        after = log.leaves()
        assert after[: len(before)] == before
        assert after[position] == bytes([entry])
        before = after
    assert before == older + [bytes([entry]) for entry in dict.fromkeys(entries)]
