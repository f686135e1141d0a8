"""Scores in basis points: never more gain than was measured, and no metric that the contract would misread."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.records import PPM
from telefine_assets.payouts.minting import scores_in_bps
from telefine_assets.payouts.plan import PayoutError
from telefine_assets_tests.deltaone.rows import LOOSE, LOWER, look, row, rows


def decided(scores, rules=LOOSE):
    return decide([row(index, *pair) for index, pair in enumerate(scores)], rules, look())


@given(st.lists(st.tuples(st.integers(0, PPM), st.integers(0, PPM)), min_size=2, max_size=30))
def test_the_gain_in_basis_points_is_never_above_the_measured_one(scores):
    decision = decided(scores)
    baseline, candidate = scores_in_bps(decision)
    assert 100 * decision.n * (candidate - baseline) <= decision.delta_sum_ppm
    assert 100 * decision.n * (candidate - baseline + 2) > decision.delta_sum_ppm


def test_the_baseline_is_rounded_up_and_the_candidate_down():
    thirds = [(0, PPM), (PPM, PPM), (0, 0)]
    assert scores_in_bps(decided(thirds)) == (3334, 6666)


def test_a_metric_of_which_less_is_better_is_refused():
    with pytest.raises(PayoutError, match="cumulative tree"):
        scores_in_bps(decide(rows(0, 3, 3), LOWER, look()))
