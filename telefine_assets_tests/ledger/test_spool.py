"""The spool: what was answered stays, nothing is taken in twice, and one bad trace holds nobody up."""

from contextlib import closing
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.spool import KeyReused, Spool
from telefine_assets.ledger.spool_records import Lag, Outcome
from telefine_assets.ledger.submissions import Submissions
from telefine_assets_tests.ledger.spooling import batch, names, offer, sha
from telefine_assets_tests.ledger.workers import submission, workers

ALL = 2**31


@pytest.fixture
def spool(ledger):
    return Spool(ledger)


def outcomes(verdicts):
    return [each.outcome for each in verdicts]


def waiting(spool, program="tickets"):
    return names(spool.waiting(program, ALL))


def test_traces_wait_in_the_order_in_which_they_came_each_program_by_itself(spool):
    spool.accept(batch(offer("b"), offer("a")), 5)
    spool.accept(batch(offer("x"), program="refunds"), 6)
    spool.accept(batch(offer("c")), 7)
    found = spool.waiting("tickets", ALL)
    assert names(found) == [sha("b"), sha("a"), sha("c")]
    assert [(row.position, row.received_ms, row.submitter) for row in found] == [
        (0, 5, "ada"), (1, 5, "ada"), (2, 7, "ada"),
    ]  # fmt: skip
    assert found[0].body == offer("b").body
    assert (waiting(spool, "refunds"), spool.programs()) == ([sha("x")], ["refunds", "tickets"])
    assert names(spool.waiting("tickets", 2)) == [sha("b"), sha("a")]


def test_the_same_key_with_the_same_batch_is_answered_the_same(spool):
    spool.accept(batch(offer("a")), 1)
    first = spool.accept(batch(offer("a"), offer("b"), key="k"), 2)
    assert outcomes(first) == [Outcome.DUPLICATE, Outcome.ACCEPTED]
    again = batch(offer("a"), offer("b"), key="k")
    assert spool.accept(again, 3) == spool.answered("ada", "k", again.digest) == first
    assert waiting(spool) == [sha("a"), sha("b")]
    assert spool.answered("bob", "k", again.digest) is None


def test_the_same_key_with_another_batch_is_refused_and_adds_nothing(spool):
    spool.accept(batch(offer("a"), key="k"), 1)
    for other in (batch(offer("b"), key="k"), batch(offer("a"), key="k", program="refunds")):
        with pytest.raises(KeyReused, match="'k' was used for another batch"):
            spool.accept(other, 2)
        with pytest.raises(KeyReused):
            spool.answered("ada", "k", other.digest)
    assert (waiting(spool), waiting(spool, "refunds")) == ([sha("a")], [])
    assert outcomes(spool.accept(batch(offer("b"), key="k", by="bob"), 3)) == [Outcome.ACCEPTED]


def test_a_trace_is_taken_in_once_and_another_under_its_id_not_at_all(spool):
    first = spool.accept(batch(offer("a"), offer("a"), offer("a", "other"), offer("b", refused="bad: because")), 1)
    assert outcomes(first) == [Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.CONFLICT, Outcome.REFUSED]
    assert [each.reason for each in first[:2]] == [None, None]
    assert "id" in str(first[2].reason)
    assert first[3].reason == "bad: because"
    assert outcomes(spool.accept(batch(offer("a"), offer("a", "other")), 2)) == [Outcome.DUPLICATE, Outcome.CONFLICT]
    assert waiting(spool) == [sha("a")]


def test_submissions_are_logged_with_the_traces_that_they_came_with(spool, ledger):
    signed = offer("a", submission=submission(1))
    verdicts = spool.accept(
        batch(
            signed,
            offer("b", submission=submission(2)),
            offer("refused", submission=submission(3), refused="no"),
            offer("again", submission=submission(1, salt="0x5b")),
            offer("plain"),
        ),
        7,
    )
    assert [each.place for each in verdicts] == [0, 1, None, 0, None]
    rows = Submissions(ledger).rows()
    assert [(row.position, row.received_ms, row.entry) for row in rows] == [
        (0, 7, submission(1)),
        (1, 7, submission(2)),
    ]
    assert [each.place for each in spool.accept(batch(signed), 8)] == [0]
    assert Submissions(ledger).rows() == rows


def test_what_is_done_with_waits_no_more_and_what_is_refused_holds_nobody_up(spool):
    spool.accept(batch(*(offer(f"{number}") for number in range(6))), 10)
    assert spool.lag("tickets") == Lag(6, 6, 10, 0)
    spool.drained("tickets", 2, {1: "too odd"}, 20)
    assert waiting(spool) == [sha("3"), sha("4"), sha("5")]
    assert spool.lag("tickets") == Lag(6, 3, 10, 1, 20)
    [aside] = spool.refused("tickets")
    assert (aside.trace.identity, aside.reason, aside.at_ms) == (sha("1"), "too odd", 20)
    spool.drained("tickets", 5, {}, 30)
    assert spool.lag("tickets") == Lag(6, 0, None, 1, 30)
    spool.replayed("tickets", [1], 40)
    spool.replayed("tickets", [1], 41)
    assert (spool.refused("tickets"), spool.lag("tickets")) == ([], Lag(6, 0, None, 0, 30))
    assert spool.lag("refunds") == Lag(0, 0, None, 0)


def test_only_what_waits_long_while_nothing_is_written_stands_still():
    assert not Lag(9, 0, None, 0, 1).stands_still(10**9, 60)
    assert not Lag(9, 5, 0, 0).stands_still(60_000, 60)
    assert Lag(9, 5, 0, 0).stands_still(60_001, 60)
    assert not Lag(9, 5, 0, 0, 30_000).stands_still(90_000, 60)
    assert Lag(9, 5, 0, 0, 30_000).stands_still(90_001, 60)


def test_what_was_marked_by_a_clock_that_ran_ahead_hides_nothing():
    assert Lag(9, 5, 0, 0, 90_002).stands_still(90_001, 60)


def test_marks_that_come_late_or_twice_change_nothing(spool):
    spool.accept(batch(*(offer(f"{number}") for number in range(4))), 1)
    spool.drained("tickets", 2, {0: "odd"}, 2)
    spool.drained("tickets", 2, {0: "odd", 1: "odd too"}, 3)
    spool.drained("tickets", 1, {1: "odd too"}, 4)
    assert (waiting(spool), len(spool.refused("tickets"))) == ([sha("3")], 1)


EXAMPLES = count()
TRACES = st.tuples(st.integers(0, 5), st.sampled_from(["", "other"]))
BATCHES = st.lists(st.tuples(st.sampled_from(["k", "l", None]), st.lists(TRACES, min_size=1, max_size=4)), max_size=6)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BATCHES)
def test_whatever_is_sent_again_each_identity_is_taken_in_once_as_it_came_first(spool, sent):
    example, answers, firsts = next(EXAMPLES), {}, {}
    for key, traces in sent * 2:
        offers = [offer(f"{example} {number}", says) for number, says in traces]
        delivery = batch(*offers, key=key and f"{example} {key}", program=f"p{example}")
        if key in answers and answers[key][0] != delivery.digest:
            with pytest.raises(KeyReused):
                spool.accept(delivery, 1)
            continue
        verdicts = spool.accept(delivery, 1)
        assert verdicts == (answers[key][1] if key in answers else verdicts)
        if key is not None:
            answers.setdefault(key, (delivery.digest, verdicts))
        for each in offers:
            firsts.setdefault(each.identity, each.body)
    assert {row.identity: row.body for row in spool.waiting(f"p{example}", ALL)} == firsts
    assert [row.position for row in spool.waiting(f"p{example}", ALL)] == list(range(len(firsts)))


def order(what, *arguments):
    """An order for a worker that is in ``spooling``."""
    return ("elsewhere", "telefine_assets_tests.ledger.spooling", what, *arguments)


def test_a_process_that_is_killed_right_after_its_answer_loses_nothing(ledger, url):
    orders = [order("accept_and_wait", url, str(first), "50", f"key {first}") for first in (0, 25)]
    answers = []
    for each in orders:
        with workers(each) as [worker]:
            answers.append(worker.heard())
            worker.process.kill()
    with closing(Ledger(url)) as opened:
        spool = Spool(opened)
        assert waiting(spool) == [sha(f"trace {number}") for number in range(75)]
        for identity, outcome in (pair for answer in answers for pair in answer):
            assert outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE)
            assert identity in waiting(spool)
        sent_again = batch(*(offer(f"trace {number}") for number in range(25, 75)), key="key 25")
        assert [[each.identity, each.outcome] for each in spool.accept(sent_again, 9)] == answers[1]


def test_a_process_that_is_killed_before_its_answer_leaves_nothing(spool, url):
    with workers(order("never_commit", url)) as [worker]:
        assert worker.heard() == "written"
        worker.process.kill()
    assert waiting(spool) == []
    assert outcomes(spool.accept(batch(offer("lost")), 1)) == [Outcome.ACCEPTED]


def test_processes_at_once_take_each_trace_in_once(spool, url):
    with workers(*(order("accept_when_told", url, by, "20") for by in ("ada", "bob"))) as running:
        for each in running:
            assert each.heard() == "ready"
        for each in running:
            each.tell()
        said = [outcome for each in running for outcome in each.heard()]
    assert (said.count(Outcome.ACCEPTED), said.count(Outcome.DUPLICATE)) == (100, 300)
    assert [row.position for row in spool.waiting("tickets", ALL)] == list(range(100))
    assert len(set(waiting(spool))) == 100
