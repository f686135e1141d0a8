"""The log of arrivals: in the order of receipt, one for each contributor and content, never changed."""

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from telefine_assets.ledger.submissions import Submissions
from telefine_assets_tests.ledger.workers import submission, workers


@pytest.fixture
def book(ledger):
    return Submissions(ledger)


def places(book):
    return [(row.position, row.entry) for row in book.rows()]


def test_they_stand_in_the_order_in_which_they_came(book):
    first, second, third = submission(7), submission(1), submission(1, "0xBob")
    assert [row.position for row in book.receive([first, second], 2**52)] == [0, 1]
    assert book.receive([third], 5)[0].position == 2
    assert places(book) == [(0, first), (1, second), (2, third)]
    assert [row.received_ms for row in book.rows()] == [2**52, 2**52, 5]


def test_what_is_received_again_returns_the_row_that_stands(book):
    book.receive([submission(0), submission(1)], 1)
    before = book.rows()
    again = book.receive([submission(1), submission(1, salt="0x5b"), submission(0)], 99)
    assert [row.position for row in again] == [1, 1, 0]
    assert again[1].entry == submission(1)
    assert book.rows() == before


def test_of_two_for_one_content_in_one_delivery_the_first_stands(book):
    rows = book.receive([submission(0, salt="0x1"), submission(0, salt="0x2"), submission(0, "0xBob")], 1)
    assert [row.position for row in rows] == [0, 0, 1]
    assert rows[1].entry.salt == "0x1"


def test_they_are_found_by_trace_by_program_and_up_to_a_size(book):
    book.receive([submission(number % 700, who) for who in ("0xAda", "0xBob") for number in range(700)], 1)
    found = book.of_traces([f"0x{number}" for number in range(600)])
    assert [row.position for row in found] == [*range(600), *range(700, 1300)]
    assert book.of_traces([]) == []
    assert len(book.rows("tickets")) == len(book.rows()) == 1400
    assert book.rows("other") == []
    assert [row.position for row in book.rows(size=3)] == [0, 1, 2]


def test_nothing_is_received_of_nothing(book):
    assert book.receive([], 1) == []
    assert book.rows() == []


@pytest.mark.parametrize(
    "statement", ["UPDATE submissions SET position = 9", "DELETE FROM submissions", "UPDATE submissions SET time = 1"]
)
def test_the_database_itself_refuses_changes(book, stranger, statement):
    book.receive([submission(0)], 1)
    with pytest.raises(DBAPIError, match="submissions is append-only"):
        stranger.run(statement)
    assert places(book) == [(0, submission(0))]


EXAMPLES = count()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["0xAda", "0xBob"]), st.integers(0, 1)), max_size=4))
)
def test_replays_and_repeats_leave_one_place_for_each_contributor_and_content(book, deliveries):
    example, before = next(EXAMPLES), book.rows()
    for delivery in deliveries * 2:
        book.receive([submission(f"{example}.{number}", who, f"0x{salt}") for number, who, salt in delivery], 1)
        after = book.rows()
        assert after[: len(before)] == before
        before = after
    new = [row for row in before if row.entry.trace_digest.startswith(f"0x{example}.")]
    firsts = {}
    for number, who, salt in (each for delivery in deliveries for each in delivery):
        firsts.setdefault((number, who), submission(f"{example}.{number}", who, f"0x{salt}"))
    assert [row.entry for row in new] == list(firsts.values())
    assert [row.position for row in before] == list(range(len(before)))


def test_processes_at_once_leave_no_gap_and_agree_on_every_place(book, url):
    """Two hand in the same submissions, a third others of the same contents."""
    orders = [("submit_when_told", url, who, "40") for who in ("0xAda", "0xAda", "0xBob")]
    with workers(*orders) as running:
        for each in running:
            assert each.heard() == "ready"
        for each in running:
            each.tell()
        ada, again, bob = (each.heard() for each in running)
    assert (ada, ada, bob) == (again, sorted(ada), sorted(bob))
    assert sorted(ada + bob) == list(range(80))
    rows = book.rows()
    assert [row.position for row in rows] == list(range(80))
    assert {(row.entry.trace_digest, row.entry.contributor) for row in rows} == {
        (f"0x{number}", who) for number in range(40) for who in ("0xAda", "0xBob")
    }
