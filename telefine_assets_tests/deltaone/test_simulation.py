"""Ninety looks at one holdout without any true gain: how often is something certified?

Two adversaries, both seeded, 600 runs each, a fresh holdout for each run:

* **Many candidates.** Baseline and all candidates are right on a new item with
  chance 0.8, independently. The baseline's answers are made once for a run, so
  a baseline that was unlucky on this holdout is easy to beat in every look. With
  pass or fail as the only feedback no adversary can do better than choose
  candidates beforehand: until the first success it has only seen failures.
* **Label rebuilding** (after Blum and Hardt 2015). Two classes; the adversary's
  programs are the baseline with its answers to half of the holdout's items turned
  round, and guess elsewhere: on new items they are right half the time, the
  baseline 0.51, so every candidate is truly 1 point worse. It submits random
  halves and weighs each by the feedback; every fifth look it turns round what the
  weighted vote of all halves so far would. The rule has a guardrail that reads
  labels (right on half of the items at the least) and a limit of regressions, too,
  which can only refuse more. Told apart from the other failures, each is a bit on
  the labels.

The simulation uses the tables of ``minimal_wins`` in place of ``decide``, which it
is checked against.
"""

import random
from dataclasses import dataclass
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
    for _ in range(15):
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


@dataclass(frozen=True)
class Seen:
    """What came of looks; arrays of runs by looks.

    Attributes:
        turned: answers turned round.
        losses: those of them that were right.
        baseline: right answers of the baseline.
        n: items.
    """

    turned: np.ndarray
    losses: np.ndarray
    baseline: np.ndarray
    n: int

    def of(self, looks):
        return Seen(self.turned[:, looks], self.losses[:, looks], self.baseline, self.n)

    @property
    def wins(self):
        return self.turned - self.losses

    @property
    def gains(self):
        return self.wins - self.losses

    @property
    def safe(self):
        """The guardrail that reads labels holds."""
        return 2 * (self.baseline + self.gains) >= self.n

    @property
    def few_losses(self):
        """No more regressions than allowed: about as many as a random half makes (0.51 * 0.5 of n)."""
        return 1000 * self.losses <= 255 * self.n


def label_rebuilding(n, levels, feedback, seed):
    """Runs in which some look is certified, for one kind of feedback.

    ``feedback(seen)`` turns what came of the probes into the weights of their votes.
    """
    rng = np.random.default_rng(seed)
    right = rng.random((RUNS, n)) < 0.51
    # The runs differ in what the baseline gets right; the halves may be the same in all.
    halves = rng.permuted(np.broadcast_to(np.arange(n) < n // 2, (LOOKS, n)), axis=1)
    turned = np.tile(halves.sum(axis=1), (RUNS, 1))
    losses = (right.astype(float) @ halves.T).astype(int)
    seen = Seen(turned, losses, right.sum(axis=1, keepdims=True), n)
    is_vote = np.arange(LOOKS) % 5 == 4
    for j in np.flatnonzero(is_vote):
        probes = np.flatnonzero(~is_vote[:j])
        vote = feedback(seen.of(probes)) @ (halves[probes] - 0.5) > 0
        turned[:, j], losses[:, j] = vote.sum(axis=1), (vote & right).sum(axis=1)
    passed = certified(seen.wins, seen.losses, fewest_wins(n, levels), np.arange(LOOKS))
    return int((passed & seen.safe & seen.few_losses).any(axis=1).sum())


def scores(seen):
    return seen.gains - seen.gains.mean(axis=1, keepdims=True)


def bit(told):
    return np.where(told, 1.0, -1.0)


def threshold_bit(seen):
    """``below_threshold`` against ``not_significant``: what ``public_view`` does not tell."""
    return bit(100 * seen.gains >= seen.n)


def guardrail_bit(seen):
    """Whether a guardrail that reads labels held."""
    return bit(seen.safe)


def regressions_bit(seen):
    """Whether there were too many regressions."""
    return bit(seen.few_losses)


def every_bit(seen):
    return threshold_bit(seen) + guardrail_bit(seen) + regressions_bit(seen)


def pass_or_fail(seen):
    """All that is left when every probe has failed."""
    return -np.ones(seen.gains.shape)


@pytest.mark.parametrize("n", [200, 1000])
class TestLabelRebuilding:
    def test_pass_or_fail_keeps_the_bound(self, n):
        assert upper_bound(label_rebuilding(n, SPENT, pass_or_fail, seed=n)) <= BOUND

    def test_shown_scores_with_a_fixed_alpha_certify_what_is_worse(self, n):
        assert label_rebuilding(n, FIXED, scores, seed=n) / RUNS > 0.9

    @pytest.mark.parametrize("told", [scores, threshold_bit, guardrail_bit, regressions_bit, every_bit])
    def test_what_is_told_beyond_that_breaks_it(self, n, told):
        assert upper_bound(label_rebuilding(n, SPENT, told, seed=n)) > BOUND
