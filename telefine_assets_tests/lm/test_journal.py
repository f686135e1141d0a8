"""The journal of answers: nothing is asked twice, and what failed is asked again."""

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import dspy
import pytest

from telefine_assets.lm import opening
from telefine_assets.lm.budget import BudgetSpent
from telefine_assets.lm.opening import identity_of, open_lm
from telefine_assets_tests.knn_lm import knn_lm, lm_settings
from telefine_assets_tests.lm.opened import ask, journaled
from telefine_assets_tests.programs.tickets import TEAMS, build, tickets


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def test_an_answered_call_is_not_asked_again_after_opening_anew(url, knn):
    with journaled(url, knn) as lm:
        first = ask(lm)
        assert (lm.spent.calls, lm.spent.remembered) == (1, 0)
    with journaled(url, knn) as lm:
        assert ask(lm) == first
        assert (lm.spent.calls, lm.spent.remembered) == (0, 1)
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
        assert (lm.spent.calls, lm.spent.remembered) == (1, 0)


def test_a_fault_that_passes_is_retried_below_the_journal(url, knn):
    knn.fail_share = 1.0
    with journaled(url, knn, num_retries=2) as lm:
        assert ask(lm) == "billing"
        assert (lm.spent.calls, lm.spent.retried) == (1, 1)
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
        assert (lm.spent.calls, lm.spent.remembered) == (1, 0)


def test_other_weights_behind_the_same_name_are_asked_anew(url, knn, monkeypatch):
    """The embedded model's identity holds its weights' digest, which no request carries."""
    for weights in ("weights one", "weights two", "weights two"):
        monkeypatch.setattr(opening, "identity_of", lambda settings, weights=weights: {"sha256": weights})
        with journaled(url, knn) as lm:
            ask(lm)
    assert knn.calls == 2


def test_neither_the_key_nor_the_address_is_part_of_a_models_identity(knn):
    one = identity_of(lm_settings(knn))
    assert one == identity_of(lm_settings(knn, api_key="other", api_base="http://127.0.0.1:9/v1"))
    assert "any" not in one.values()


def answers_in_turn(knn):
    """Make the stand-in a model that samples: no two of its answers are alike."""
    teams = iter([f"team {number}" for number in range(1000)])
    knn.instead = lambda prompt: next(teams)


def sampled(lm, text="the invoice", **sample):
    with lm.context():
        return lm.lm(text, **sample)


def test_threads_that_ask_the_same_at_once_ask_the_model_once(url, knn):
    answers_in_turn(knn)
    knn.latency_seconds = 0.05
    with journaled(url, knn) as lm, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sampled(lm)[0], range(16)))
        assert len(set(answers)) == 1
        assert (lm.spent.calls, lm.spent.remembered) == (1, 15)
    assert knn.calls == 1


def test_threads_that_wait_for_a_call_that_fails_fail_too_and_each_counts(url, knn):
    knn.latency_seconds = 0.2
    knn.always = (503, "")

    def work(label):
        with lm.counting(label), pytest.raises(dspy.utils.exceptions.LMServerError):
            ask(lm)

    with journaled(url, knn, num_retries=0) as lm, ThreadPoolExecutor(2) as pool:
        list(pool.map(work, ["one", "two"]))
        assert [spent.failed for spent in lm.spent_by().values()] == [1, 1]
    assert knn.calls == 1


def test_rollouts_are_different_questions_and_each_gets_its_own_answer_back(url, knn):
    answers_in_turn(knn)

    def rollouts(lm):
        copies = [lm.lm.copy(rollout_id=number, temperature=1.0) for number in (1, 2, 3)]
        with lm.context():
            return [copy("the invoice")[0] for copy in copies], lm.lm("the invoice", rollout_id=2, temperature=1.0)[0]

    with journaled(url, knn) as lm:
        first, again = rollouts(lm)
        assert len(set(first)) == 3
        assert again == first[1]
    with journaled(url, knn) as lm:
        assert rollouts(lm) == (first, again)
        assert lm.spent.calls == 0
    assert knn.calls == 3


def test_several_answers_to_one_call_are_several_questions(url, knn):
    answers_in_turn(knn)
    with journaled(url, knn) as lm:
        four = sampled(lm, n=4, temperature=1.0)
        assert len(set(four)) == 4
    with journaled(url, knn) as lm:
        assert sampled(lm, n=6, temperature=1.0)[:4] == four
    assert knn.calls == 6


def test_a_rollout_reaches_the_journal_from_a_program(url, knn):
    answers_in_turn(knn)
    predict = dspy.Predict("ticket -> team")
    with journaled(url, knn) as lm, lm.context():
        asked = [predict(ticket="late", config={"rollout_id": number, "temperature": 1.0}).team for number in (1, 2, 1)]
    assert asked[0] == asked[2] != asked[1]


def test_a_copied_program_shares_the_model_and_its_dump_holds_no_connection(url, knn):
    with journaled(url, knn, api_key="very-secret") as lm:
        program = build()
        program.set_lm(lm.lm)
        copied = program.deepcopy()
        with lm.context():
            copied(ticket="the invoice")
        assert lm.spent.calls == 1
        assert "very-secret" not in json.dumps(copied.dump_state(), default=str)


@pytest.mark.parametrize("seed", [0, 1])
def test_with_a_quarter_of_all_calls_failing_once_every_answer_comes_and_is_the_same(tmp_path, seed):
    def answers(share):
        with knn_lm() as knn, journaled(f"sqlite:///{tmp_path / str(share)}.db", knn, num_retries=3) as lm:
            knn.fail_share, knn.seed = share, seed
            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(lambda row: ask(lm, row[0]), tickets(60)))
            lm.check()
            assert lm.spent.retried == knn.failed
            return found, knn.failed

    quiet, _ = answers(0.0)
    shaky, failed = answers(0.25)
    assert failed > 8
    assert shaky == quiet


def test_answers_that_come_too_late_are_faults_that_pass_too(url, knn):
    with journaled(url, knn) as lm:
        quiet = [ask(lm, text) for text, _ in tickets(8)]
    knn.forget()
    knn.fail_share, knn.slow_seconds = 1.0, 2.0
    kinds, faults = [], type(knn).fault
    knn.fault = lambda prompt: (kinds.append(faults(knn, prompt)), kinds[-1])[1]
    with open_lm(lm_settings(knn, timeout_seconds=0.5, num_retries=3)) as lm:
        assert [ask(lm, text) for text, _ in tickets(8)] == quiet
        lm.check()
        assert lm.spent.retried >= knn.failed == 8
    assert {"429", "cut", "half", "slow"} < set(kinds)


ASKER = """
import sys
from types import SimpleNamespace
from telefine_assets_tests.lm.opened import journaled
from telefine_assets_tests.lm.test_journal import ask_forty
with journaled(sys.argv[1], SimpleNamespace(api_base=sys.argv[2])) as lm:
    print("ready", flush=True)
    sys.stdin.readline()
    for answer in ask_forty(lm):
        print(answer, flush=True)
"""


def ask_forty(lm):
    """The answers to forty tickets, asked four at a time, as they come."""
    with ThreadPoolExecutor(4) as pool:
        yield from pool.map(lambda row: ask(lm, row[0]), tickets(40))


@contextmanager
def asking(url, knn):
    """Another process that begins to ask the forty when it is told "go", and prints the answers."""
    command = [sys.executable, "-c", ASKER, url, knn.api_base]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        yield process


def test_a_killed_process_goes_on_where_it_stopped(url, knn):
    knn.latency_seconds = 0.02
    with asking(url, knn) as process:
        seen = [process.stdout.readline().strip() for _ in range(12)]
        process.send_signal(signal.SIGKILL)
    assert set(Counter(knn.prompts).values()) == {1}
    with journaled(url, knn) as lm:
        answers = list(ask_forty(lm))
        assert lm.spent.remembered >= 12
    assert seen == answers[:12]
    # Only calls that were in flight, and so never answered, may have been asked twice.
    assert len([prompt for prompt, count in Counter(knn.prompts).items() if count > 1]) <= 4


def test_two_processes_that_ask_the_same_get_the_same_answers(url, knn):
    numbers = random.Random(0)
    knn.instead = lambda prompt: numbers.choice(TEAMS)
    knn.latency_seconds = 0.01
    with journaled(url, knn) as lm, asking(url, knn) as process:
        mine = list(ask_forty(lm))
        assert process.stdout.read().splitlines() == mine
    assert len(mine) == 40


def test_without_a_journal_every_call_is_made(knn):
    with open_lm(lm_settings(knn)) as lm:
        assert ask(lm) == ask(lm)
        assert (lm.spent.calls, lm.spent.remembered) == (2, 0)
    assert knn.calls == 2


def test_no_call_is_made_beyond_the_budget_and_remembered_answers_are_free(url, knn):
    with journaled(url, knn, budget={"max_calls": 1}) as lm:
        first = ask(lm, "the invoice")
        assert ask(lm, "the invoice") == first
        lm.check()
        with pytest.raises(dspy.utils.exceptions.LMError):
            ask(lm, "the password")
        with pytest.raises(BudgetSpent, match="max_calls"):
            lm.check()
    assert knn.calls == 1
