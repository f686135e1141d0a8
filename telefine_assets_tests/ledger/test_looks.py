"""Looks: every one is counted, none twice, and a holdout that paid off is never looked at again."""

from multiprocessing import get_context

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.looks import Looks
from telefine_assets.ledger.records import LookRequest


@pytest.fixture
def looks(ledger):
    return Looks(ledger)


def request(key: str, program: str = "tickets", day: str = "2026-11-02") -> LookRequest:
    return LookRequest(program, day, "baseline", f"candidate-{key}", "exact_match", "0.05", key)


def take(looks: Looks, key: str, program: str = "tickets"):
    """A look as a run takes it: ask for the epoch, record, and begin to score."""
    looks.record(request(key, program), epoch := looks.epoch(program, key)[0], f"items-{key}")
    return looks.begin(key, epoch)


def intend(looks: Looks, key: str, program: str = "tickets"):
    """A look that comes as far as its record."""
    return looks.record(request(key, program), looks.epoch(program, key)[0], f"items-{key}")


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


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 7), st.booleans()), max_size=14))
def test_whatever_happens_k_has_no_gap_and_items_are_never_seen_in_two_epochs(tmp_path_factory, steps):
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('looks')}/ledger.db")
    looks = Looks(ledger)
    taken, ended = {}, set()
    for number, reached in steps:
        key = f"key{number}"
        taken.setdefault(key, take(looks, key))
        assert take(looks, key) == taken[key]
        if key not in ended:
            looks.conclude(key, reached, "report")
            ended.add(key)
    for epoch in {look.epoch for look in taken.values()}:
        counted = sorted(look.k for look in taken.values() if look.epoch == epoch)
        assert counted == list(range(1, len(counted) + 1))
        newest = next(key for key, look in taken.items() if look.epoch == epoch)
        retired = set(looks.epoch("tickets", newest)[1])
        assert retired == {look.item_list for look in taken.values() if look.epoch < epoch}
    ledger.close()


def look_ten_times(url: str, name: str, barrier, results) -> None:
    """What one process does: open the ledger, wait for the other, and look."""
    barrier.wait(30)
    looks = Looks(Ledger(url))
    results.put([take(looks, f"{name}{number}").k for number in range(10)])


def test_two_processes_that_look_at_once_never_share_a_number(url):
    context = get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    processes = [context.Process(target=look_ten_times, args=(url, name, barrier, results)) for name in "ab"]
    for process in processes:
        process.start()
    counted = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(counted[0] + counted[1]) == list(range(1, 21))
    assert all(each == sorted(each) for each in counted)
