"""Turns: no more at once than there are seats, and a dead process has none."""

import threading
from contextlib import ExitStack, closing

import pytest

from telefine_assets.ledger import turns
from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.turns import TurnGivenUp, turn
from telefine_assets_tests.ledger.stranger import Stranger
from telefine_assets_tests.ledger.workers import workers


def nothing(_said):
    raise AssertionError("there was nothing to say")


@pytest.fixture
def nobody_naps(monkeypatch):
    """Waiting, for whoever must not have to, ends the test."""

    def refuse(_seconds):
        raise AssertionError("it waited")

    monkeypatch.setattr(turns, "sleep", refuse)


@pytest.mark.usefixtures("nobody_naps")
def test_a_turn_that_ended_is_free_again(ledger):
    for _ in range(3):
        with turn(ledger, "cleaning", 1, nothing):
            pass


@pytest.mark.usefixtures("nobody_naps")
def test_a_turn_whose_block_failed_is_free_again(ledger):
    with pytest.raises(RuntimeError, match="failed"), turn(ledger, "cleaning", 1, nothing):
        raise RuntimeError("failed")
    with turn(ledger, "cleaning", 1, nothing):
        pass


@pytest.mark.usefixtures("nobody_naps")
@pytest.mark.parametrize("other", ["cleaning.0", "Cleaning", "../cleaning", "cleaning/0", "", "x" * 60, "größe %"])
def test_things_of_another_name_do_not_wait_for_each_other(ledger, other):
    with turn(ledger, "cleaning", 1, nothing), turn(ledger, other, 1, nothing):
        pass


@pytest.mark.usefixtures("nobody_naps")
def test_whoever_holds_a_turn_can_write_to_the_ledger(ledger):
    with turn(ledger, "cleaning", 1, nothing), ledger.writing():
        pass


@pytest.mark.parametrize("seats", [0, -1])
def test_there_must_be_a_seat(ledger, seats):
    with pytest.raises(ValueError, match=f"turns at 'cleaning': seats = {seats}: must be at least 1"):
        turn(ledger, "cleaning", seats, nothing).__enter__()


@pytest.mark.parametrize("seats", [1, 2, 3])
def test_one_more_thread_than_there_are_seats_waits_until_one_is_free(ledger, monkeypatch, seats):
    said, came_in, naps = [], threading.Event(), threading.Semaphore(0)
    monkeypatch.setattr(turns, "sleep", lambda _seconds: naps.release())

    def come_in():
        with turn(ledger, "asking", seats, said.append):
            came_in.set()

    waiter = threading.Thread(target=come_in, daemon=True)
    with ExitStack() as held:
        for _ in range(seats):
            held.enter_context(turn(ledger, "asking", seats, nothing))
        waiter.start()
        for _ in range(3):
            assert naps.acquire(timeout=30)
        assert not came_in.is_set()
    waiter.join(30)
    assert came_in.is_set()
    assert len(said) == 1


def test_another_process_waits_says_once_for_whom_and_goes_on_when_the_turn_ends(url):
    with workers(("hold", url, "cleaning", "1")) as (holder,):
        assert holder.heard() == "in"
        with workers(("hold", url, "cleaning", "1")) as (waiter,):
            assert f"a turn at 'cleaning', which process {holder.process.pid} on " in waiter.heard()
            holder.tell()
            assert holder.heard() == "out"
            assert waiter.heard() == "in"


def test_the_turn_of_a_process_that_is_killed_goes_to_the_one_that_waits(url):
    with workers(("hold", url, "cleaning", "1")) as (holder,):
        assert holder.heard() == "in"
        with workers(("hold", url, "cleaning", "1")) as (waiter,):
            assert "waiting" in waiter.heard()
            holder.process.kill()
            assert waiter.heard() == "in"


def test_two_seats_let_two_processes_in_and_no_third(ledger, url):
    with workers(*[("hold", url, "asking", "2")] * 2) as two:
        assert [each.heard() for each in two] == ["in", "in"]
        with pytest.raises(KeyboardInterrupt), turn(ledger, "asking", 2, interrupt):
            raise AssertionError("a third came in")
        two[1].process.kill()
        with turn(ledger, "asking", 2, lambda _: None):
            pass


def interrupt(said):
    assert said.count("process ") == 2
    raise KeyboardInterrupt


def test_waiting_can_be_stopped_and_leaves_nothing_behind(ledger, monkeypatch):
    def stop(_seconds):
        raise KeyboardInterrupt

    with turn(ledger, "cleaning", 1, nothing), monkeypatch.context() as patched:
        patched.setattr(turns, "sleep", stop)
        with pytest.raises(KeyboardInterrupt), turn(ledger, "cleaning", 1, lambda _: None):
            raise AssertionError("a second came in")
    with turn(ledger, "cleaning", 1, nothing):
        pass


def test_who_is_told_to_stop_waits_no_longer(ledger, monkeypatch):
    stop = threading.Event()
    monkeypatch.setattr(turns, "sleep", lambda _seconds: stop.set())
    refused = pytest.raises(TurnGivenUp, match="'cleaning'")
    with turn(ledger, "cleaning", 1, nothing), refused, turn(ledger, "cleaning", 1, lambda _: None, stop):
        raise AssertionError("a second came in")
    with turn(ledger, "cleaning", 1, nothing, stop):
        pass


def test_a_ledger_in_memory_has_no_turns():
    with closing(Ledger("sqlite:///:memory:")) as ledger, pytest.raises(LedgerError, match="one in memory"):
        turn(ledger, "cleaning", 1, nothing).__enter__()


def test_files_stand_beside_the_ledgers_and_stay_there(tmp_path):
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger, turn(ledger, "a/b", 1, nothing):
        pass
    assert [path.name for path in (tmp_path / "turns").iterdir()] == ["a%2Fb.0.lock"]


def test_a_turn_that_the_database_took_away_is_told(postgres):
    name = postgres.create(postgres.with_tables)
    said = []
    with ExitStack() as opened:
        opened.callback(postgres.drop, name)
        ledger = opened.enter_context(closing(Ledger(postgres.url(name))))
        stranger = opened.enter_context(closing(Stranger(postgres.url(name))))
        with turn(ledger, "cleaning", 1, said.append):
            query = (
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'process %'"
            )
            assert stranger.run(query).scalar_one() == 1
        assert len(said) == 1
        assert "the connection for turns at 'cleaning' was lost" in said[0]
        with turn(ledger, "cleaning", 1, nothing):
            pass


def test_who_loses_the_connection_while_waiting_goes_on_waiting(postgres, monkeypatch):
    name = postgres.create(postgres.with_tables)
    said = []
    with ExitStack() as opened:
        opened.callback(postgres.drop, name)
        waiting = opened.enter_context(closing(Ledger(postgres.url(name))))
        holding = opened.enter_context(closing(Ledger(postgres.url(name))))
        stranger = opened.enter_context(closing(Stranger(postgres.url(name))))
        held = opened.enter_context(ExitStack())
        held.enter_context(turn(holding, "cleaning", 1, nothing))
        holder = stranger.run("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2").scalar_one()
        naps = []

        def nap(_seconds):
            """At the first nap the waiter's session is cut; at the second the holder has done."""
            naps.append(len(said))
            if len(naps) == 1:
                others = f"application_name LIKE 'process %' AND pid <> {holder}"
                query = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}"
                assert stranger.run(query).scalar_one() == 1
            else:
                held.close()

        monkeypatch.setattr(turns, "sleep", nap)
        with turn(waiting, "cleaning", 1, said.append):
            assert naps == [1, 2]
        assert "waiting for a turn at 'cleaning': the connection was lost" in said[1]
