"""What stops everything that asks: an answer that cannot be kept, and somebody who wants to go home."""

import threading
import time

import pytest
from sqlalchemy import text

from telefine_assets.ledger.answers import Answers
from telefine_assets.ledger.connection import Ledger
from telefine_assets.lm.budget import Budget, Halted, JournalBroken
from telefine_assets.lm.opening import open_lm
from telefine_assets.programs.metrics import Metric, exact_match
from telefine_assets.programs.scoring import ask_all, score_program
from telefine_assets_tests.knn_lm import lm_settings
from telefine_assets_tests.programs.examples import items
from telefine_assets_tests.programs.tickets import build

METRIC = Metric("exact_match", exact_match)


class FailingNowAndThen(Answers):
    """A ledger whose disk is full for every fourth answer (a fake fault of a real ledger)."""

    kept = 0

    def keep(self, request_key, response):
        self.kept += 1
        if self.kept % 4 == 0:
            with self._engine.connect() as connection:
                connection.execute(text("INSERT INTO no_such_table VALUES (:answer)"), {"answer": response})
        return super().keep(request_key, response)


def score(knn, answers, **changes):
    with open_lm(lm_settings(knn, **changes), answers) as lm:
        return score_program(build(), items(12), METRIC, lm)


def test_an_answer_that_cannot_be_kept_is_neither_wrong_nor_left_out_and_is_not_printed(knn, tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    with pytest.raises(JournalBroken, match=r"row [0-9a-f]{64} \(OperationalError: .*no such table") as raised:
        score(knn, FailingNowAndThen(ledger))
    shown = [str(error) for error in (raised.value, raised.value.__cause__) if error]
    assert not any("choices" in each or "role" in each for each in shown)
    assert all(each.score_ppm is not None for each in score(knn, Answers(ledger))), "run again, it goes on"
    ledger.close()


@pytest.mark.parametrize("row", ['{"text": "of another Telefine"}', '{"response": {', '{"response": {}, "took": null}'])
def test_a_kept_answer_that_cannot_be_read_is_named_and_not_asked_again(knn, tmp_path, row):
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")

    class Old(Answers):
        def find(self, request_key):
            return row

    with pytest.raises(JournalBroken, match=r"row [0-9a-f]{64}"):
        score(knn, Old(ledger))
    assert knn.calls == 0
    ledger.close()


def test_a_run_that_is_stopped_waits_for_no_further_attempt():
    budget = Budget()
    halting = threading.Timer(0.1, budget.halt)
    halting.start()
    begun = time.monotonic()
    with pytest.raises(Halted, match="start it again"):
        budget.wait(60)
    assert time.monotonic() - begun < 30
    with pytest.raises(Halted):
        budget.start()


def test_ctrl_c_ends_the_waiting_of_all_other_questions(knn, tmp_path):
    """All but the first question are refused for the time being, and would be asked again for minutes."""
    ledger, (first, *_) = Ledger(f"sqlite:///{tmp_path}/ledger.db"), items(12)

    def interrupted(done, total):
        raise KeyboardInterrupt

    knn.refuses = lambda prompt: first.inputs["ticket"] not in prompt.rpartition("\n\n")[2]
    with open_lm(lm_settings(knn, calls_in_flight=12, num_retries=8), Answers(ledger)) as lm:
        with pytest.raises(KeyboardInterrupt):
            ask_all({"": build()}, items(12), lm, interrupted)
        with pytest.raises(Halted):
            lm.budget.check()
    assert knn.calls < 1 + 11 * 4, "of 9 attempts each"
    ledger.close()
