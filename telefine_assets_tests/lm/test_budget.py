"""Caps that hold, counts that sum, and errors that DSPy cannot swallow."""

from concurrent.futures import ThreadPoolExecutor

import dspy
import pytest
from dspy.utils.exceptions import LMError
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.lm import asking
from telefine_assets.lm.budget import Budget, BudgetSpent, BudgetUnknown, DeadlinePassed, Meter, Spent, Unreachable
from telefine_assets.lm.opening import open_lm
from telefine_assets.settings.lm import BudgetSettings
from telefine_assets_tests.knn_lm import knn_lm, lm_settings
from telefine_assets_tests.lm.opened import Clock, ask, journaled
from telefine_assets_tests.programs.tickets import build, tickets

PRICE = {"input_per_million": "0.15", "output_per_million": "1000"}


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def ask_all(lm, count, threads=8):
    """Ask different tickets from several threads; how many were answered."""

    def one(row):
        try:
            return bool(ask(lm, row[0]))
        except LMError:
            return False

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(one, tickets(count)))


def test_the_cap_in_calls_is_exact_for_many_threads(url, knn):
    with journaled(url, knn, {"max_calls": 23}) as lm:
        assert ask_all(lm, 40) == knn.calls == lm.spent.calls == 23
        for _ in range(2):  # it stays spent
            with pytest.raises(BudgetSpent, match=r"23 .*compile\.budget\.max_calls.*asks nothing twice"):
                lm.check()
        assert ask_all(lm, 40) == 23, "a question that was refused is refused again"
    with journaled(url, knn, {"max_calls": 40}) as lm:
        assert ask_all(lm, 40) == 40
        assert (lm.spent.calls, lm.spent.remembered) == (17, 23), "with a higher cap nothing is asked twice"
        lm.check()


def test_a_capped_run_that_is_started_again_ends_where_it_ended(url, knn):
    def answered():
        with journaled(url, knn, {"max_calls": 9}) as lm:
            return [ask_all(lm, count, threads=1) for count in (6, 12)]

    assert answered() == answered() == [6, 9]
    assert knn.calls == 9


def test_no_call_starts_once_the_tokens_are_used(url, knn):
    with journaled(url, knn) as lm:
        ask(lm)
        one = lm.spent.tokens
    assert one > 10
    with journaled(url, knn, {"max_tokens": 3 * one}) as lm:
        answered = ask_all(lm, 20, threads=1)
        assert answered == lm.spent.calls < 20
        assert 3 * one <= lm.spent.tokens < 5 * one
        with pytest.raises(BudgetSpent, match="max_tokens"):
            lm.check()


def test_money_is_counted_by_ones_own_price_and_capped(url, knn):
    with journaled(url, knn, {"max_cost": "0.0025"}, price=PRICE) as lm:
        assert ask_all(lm, 20, threads=1) == lm.spent.calls
        # One token out costs 1000 micro-dollars; what goes in is rounded up by call.
        assert lm.spent.cost_micros == sum(1000 + -(-len(prompt.split()) * 15 // 100) for prompt in knn.prompts)
        assert knn.calls == 3
        with pytest.raises(BudgetSpent, match=r"0\.0025 US dollars.*max_cost"):
            lm.check()


def test_a_cap_in_money_without_a_price_is_refused_at_once(knn):
    budget = Budget(BudgetSettings(max_cost="1"))
    with pytest.raises(BudgetUnknown, match=r"nearest-demos.*lm\.price"), open_lm(lm_settings(knn), None, budget):
        pass
    with open_lm(lm_settings(knn, model="openai/gpt-4o-mini"), None, budget):  # DSPy's list has it
        pass


def test_dspys_price_list_is_used_when_the_settings_have_none(url, knn):
    with journaled(url, knn, {"max_cost": "1"}, model="openai/gpt-4o-mini") as lm:
        ask(lm)
        assert 0 < lm.spent.cost_micros < 1000
    with journaled(url, knn) as lm:
        ask(lm)
        assert lm.spent.cost_micros is None


@pytest.mark.parametrize(("cap", "price"), [({"max_tokens": 1000}, None), ({"max_cost": "1"}, PRICE)])
def test_a_model_that_does_not_tell_its_usage_stops_a_cap_that_needs_it(url, knn, cap, price):
    knn.usage = False
    with journaled(url, knn, cap, price=price) as lm:
        ask(lm, "the invoice")
        with pytest.raises(LMError):
            ask(lm, "the password")
        with pytest.raises(BudgetUnknown, match="max_calls instead"):
            lm.check()
        assert lm.spent.tokens is None
    assert knn.calls == 1


def test_models_share_a_budget(url, knn):
    budget = Budget(BudgetSettings(max_calls=3))
    with journaled(url, knn, budget) as lm, journaled(url, knn, budget, temperature=0.7) as teacher:
        ask(lm)
        ask(teacher)
        ask(lm, "another")
        with pytest.raises(LMError):
            ask(teacher, "another")
        assert (lm.spent.calls, teacher.spent.calls, budget.spent.calls) == (2, 1, 3)
        for each in (lm, teacher):
            with pytest.raises(BudgetSpent):
                each.check()


def test_after_the_deadline_no_call_starts_and_answers_are_still_remembered(url, knn):
    clock = Clock()
    budget = Budget(BudgetSettings(max_seconds=60), clock, clock.sleep)
    with journaled(url, knn, budget) as lm:
        ask(lm, "the invoice")
        clock.now += 61
        ask(lm, "the invoice")
        lm.check()
        with pytest.raises(LMError):
            ask(lm, "the password")
        for _ in range(2):
            with pytest.raises(DeadlinePassed, match="max_seconds"):
                lm.check()
    assert knn.calls == 1


def test_the_deadline_ends_the_waiting_between_attempts(url, knn):
    clock = Clock()
    knn.always = (429, "3600")
    with journaled(url, knn, Budget(BudgetSettings(max_seconds=60), clock, clock.sleep)) as lm:
        with pytest.raises(LMError):
            ask(lm)
        with pytest.raises(DeadlinePassed):
            lm.check()
    assert (knn.calls, clock.now) == (1, 160.0)


def test_what_is_left_is_told_for_the_caps_that_are_set():
    clock = Clock()
    budget = Budget(BudgetSettings(max_calls=3, max_cost="0.5", max_seconds=60), clock, clock.sleep)
    budget.start()
    budget.settle(Spent(calls=1, cost_micros=400_000))
    clock.now += 10
    assert budget.left() == {"calls": 2, "cost_micros": 100_000, "seconds": 50.0}


def test_a_failure_is_raised_at_the_next_check_and_then_forgotten(url, knn):
    knn.refuses = lambda prompt: "secret" in prompt
    with journaled(url, knn, num_retries=0) as lm:
        with lm.counting("one"):
            ask(lm, "the invoice")
        with lm.counting("two"), pytest.raises(LMError):
            ask(lm, "the secret")
        with pytest.raises(Unreachable, match=r"LMRateLimitError.*too many requests"):
            lm.check()
        lm.check()
        assert {label: spent.failed for label, spent in lm.spent_by().items()} == {"one": 0, "two": 1}


@pytest.mark.parametrize(("status", "failed"), [(400, 0), (413, 0), (401, 1), (403, 1), (404, 1)])
def test_a_refused_question_is_not_an_unreachable_model(url, knn, status, failed):
    knn.always = (status, "")
    with journaled(url, knn) as lm:
        with pytest.raises(LMError):
            ask(lm)
        assert (knn.calls, lm.spent.failed, lm.spent.retried) == (1, failed, 0)


def test_calls_of_dspys_own_threads_count_under_the_label(url, knn):
    examples = [dspy.Example(ticket=text, team=team).with_inputs("ticket") for text, team in tickets(12)]
    with journaled(url, knn) as lm:
        evaluate = dspy.Evaluate(devset=examples, metric=lambda *_: 1, num_threads=4, display_progress=False)
        with lm.context(), lm.counting("evaluation"):
            evaluate(build())
        with lm.context():
            build()(ticket=examples[0].ticket)
        assert lm.spent_by()["evaluation"].calls == 12
        assert lm.spent_by()[""] == Spent(remembered=1)


amounts = st.none() | st.integers(0, 10**12)
counts = st.integers(0, 10**6)
spending = st.builds(Spent, counts, counts, counts, counts, amounts, amounts, amounts)


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), spending), max_size=30))
def test_labels_sum_to_the_total_and_the_unknown_stays_unknown(entries):
    meter = Meter()
    for label, spent in entries:
        meter.add(label, spent)
    total = meter.total()
    assert sum(meter.by_label().values(), Spent()) == total
    for name in vars(total):
        parts = [getattr(spent, name) for _, spent in entries]
        assert getattr(total, name) == (None if None in parts else sum(parts))


def test_labels_of_real_calls_sum_to_what_the_server_counted(url):
    with knn_lm() as knn, journaled(url, knn, price=PRICE) as lm:
        knn.fail_share = 0.25

        def work(number):
            with lm.counting(f"label {number % 3}"):
                return ask(lm, f"ticket {number % 17}")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(40)))
        spent = lm.spent
        assert sum(lm.spent_by().values(), Spent()) == spent
        assert (spent.calls, spent.remembered, spent.failed) == (17, 23, 0)
        assert spent.calls + spent.retried == knn.calls
        assert spent.retried == knn.failed > 0


def test_a_model_that_dspys_native_engine_does_not_serve_is_asked_and_counted_alike(tmp_path, knn, monkeypatch):
    def told(name):
        with journaled(f"sqlite:///{tmp_path / name}", knn, price=PRICE) as lm:
            return ask(lm, "the invoice"), lm.spent

    native = told("native.db")
    monkeypatch.setattr(asking, "_native_engine", lambda model: None)
    assert told("other.db") == native
    assert knn.calls == 2
