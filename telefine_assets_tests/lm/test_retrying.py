"""Waiting between attempts: bounded, spread, the same for the same question, and together."""

import random

import pytest
from dspy.utils.exceptions import LMError
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.lm.budget import Budget
from telefine_assets.lm.opening import open_lm
from telefine_assets.lm.retrying import LONGEST_SECONDS, Gate, Notices, Retrying, pause
from telefine_assets.settings.lm import LmSettings
from telefine_assets_tests.knn_lm import lm_settings
from telefine_assets_tests.lm.opened import ask


class Clock:
    """A clock that moves only when somebody sleeps, and remembers how long."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


def opened(knn, clock, **changes):
    return open_lm(lm_settings(knn, **changes), None, Budget(None, clock, clock.sleep))


@given(st.integers(0, 60), st.floats(0, 120), st.integers())
def test_a_pause_is_bounded_and_never_shorter_than_the_server_asks(attempt, hint, seed):
    seconds = pause(attempt, hint, random.Random(seed))
    assert hint <= seconds <= max(LONGEST_SECONDS, 1.25 * hint)
    assert seconds == pause(attempt, hint, random.Random(seed))


@pytest.mark.parametrize("status", [408, 429, 500, 503, 529])
def test_a_passing_fault_is_tried_again_as_often_as_the_settings_say(knn, clock, status):
    knn.always = (status, "")
    with opened(knn, clock, num_retries=3) as lm:
        with pytest.raises(Exception, match="always"):
            ask(lm)
        assert (knn.calls, lm.spent.calls, lm.spent.retried, lm.spent.failed) == (4, 1, 3, 1)
    assert len(clock.slept) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_lasting_fault_is_not_tried_again(knn, clock, status):
    knn.always = (status, "1")
    with opened(knn, clock, num_retries=3) as lm, pytest.raises(Exception, match="always"):
        ask(lm)
    assert (knn.calls, clock.slept) == (1, [])


def test_what_the_server_asks_for_is_waited_but_not_a_day(knn, clock):
    knn.always = (429, "7")
    with opened(knn, clock, num_retries=1) as lm, pytest.raises(Exception, match="always"):
        ask(lm)
    assert 7 <= clock.now < 9
    knn.always = (429, "86400")
    with opened(knn, clock, num_retries=1) as lm, pytest.raises(Exception, match="always"):
        ask(lm)
    assert 120 <= clock.now < 160


def test_other_threads_hold_back_too(clock):
    budget = Budget(None, clock, clock.sleep)
    gate = Gate(None, budget)
    limited = Retrying(1, gate, budget, Notices(print, "a model", clock))
    limited.call(lambda: None, "", lambda: None)
    assert clock.now == 0
    gate.hold(5)
    limited.call(lambda: None, "", lambda: None)
    assert clock.now == 5


def test_calls_keep_to_the_rate(clock):
    gate = Gate(120, Budget(None, clock, clock.sleep))
    for _ in range(5):
        gate.wait()
    assert clock.now == 2.0


def test_a_model_that_is_down_is_not_tried_eight_times_for_every_question(knn, clock):
    knn.always = (503, "")
    with opened(knn, clock, num_retries=7) as lm:
        for number in range(10):
            with pytest.raises(Exception, match="always"):
                ask(lm, f"the invoice {number}")
        assert knn.calls == 3 * 8 + 7
        knn.always = None
        assert ask(lm, "the invoice")
        knn.always, before = (503, ""), knn.calls
        with pytest.raises(Exception, match="always"):
            ask(lm, "the password")
        assert knn.calls == before + 8, "it was up again"


def test_who_looks_on_is_told_at_once_that_the_model_is_down_then_now_and_then_and_when_it_is_back(knn, clock):
    said = []
    with open_lm(lm_settings(knn, num_retries=7), None, Budget(None, clock, clock.sleep), say=said.append) as lm:
        assert ask(lm)
        assert said == []
        knn.always = (503, "20")
        with pytest.raises(Exception, match="always"):
            ask(lm, "the password")
        assert len(clock.slept) == 7
        assert 3 <= len(said) < 7, "not at every attempt"
        assert said[0].startswith("the model openai/nearest-demos does not answer (")
        assert said[0].endswith("); trying again, 1 of 7")
        assert "\n" not in "".join(said)
        knn.always = None
        before = len(said)
        assert ask(lm, "the parcel")
        assert ask(lm, "the refund")
        assert said[before:] == ["the model openai/nearest-demos answers again"]


def test_a_connection_that_is_refused_is_called_so(clock):
    said = []
    gone = LmSettings(model="openai/gone", api_base="http://127.0.0.1:9/v1", num_retries=1)
    with open_lm(gone, None, Budget(None, clock, clock.sleep), say=said.append) as lm, pytest.raises(LMError):
        ask(lm)
    assert said == ["the model openai/gone does not answer (connection refused); trying again, 1 of 1"]
