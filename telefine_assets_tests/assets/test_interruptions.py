"""A stage that is stopped: the interruption is heard though it was lost once, and cleaning up is left in peace."""

import os
import signal
import time
import weakref

import pytest
from dagster import DagsterExecutionInterruptedError
from dagster._utils.interrupts import raise_interrupts_as

from telefine_assets.assets.interruptions import insisting

AFTER, LONG = 0.2, 20


@pytest.fixture(autouse=True)
def stage():
    """How Dagster runs the body of an asset."""
    with raise_interrupts_as(DagsterExecutionInterruptedError):
        yield


def stopped() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_that_met_a_weak_reference_comes_again():
    class Thing:
        pass

    def forgotten(_):
        stopped()
        told.append("stopped")

    told, thing = [], Thing()
    reference = weakref.ref(thing, forgotten)
    begun = time.monotonic()
    with pytest.raises(DagsterExecutionInterruptedError), insisting(AFTER):
        del thing
        assert reference() is None
        assert time.monotonic() - begun < AFTER, "the first one was lost"
        time.sleep(LONG)
    assert time.monotonic() - begun < LONG
    assert told == []


def test_what_is_swallowed_by_a_library_comes_again_and_again():
    caught = 0
    with pytest.raises(DagsterExecutionInterruptedError), insisting(AFTER):
        while True:
            try:
                if caught == 0:
                    stopped()
                time.sleep(LONG)
            except DagsterExecutionInterruptedError:
                caught += 1
                if caught == 3:
                    raise
    assert caught == 3


@pytest.mark.parametrize("other", [False, True])
def test_cleaning_up_is_not_interrupted(other):
    cleaned = []
    with pytest.raises(RuntimeError if other else DagsterExecutionInterruptedError), insisting(AFTER):
        try:
            try:
                stopped()
                time.sleep(LONG)
            finally:
                time.sleep(5 * AFTER)
                cleaned.append("inner")
                if other:
                    raise RuntimeError("the connection is gone, too")
        finally:
            time.sleep(5 * AFTER)
            cleaned.append("outer")
    assert cleaned == ["inner", "outer"]


def test_nothing_comes_after_the_end():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(DagsterExecutionInterruptedError), insisting(AFTER):
        stopped()
        time.sleep(LONG)
    assert signal.getsignal(signal.SIGINT) is before
    time.sleep(3 * AFTER)
