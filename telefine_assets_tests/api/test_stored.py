"""What many ask for at once is made once, and whoever fails to make it holds nobody up."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from telefine_assets.api.stored import Kept
from telefine_assets_tests.api.served import Served
from telefine_assets_tests.cli.attested_home import SIGNER

MANY = 8


def at_once(ask):
    """What each of many gets who ask at the same time."""
    barrier = Barrier(MANY)

    def one(number):
        barrier.wait(10)
        return ask(number)

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(one, range(MANY), timeout=20))


def test_equal_askers_at_once_have_it_made_once():
    kept, made, never = Kept(10), [], Event()

    def make():
        made.append(1)
        never.wait(0.1)
        return len(made)

    assert at_once(lambda _: kept.get("a", 1, make)) == [1] * MANY
    assert not kept._making


def test_askers_for_different_things_do_not_wait_for_each_other():
    kept, together = Kept(10), Barrier(MANY)
    assert sorted(at_once(lambda number: kept.get(number, 1, lambda: together.wait(10)))) == list(range(MANY))


def test_what_is_made_of_other_things_asks_for_them():
    kept = Kept(10)
    names = ["page", "log", "leaves"]

    def make(left):
        return kept.get(left[0], 1, lambda: [left[0], *(make(left[1:]) if left[1:] else [])])

    found = at_once(lambda number: make(names[number % 3 :]))
    assert found == [names[number % 3 :] for number in range(MANY)]


def test_who_fails_holds_nobody_up_and_the_next_tries_again():
    kept, tries = Kept(10), []

    def fails():
        tries.append(1)
        raise KeyError("broken")

    def ask(_):
        with pytest.raises(KeyError):
            kept.get("a", 1, fails)

    at_once(ask)
    assert len(tries) == MANY
    assert kept.get("a", 1, lambda: "made") == "made"
    assert not kept._making


def test_what_is_not_worth_it_is_not_kept():
    kept, made = Kept(10), []
    for number in (1, 2, 2):
        kept.get(number, 1, lambda number=number: made.append(number) or number, worth=lambda found: found == 2)
    assert made == [1, 2]
    assert list(kept._kept) == [2]


class Slow:
    """A signer that takes its time, and counts."""

    address = SIGNER.address

    def __init__(self):
        self.signed = 0

    def sign_typed_data(self, message):
        self.signed += 1
        Event().wait(0.05)
        return SIGNER.sign_typed_data(message)


def test_many_strangers_have_the_log_signed_once(paid):
    served, signer = Served(paid.settings), Slow()
    served.here._open_signer = lambda: signer
    assert at_once(lambda _: served.get("/v1/log").status_code) == [200] * MANY
    assert signer.signed == 1
