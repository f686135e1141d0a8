"""Demos come from train items: those of today, or those that an earlier candidate of the same demo was learnt from."""

import pytest

from telefine_assets.programs.origins import Origins

ONE, TWO = ("answer", "1" * 64), ("answer", "2" * 64)
DEMOS = {
    "2026-11-01": {ONE: "a"},
    "2026-11-02": {ONE: "a", TWO: "b"},
    "2026-11-05": {ONE: "a", TWO: "b"},
    "2026-11-09": {ONE: "a"},
}
SIDES = {
    "2026-11-01": {"a": "train"},
    "2026-11-02": {"a": "train", "b": "train"},
    "2026-11-05": {"b": "train", "c": "holdout"},
    "2026-11-09": {"d": "train"},
}


def problems(day, demos=(), sides=(), before=()):
    stored, windows = DEMOS | dict(demos), SIDES | dict(sides)
    all_days = windows | dict(before)
    return list(Origins(sorted(stored), stored.__getitem__, windows.__getitem__, all_days.__getitem__).problems(day))


@pytest.mark.parametrize("day", DEMOS)
def test_a_demo_may_be_inherited_from_a_candidate_whose_window_had_its_trace(day):
    assert problems(day) == []


def test_a_demo_of_a_held_out_trace_is_named_wherever_it_was_learnt():
    assert problems("2026-11-05", sides={"2026-11-05": {"b": "holdout"}}) == ["demo from trace b, which is holdout"]
    then = {"2026-11-01": {"a": "holdout"}, "2026-11-02": {"b": "train"}}
    assert problems("2026-11-09", sides=then) == ["demo from trace a, which is holdout on 2026-11-01"]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({TWO: "a"}, id="another demo of the trace"),
        pytest.param({ONE: "b"}, id="the demo, of another trace"),
        pytest.param({}, id="none"),
    ],
)
def test_a_trace_that_no_earlier_candidate_learnt_the_demo_from_is_unknown(before):
    others = {"2026-11-01": before, "2026-11-02": before, "2026-11-05": before}
    assert problems("2026-11-09", demos=others) == ["demo from trace a, which is unknown"]


def test_the_window_of_an_earlier_candidate_may_have_been_longer_than_it_would_be_today():
    shorter = {"2026-11-01": {}, "2026-11-02": {"b": "train"}, "2026-11-05": {"c": "train"}, "2026-11-09": {}}
    assert problems("2026-11-09", sides=shorter) == ["demo from trace a, which is unknown"]
    assert problems("2026-11-09", sides=shorter, before={"2026-11-05": {"a": "train"}}) == []
    told = ["demo from trace a, which is holdout on 2026-11-05"]
    assert problems("2026-11-09", sides=shorter, before={"2026-11-05": {"a": "holdout"}}) == told


def test_a_later_candidate_is_nobodys_source():
    assert problems("2026-11-01", sides={"2026-11-01": {}}) == ["demo from trace a, which is unknown"]


def test_of_a_window_that_retention_cut_nothing_is_asked():
    cut = {"2026-11-01": None, "2026-11-02": None}
    assert problems("2026-11-09", sides=cut) == [] and problems("2026-11-01", sides=cut) == []
