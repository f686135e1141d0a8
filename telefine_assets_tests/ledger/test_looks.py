"""Looks: every one is counted, none twice, and a holdout that paid off is never looked at again."""

import pytest

from telefine_assets.ledger.connection import LedgerError
from telefine_assets.ledger.looks import Looks
from telefine_assets_tests.ledger.workers import intend, request, take, workers


@pytest.fixture
def looks(ledger):
    return Looks(ledger)


def test_looks_of_an_epoch_are_counted_from_one(looks):
    assert [(look.epoch, look.k) for look in (take(looks, "a"), take(looks, "b"), take(looks, "c"))] == [
        (1, 1),
        (1, 2),
        (1, 3),
    ]


def test_programs_count_for_themselves(looks):
    take(looks, "a", "tickets")
    assert take(looks, "b", "reviews").k == 1


def test_the_same_look_is_never_counted_twice(looks):
    first = take(looks, "a")
    take(looks, "b")
    assert take(looks, "a") == first
    assert take(looks, "c").k == 3


def test_the_same_look_over_other_items_is_refused(looks):
    take(looks, "a")
    with pytest.raises(LedgerError, match=r"the look of 2026-11-02 was recorded over other holdout items"):
        looks.record(request("a"), 1, "other items")


def test_concluding_the_same_twice_is_once(looks):
    take(looks, "a")
    looks.conclude("a", False, "report")
    looks.conclude("a", False, "report")
    assert looks.epoch("tickets", "b")[0] == 1


@pytest.mark.parametrize("other", [(True, "report"), (False, "other report")])
def test_another_outcome_of_the_same_look_is_refused(looks, other):
    take(looks, "a")
    looks.conclude("a", False, "report")
    with pytest.raises(LedgerError, match=r"look a already ended otherwise \(report report\)"):
        looks.conclude("a", *other)
    assert looks.epoch("tickets", "b") == (1, [])


def test_a_look_that_nobody_took_has_no_outcome(looks):
    with pytest.raises(LedgerError, match="has no number"):
        looks.conclude("a", True, "report")
    intend(looks, "a")
    with pytest.raises(LedgerError, match="has no number"):
        looks.conclude("a", True, "report")


def test_what_nobody_recorded_cannot_be_scored(looks):
    with pytest.raises(LedgerError, match="never recorded"):
        looks.begin("a", 1)


def test_a_look_that_was_never_scored_uses_up_no_number(looks):
    assert intend(looks, "a").k is None
    assert looks.next_k("tickets", 1) == 1
    assert take(looks, "b").k == 1
    assert intend(looks, "a").k is None
    assert (take(looks, "a").k, intend(looks, "a").k, looks.next_k("tickets", 1)) == (2, 2, 3)


def test_what_was_never_scored_does_not_retire(looks):
    intend(looks, "a")
    take(looks, "b")
    looks.conclude("b", True, "report")
    assert looks.epoch("tickets", "c") == (2, ["items-b"])


def test_a_look_that_was_never_scored_goes_on_in_the_next_epoch(looks):
    intend(looks, "a")
    take(looks, "b")
    looks.conclude("b", True, "report")
    with pytest.raises(LedgerError, match="the holdout rotated while 2026-11-02 was prepared; run it again"):
        looks.begin("a", 1)
    again = looks.record(request("a"), 2, "fresh items")
    assert (again.epoch, again.item_list, looks.begin("a", 2).k) == (2, "fresh items", 1)


def test_the_history_says_pass_or_fail_and_no_more(looks):
    take(looks, "a")
    looks.conclude("a", False, "report")
    take(looks, "b")
    intend(looks, "never scored")
    assert looks.history("tickets", "b") == [
        {"k": 1, "day": "2026-11-02", "candidate": "candidate-a", "reached": False},
        {"k": 2, "day": "2026-11-02", "candidate": "candidate-b", "reached": None},
    ]
    looks.conclude("b", True, "report")
    assert looks.history("tickets", "a")[0]["reached"] is False
    assert looks.history("tickets", "b")[1]["reached"] is True


def test_a_look_that_did_not_reach_leaves_the_epoch_open(looks):
    take(looks, "a")
    looks.conclude("a", False, "report")
    assert (take(looks, "b").epoch, take(looks, "b").k) == (1, 2)


def test_reaching_retires_every_item_that_was_looked_at_and_counts_from_one_again(looks):
    take(looks, "a")
    take(looks, "b")
    looks.conclude("b", True, "report")
    assert looks.epoch("tickets", "c") == (2, ["items-a", "items-b"])
    look = take(looks, "c")
    assert (look.epoch, look.k) == (2, 1)


def test_items_stay_retired_in_all_later_epochs(looks):
    for number, key in enumerate("abc", start=1):
        assert take(looks, key).epoch == number
        looks.conclude(key, True, "report")
    assert looks.epoch("tickets", "d") == (4, ["items-a", "items-b", "items-c"])


def test_another_programs_success_retires_nothing_here(looks):
    take(looks, "a", "reviews")
    looks.conclude("a", True, "report")
    assert looks.epoch("tickets", "b") == (1, [])


def test_a_recorded_look_keeps_its_epoch_and_its_items(looks):
    take(looks, "a")
    first = take(looks, "b")
    looks.conclude("b", True, "report")
    take(looks, "c")
    assert looks.epoch("tickets", "b") == (1, [])
    assert take(looks, "b") == first


def test_a_run_that_prepared_before_the_rotation_must_run_again(looks):
    stale, _ = looks.epoch("tickets", "b")
    take(looks, "a")
    looks.conclude("a", True, "report")
    with pytest.raises(LedgerError, match=r"tickets: the holdout rotated while 2026-11-02 was prepared; run it again"):
        looks.record(request("b"), stale, "items-b")
    assert take(looks, "b").epoch == 2


def test_the_extract_holds_the_looks_up_to_this_one_and_never_changes(looks):
    take(looks, "a")
    take(looks, "b")
    extract = looks.extract("tickets", "b")
    assert [(row["look_key"], row["k"], row["candidate"], row["item_list"]) for row in extract] == [
        ("a", 1, "candidate-a", "items-a"),
        ("b", 2, "candidate-b", "items-b"),
    ]
    take(looks, "other", "reviews")
    take(looks, "c")
    looks.conclude("b", True, "report")
    take(looks, "d")
    assert looks.extract("tickets", "b") == extract
    assert [row["look_key"] for row in looks.extract("tickets", "d")] == ["d"]


# Other processes


def test_processes_that_look_at_once_share_no_number_and_leave_none_out(looks, url):
    orders = [[f"key {(7 * number + 3 * at) % 16}" for number in range(10)] for at in range(4)]
    with workers(*[("look", url, *keys) for keys in orders]) as four:
        for each in four:
            assert each.heard() == "ready"
        for each in four:
            each.tell()
        counted = {
            pair for keys, each in zip(orders, four, strict=True) for pair in zip(keys, each.heard(), strict=True)
        }
        assert [each.ended() for each in four] == [0, 0, 0, 0]
    numbers = dict(counted)
    assert len(counted) == len(numbers), "a look has the same number wherever it is taken"
    assert sorted(numbers.values()) == list(range(1, 17))
    assert {key: looks.number(key) for key in numbers} == numbers


def test_a_look_whose_process_was_killed_before_it_scored_gives_way_to_whichever_is_next(looks, url):
    with workers(("only_record", url, "a")) as (killed,):
        assert killed.heard() == "recorded"
    assert take(looks, "b").k == 1
    assert take(looks, "a").k == 2


def test_a_look_whose_process_was_killed_while_it_scored_keeps_its_number(looks, url):
    with workers(("only_begin", url, "a")) as (killed,):
        assert killed.heard() == 1
    assert take(looks, "b").k == 2
    assert take(looks, "a").k == 1


def test_a_process_that_is_killed_while_it_writes_wrote_nothing_and_keeps_nobody_waiting(looks, url):
    with workers(("never_commit", url, "a")) as (killed,):
        assert killed.heard() == "written"
    assert take(looks, "b").k == 1
    assert looks.number("a") is None
