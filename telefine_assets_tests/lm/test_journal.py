"""The journal of answers: nothing is asked twice, and what failed is asked again."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import dspy
import pytest

from telefine_assets.ledger.answers import Answers
from telefine_assets.ledger.connection import Ledger
from telefine_assets.lm.journal import BudgetSpent, JournalEngine
from telefine_assets.lm.opening import identity_of, open_lm
from telefine_assets_tests.knn_lm import MODEL, knn_lm, lm_settings
from telefine_assets_tests.programs.tickets import build


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@contextmanager
def journaled(url, knn, max_calls=None, **changes):
    """The model with the journal at ``url``, opened as a new process would."""
    ledger = Ledger(url)
    try:
        with open_lm(lm_settings(knn, **changes), Answers(ledger), max_calls) as lm:
            yield lm
    finally:
        ledger.close()


def ask(lm, text="the invoice"):
    with lm.context():
        return build()(ticket=text).team


def test_an_answered_call_is_not_asked_again_after_opening_anew(url, knn):
    with journaled(url, knn) as lm:
        first = ask(lm)
        assert (lm.asked, lm.remembered) == (1, 0)
    with journaled(url, knn) as lm:
        assert ask(lm) == first
        assert (lm.asked, lm.remembered) == (0, 1)
    assert knn.calls == 1


def test_a_remembered_answer_needs_no_server(url, knn):
    with journaled(url, knn) as lm:
        first = ask(lm)
    knn.refuses = lambda prompt: True
    with journaled(url, knn, num_retries=0) as lm:
        assert ask(lm) == first


def test_a_model_of_the_same_name_on_another_server_is_another_model(url, knn):
    with journaled(url, knn) as lm:
        ask(lm)
    with journaled(url, knn, api_base=f"{knn.api_base}/") as lm:
        ask(lm)
    assert knn.calls == 2


def test_a_wrong_or_unreadable_answer_is_an_answer_and_stays(url, knn):
    knn.instead = lambda prompt: "half \ud83d a character"
    for _ in range(2):
        with journaled(url, knn) as lm, pytest.raises(dspy.utils.exceptions.AdapterParseError):
            ask(lm)
    assert knn.calls == 1


def test_another_question_is_asked(url, knn):
    with journaled(url, knn) as lm:
        ask(lm, "the invoice")
        ask(lm, "the password")
    assert knn.calls == 2


def test_a_call_that_failed_is_not_kept_and_asked_again(url, knn):
    knn.refuses = lambda prompt: True
    with journaled(url, knn, num_retries=1) as lm, pytest.raises(dspy.utils.exceptions.LMRateLimitError):
        ask(lm)
    assert knn.calls == 2
    knn.refuses = lambda prompt: False
    with journaled(url, knn) as lm:
        assert ask(lm) == "billing"
        assert (lm.asked, lm.remembered) == (1, 0)


def test_a_fault_that_passes_is_retried_below_the_journal(url, knn):
    knn.fail_share = 1.0
    with journaled(url, knn, num_retries=2) as lm:
        assert ask(lm) == "billing"
        assert lm.asked == 1
    assert (knn.calls, knn.failed) == (2, 1)


@pytest.mark.parametrize(
    "change",
    [{"model": "openai/another"}, {"temperature": 0.5}, {"max_tokens": 9}],
    ids=lambda change: next(iter(change)),
)
def test_what_decides_the_answers_separates_the_answers(url, knn, change):
    with journaled(url, knn) as lm:
        ask(lm)
    with journaled(url, knn, **change) as lm:
        ask(lm)
        assert (lm.asked, lm.remembered) == (1, 0)


def test_other_weights_behind_the_same_name_are_asked_anew(url, knn):
    """The embedded model's identity holds its weights' digest, which no request carries."""
    ledger = Ledger(url)
    with open_lm(lm_settings(knn)) as lm:
        for weights in ("weights one", "weights two", "weights two"):
            engine = JournalEngine(lm.lm, weights, Answers(ledger))
            ask(replace(lm, lm=dspy.LM(MODEL, engine=engine, cache=False), engine=engine))
    ledger.close()
    assert knn.calls == 2


def test_neither_the_key_nor_the_address_is_part_of_a_models_identity(knn):
    one = identity_of(lm_settings(knn))
    assert one == identity_of(lm_settings(knn, api_key="other", api_base="http://127.0.0.1:9/v1"))
    assert "any" not in one.values()


def test_many_threads_that_ask_the_same_at_once_get_one_answer(url):
    numbers = iter(range(100))
    teams = ("billing", "login", "shipping", "praise")
    with knn_lm() as knn, journaled(url, knn) as lm:
        knn.instead = lambda prompt: teams[next(numbers) % 4]
        with ThreadPoolExecutor(8) as pool:
            answers = set(pool.map(lambda _: ask(lm), range(16)))
        assert len(answers) == 1
        assert lm.asked + lm.remembered == 16


def test_without_a_journal_every_call_is_made(knn):
    with open_lm(lm_settings(knn)) as lm:
        assert ask(lm) == ask(lm)
        assert (lm.asked, lm.remembered) == (0, 0)
    assert knn.calls == 2


def test_no_call_is_made_beyond_the_budget_and_remembered_answers_are_free(url, knn):
    with journaled(url, knn, max_calls=1) as lm:
        first = ask(lm, "the invoice")
        assert ask(lm, "the invoice") == first
        lm.check_budget()
        with pytest.raises(dspy.utils.exceptions.LMError):
            ask(lm, "the password")
        with pytest.raises(BudgetSpent, match="max_lm_calls"):
            lm.check_budget()
    assert knn.calls == 1
