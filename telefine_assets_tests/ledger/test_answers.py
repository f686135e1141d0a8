"""Answers of language models: asked for once, and the first one stands."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from telefine_assets.ledger.answers import Answers
from telefine_assets.ledger.connection import Ledger


@pytest.fixture
def answers(ledger):
    return Answers(ledger)


def test_an_answer_is_found_by_its_request(answers):
    assert answers.find("request") is None
    assert answers.keep("request", '{"text": "grün"}') == '{"text": "grün"}'
    assert answers.find("request") == '{"text": "grün"}'
    assert answers.find("another request") is None


def test_the_first_answer_stands_and_the_second_is_told_so(answers):
    answers.keep("request", "first")
    assert answers.keep("request", "second") == "first"
    assert answers.find("request") == "first"


def test_threads_that_ask_the_same_at_once_all_get_the_one_that_stands(answers):
    with ThreadPoolExecutor(4) as pool:
        standing = set(pool.map(lambda number: answers.keep("request", f"answer {number}"), range(20)))
    assert standing == {answers.find("request")}


def test_an_answer_comes_back_letter_by_letter(answers):
    for at, text in enumerate(['{"text": "\\u0000"}', "100 %s :key", "\U0001f600 \u202e", "x" * 1_000_000]):
        assert answers.keep(f"request {at}", text) == text
        assert answers.find(f"request {at}") == text


def test_what_one_process_was_answered_all_others_find(answers, url):
    answers.keep("request", "answer")
    with closing(Ledger(url)) as other:
        assert Answers(other).find("request") == "answer"
        assert Answers(other).keep("request", "another") == "answer"
