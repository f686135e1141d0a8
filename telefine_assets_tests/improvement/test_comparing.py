"""What moved and what chance explains: against textbook values, by properties, and by how often equals are accused."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.improvement.comparing import LEAST, SHIFTED_PPM, mean, mean_change, share, share_change, shift
from telefine_assets.improvement.scores import PPM, Scores, scores_of

PARTS = st.integers(0, 5_000).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))
SCORE = st.one_of(st.integers(0, PPM), st.sampled_from([0, PPM]))
ROWS = st.lists(st.tuples(st.none() | SCORE, st.sampled_from(["train", "validation", "holdout"])), max_size=60)


def summed(scores):
    return scores_of(pa.table({"score_ppm": pa.array(scores, pa.int64()), "split": ["train"] * len(scores)}))


@given(ROWS)
def test_scores_are_summed_exactly_and_the_holdout_is_not_among_them(rows):
    scores, splits = zip(*rows, strict=True) if rows else ((), ())
    found = scores_of(pa.table({"score_ppm": pa.array(scores, pa.int64()), "split": pa.array(splits, pa.string())}))
    seen = [score for score, split in rows if score is not None and split != "holdout"]
    assert (found.n, found.total, found.squares) == (len(seen), sum(seen), sum(each**2 for each in seen))
    assert found.bins == tuple(sum(min(9, each * 10 // PPM) == tenth for each in seen) for tenth in range(10))


@given(st.lists(SCORE, max_size=30), st.lists(SCORE, max_size=30))
def test_days_can_be_added(one, other):
    assert summed(one) + summed(other) == summed(one + other)


@given(PARTS)
def test_a_share_stands_within_its_interval_and_on_the_scale(part):
    found = share(*part)
    assert (found is None) == (part[1] == 0)
    if found:
        assert 0 <= found.lower_ppm <= found.ppm <= found.upper_ppm <= PPM


def test_intervals_are_those_of_the_textbook():
    # Wilson's for 10 of 100 (Newcombe 1998): 5.52 to 17.44 %.
    assert share(10, 100).lower_ppm == pytest.approx(55_200, abs=100)
    assert share(10, 100).upper_ppm == pytest.approx(174_400, abs=100)
    graded = mean(summed([400_000, 600_000] * 50))
    assert (graded.ppm, graded.upper_ppm) == (500_000, pytest.approx(500_000 + 19_697, abs=5))
    assert mean(summed([PPM] * 7 + [0] * 3)) == share(7, 10)


def test_a_difference_has_the_chance_of_the_textbook():
    # 60 against 45 of 100: z = 2.124, p = 0.0337.
    found = share_change("x", (60, 100), (45, 100))
    assert (found.chance_ppm, found.moved) == (pytest.approx(33_700, abs=100), False)
    assert share_change("x", (600, 1000), (450, 1000)).moved


@given(PARTS, PARTS)
def test_both_directions_have_the_same_chance(one, other):
    there, back = share_change("x", one, other), share_change("x", other, one)
    assert (there.chance_ppm, there.moved) == (back.chance_ppm, back.moved)
    assert share_change("x", one, one).moved is False
    if there.difference_ppm is not None:
        assert there.difference_ppm == -back.difference_ppm
    assert (there.chance_ppm is None) == (min(one[1], other[1]) < LEAST)


@given(st.lists(SCORE, min_size=LEAST, max_size=90), st.lists(SCORE, min_size=LEAST, max_size=90))
def test_a_shift_is_a_distance(one, other):
    there, back = shift(summed(one), summed(other)), shift(summed(other), summed(one))
    assert there.psi_ppm == back.psi_ppm >= 0
    assert shift(summed(one), summed(one)).psi_ppm == 0
    assert there.moved <= (there.psi_ppm >= SHIFTED_PPM)


def test_too_little_is_compared_with_nothing():
    few, many = summed([PPM] * (LEAST - 1)), summed([0] * 500)
    assert shift(few, many) is None
    assert (mean_change("x", few, many).chance_ppm, mean_change("x", Scores(), many).now) == (None, None)


def test_scores_without_any_spread_move_only_if_they_differ():
    ones, zeros = summed([PPM] * 50), summed([0] * 50)
    assert not mean_change("x", ones, ones).moved
    assert mean_change("x", ones, zeros).moved
    assert shift(ones, zeros).moved


@pytest.mark.parametrize(("p", "n", "m"), [(0.97, 30, 2_000), (0.95, 30, 500), (0.99, 100, 700), (0.97, 60, 2_000)])
@pytest.mark.parametrize("top", [PPM, PPM - 1])
def test_a_few_scores_that_happen_to_be_the_same_accuse_nobody(p, n, m, top):
    draw = np.random.default_rng(11)

    def week(size):
        return summed([top if each else 0 for each in draw.random(size) < p])

    assert sum(mean_change("x", week(n), week(m)).moved for _ in range(400)) <= 16


def test_equals_are_rarely_accused_and_a_fall_of_ten_points_is_found():
    draw = np.random.default_rng(7)

    def week(level):
        return summed([int(each) for each in draw.beta(level * 8, (1 - level) * 8, 400) * PPM])

    equal = [(week(0.8), week(0.8)) for _ in range(300)]
    assert sum(mean_change("x", *pair).moved for pair in equal) <= 9
    assert sum(shift(*pair).moved for pair in equal) <= 9
    fallen = [(week(0.7), week(0.8)) for _ in range(30)]
    assert all(mean_change("x", *pair).moved and shift(*pair).moved for pair in fallen)
