"""Ninety looks at one holdout without any true gain: how often is something certified?

Two adversaries, both seeded, 600 runs each, a fresh holdout for each run:

* **Many candidates.** Baseline and all candidates are right on a new item with
  chance 0.8, independently. The baseline's answers are made once for a run, so
  a baseline that was unlucky on this holdout is easy to beat in every look. With
  pass or fail as the only feedback no adversary can do better than choose
  candidates beforehand: until the first success it has only seen failures.
* **Label rebuilding** (after Blum and Hardt 2015). Two classes; the adversary's
  programs are tables of answers to the holdout's items, and guess elsewhere: on
  new items they are right half the time, the baseline 0.51, so every candidate
  is truly 1 point worse. It submits random tables and weighs each by the
  feedback; every fifth look it submits the weighted vote of all tables so far.

The simulation uses the tables of ``minimal_wins`` in place of ``decide``, which it
is checked against.
"""

import random
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import beta

from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.statistics import minimal_wins, spent_alpha

from .rows import LOOSE, look, rows

RUNS, LOOKS, BOUND = 600, 90, 0.06
SPENT = [spent_alpha("0.05", k) for k in range(1, LOOKS + 1)]
FIXED = [Fraction(1, 20)] * LOOKS


def upper_bound(hits):
    """Clopper-Pearson: the share that 99 % of such simulations would not exceed."""
    return 1.0 if hits == RUNS else float(beta.ppf(0.99, hits + 1, RUNS - hits))


def fewest_wins(n, levels):
    """The rule as a table: wins needed for each look and number of discordant pairs."""
    pairs = np.arange(n + 1)
    for_threshold = -(-(100 * pairs + n) // 200)  # 100 (w - (m - w)) >= n
    for_level = {alpha: minimal_wins(pairs, alpha) for alpha in set(levels)}
    return np.array([np.maximum(for_level[alpha], for_threshold) for alpha in levels])


def certified(wins, losses, table, looks):
    return wins >= table[looks, wins + losses]


@pytest.mark.parametrize("n", [200, 1000])
def test_the_table_is_the_rule(n):
    rng, table = random.Random(n), fewest_wins(n, SPENT)
    for _ in range(30):
        k = rng.randint(1, LOOKS)
        pairs = rng.randint(1, n)
        turn = int(table[k - 1, pairs])
        for wins in {min(pairs, max(0, turn + d)) for d in (-1, 0, 1)}:
            decision = decide(rows(wins, pairs - wins, n - pairs), LOOSE, look(k))
            assert decision.reached == certified(wins, pairs - wins, table, k - 1)


def many_candidates(n, seed):
    """Wins and losses of every look of every run."""
    rng = np.random.default_rng(seed)
    right = rng.binomial(n, 0.8, size=(RUNS, 1))
    size = (RUNS, LOOKS)
    return rng.binomial(np.broadcast_to(n - right, size), 0.8), rng.binomial(np.broadcast_to(right, size), 0.2)


@pytest.mark.parametrize("n", [200, 1000])
class TestManyCandidates:
    def hits(self, n, levels):
        wins, losses = many_candidates(n, seed=n)
        return int(certified(wins, losses, fewest_wins(n, levels), np.arange(LOOKS)).any(axis=1).sum())

    def test_the_rule_keeps_the_bound(self, n):
        assert upper_bound(self.hits(n, SPENT)) <= BOUND

    def test_a_fixed_alpha_breaks_it(self, n):
        hits = self.hits(n, FIXED)
        assert upper_bound(hits) > BOUND
        assert 0.4 < hits / RUNS < 0.65

    def test_the_point_rule_alone_breaks_it(self, n):
        wins, losses = many_candidates(n, seed=n)
        share = ((wins - losses) * 100 >= n).any(axis=1).mean()
        assert 0.9 < share <= 1.0


def label_rebuilding(n, levels, feedback, seed, batch=50):
    """Runs in which some look is certified, for one kind of feedback.

    ``feedback(gain, n)`` turns the gains of the probes into the weights of their votes.
    """
    rng = np.random.default_rng(seed)
    table, hits = fewest_wins(n, levels), 0
    for _ in range(RUNS // batch):
        truth = rng.integers(0, 2, (batch, 1, n), dtype=np.int8)
        baseline = rng.random((batch, 1, n)) < 0.51
        answers = rng.integers(0, 2, (batch, LOOKS, n), dtype=np.int8)
        is_vote = np.arange(LOOKS) % 5 == 4
        right = answers == truth
        for j in np.flatnonzero(is_vote):
            probes = np.flatnonzero(~is_vote[:j])
            gains = right[:, probes].sum(axis=2) - baseline.sum(axis=2)
            weights = feedback(gains, n)
            signs = 2.0 * answers[:, probes] - 1
            vote = np.einsum("rp,rpn->rn", weights, signs, optimize=True) > 0
            right[:, j] = vote == truth[:, 0].astype(bool)
        wins = (right & ~baseline).sum(axis=2)
        losses = (~right & baseline).sum(axis=2)
        hits += int(certified(wins, losses, table, np.arange(LOOKS)).any(axis=1).sum())
    return hits


def scores(gains, n):
    return gains - gains.mean(axis=1, keepdims=True)


def threshold_bit(gains, n):
    """``below_threshold`` against ``not_significant``: what ``public_view`` does not tell."""
    return np.where(100 * gains >= n, 1.0, -1.0)


def pass_or_fail(gains, n):
    """All that is left when every probe has failed."""
    return -np.ones(gains.shape)


@pytest.mark.parametrize("n", [200, 1000])
class TestLabelRebuilding:
    def test_pass_or_fail_keeps_the_bound(self, n):
        assert upper_bound(label_rebuilding(n, SPENT, pass_or_fail, seed=n)) <= BOUND

    def test_shown_scores_with_a_fixed_alpha_certify_what_is_worse(self, n):
        assert label_rebuilding(n, FIXED, scores, seed=n) / RUNS > 0.9

    def test_shown_scores_break_the_rule_too(self, n):
        assert upper_bound(label_rebuilding(n, SPENT, scores, seed=n)) > BOUND

    def test_the_reason_alone_breaks_it(self, n):
        assert upper_bound(label_rebuilding(n, SPENT, threshold_bit, seed=n)) > BOUND
