"""Racing: fewer questions, and the best stays in."""

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.programs.choosing import BASELINE
from telefine_assets.programs.racing import drop, rounds
from telefine_assets_tests.programs.test_choosing import BAD, OK, contender


@given(st.integers(1, 2_000), st.integers(1, 200))
def test_rounds_grow_to_all_items_and_never_beyond(items, first):
    lengths = rounds(items, first)
    assert lengths[0] == min(items, first)
    assert lengths[-1] == items
    assert all(before < after <= math.ceil(before * 5 / 3) for before, after in pairwise(lengths))


def test_the_better_half_goes_on_and_the_baseline_always():
    field = [contender(BASELINE, [BAD] * 8), *(contender(f"{n}-a", [OK] * n + [BAD] * (8 - n)) for n in range(3, 8))]
    drop(field, 8)
    assert [each.name for each in field if each.running] == [BASELINE, "5-a", "6-a", "7-a"]
    assert "not among the better" in field[1].dropped


def test_one_that_trails_beyond_noise_goes_at_once():
    field = [contender(BASELINE, [OK] * 4 + [BAD] * 36), contender("1-a", [OK] * 36 + [BAD] * 4)]
    field.append(contender("2-b", [OK] * 10 + [BAD] * 30))
    field += [contender(f"{n}-c", [BAD] * 40) for n in range(3, 6)]
    drop(field, 40)
    assert [each.name for each in field if each.running] == [BASELINE, "1-a"]
    assert "1-a" in field[2].dropped


def test_a_tie_at_the_cut_goes_to_the_cheaper_then_to_the_earlier():
    field = [contender(BASELINE, [OK]), contender("1-a", [OK], 9), contender("2-b", [OK], 3), contender("3-c", [OK], 3)]
    drop(field, 1)
    assert [each.name for each in field if each.running] == [BASELINE, "2-b", "3-c"]


@pytest.mark.parametrize("lead", [0.10, 0.15])
def test_the_race_keeps_a_clearly_better_program_nearly_always(lead):
    """A simulated field of twelve; the best is as good as the best of the others plus ``lead``."""
    kept = 0
    for seed in range(100):
        chance = random.Random(seed)
        skills = [0.6] * 11 + [0.6 + lead]
        lines = [[OK if chance.random() < skill else BAD for _ in range(160)] for skill in skills]
        field = [contender(BASELINE, [BAD] * 160), *(contender(f"{n}-a", []) for n in range(12))]
        for until in rounds(160, 20):
            for each, line in zip(field[1:], lines, strict=True):
                if each.running:
                    each.answers = contender("", line[:until]).answers
            if until < 160:
                drop([each for each in field if each.running], until)
        kept += field[12].running
    assert kept > (60 if lead == 0.10 else 85)
