"""What answers took: as measured when each was first asked for, so that a rerun gives the same numbers."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import dspy
import pytest
from dspy.utils.exceptions import LMError

from telefine_assets.lm.budget import Budget
from telefine_assets.lm.opening import open_lm
from telefine_assets_tests.knn_lm import lm_settings
from telefine_assets_tests.lm.opened import Clock, ask, journaled

PRICE = {"input_per_million": "1", "output_per_million": "100"}


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def slow(knn, clock, seconds):
    """Make every answer take so long by the clock."""
    knn.instead = lambda prompt: clock.sleep(seconds)


def measured(lm, *texts):
    with lm.measuring() as bill:
        for text in texts:
            ask(lm, text)
    return bill.measures()


def test_a_remembered_answer_took_what_it_took_when_it_was_first_asked_for(url, knn):
    clock = Clock()
    slow(knn, clock, 0.037)
    with journaled(url, knn, Budget(clock=clock), price=PRICE) as lm:
        fresh = measured(lm, "the invoice")
        tokens, cost = lm.spent.tokens, lm.spent.cost_micros
    assert fresh == {"latency_ms": 37, "tokens": tokens, "cost_micros": cost}
    slow(knn, clock, 5.0)
    with journaled(url, knn, Budget(clock=clock), price=PRICE) as lm:
        assert measured(lm, "the invoice") == fresh
        assert measured(lm, "the invoice", "the invoice") == {name: 2 * value for name, value in fresh.items()}
        assert lm.spent.cost_micros == 0
    assert knn.calls == 1


def test_neither_failed_attempts_nor_waiting_are_time_of_the_model(url, knn):
    clock, attempts = Clock(), []
    slow(knn, clock, 0.037)

    def refuses(prompt):
        attempts.append(prompt)
        clock.sleep(3.0 if len(attempts) < 3 else 0.0)
        return len(attempts) < 3

    knn.refuses = refuses
    with journaled(url, knn, Budget(clock=clock, sleep=clock.sleep), calls_per_minute=1) as lm:
        assert measured(lm, "the invoice")["latency_ms"] == 37
    assert len(attempts) == 3
    assert clock.now > 100 + 2 * 60


def test_what_is_not_known_of_one_answer_is_not_known_of_the_sum(url, knn):
    knn.usage = False
    with journaled(url, knn, price=PRICE) as lm:
        assert measured(lm, "the invoice").keys() == {"latency_ms"}
        knn.usage = True
        assert measured(lm, "the password").keys() == {"latency_ms", "tokens", "cost_micros"}
        assert measured(lm, "the invoice", "the password").keys() == {"latency_ms"}
    with journaled(url, knn, model="openai/another") as lm:
        assert measured(lm, "the password").keys() == {"latency_ms", "tokens"}


def test_of_a_question_without_an_answer_nothing_is_known(url, knn):
    with journaled(url, knn, num_retries=0) as lm, lm.measuring() as bill:
        ask(lm, "the invoice")
        knn.refuses = lambda prompt: True
        with suppress(LMError):
            ask(lm, "the password")
        assert bill.measures() == {}


def test_who_asks_nothing_takes_nothing_and_what_is_asked_elsewhere_is_not_counted(url, knn):
    with journaled(url, knn) as lm:
        with lm.measuring() as bill:
            pass
        ask(lm, "the invoice")
        assert bill.measures() == {"latency_ms": 0, "tokens": 0, "cost_micros": 0}


def test_without_a_journal_answers_are_measured_too(knn):
    clock = Clock()
    slow(knn, clock, 0.037)
    with open_lm(lm_settings(knn, price=PRICE), budget=Budget(clock=clock)) as lm:
        took = measured(lm, "the invoice")
        assert took == {"latency_ms": 37, "tokens": lm.spent.tokens, "cost_micros": lm.spent.cost_micros}


def test_threads_that_dspy_starts_are_counted_and_each_block_by_itself(url, knn):
    texts = [f"ticket {number}" + " please" * number for number in range(4)]

    def parallel(lm):
        predict = dspy.Predict("ticket -> team")
        with lm.context(), lm.measuring() as bill:
            parallel = dspy.Parallel(num_threads=4, disable_progress_bar=True)
            parallel([(predict, dspy.Example(ticket=text).with_inputs("ticket")) for text in texts])
        return bill.measures()

    with journaled(url, knn, price=PRICE) as lm, ThreadPoolExecutor(2) as pool:
        one, other = pool.map(parallel, [lm, lm])
        assert one == other
        assert one["tokens"] == lm.spent.tokens
    assert knn.calls == 4
