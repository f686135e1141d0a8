import itertools
import random
from fractions import Fraction
from math import comb

import numpy as np
import pytest
import scipy.stats

from telefine_assets.deltaone import statistics as st


def exact_p(wins, losses):
    pairs = wins + losses
    return Fraction(sum(comb(pairs, w) for w in range(wins, pairs + 1)), 2**pairs)


class TestSpending:
    def test_levels_are_exact_and_never_add_up_to_more_than_alpha(self):
        levels = [st.spent_alpha("0.05", k) for k in range(1, 1001)]
        assert levels[:3] == [Fraction(1, 40), Fraction(1, 120), Fraction(1, 240)]
        assert sum(levels) == Fraction(1, 20) * (1 - Fraction(1, 1001))

    def test_look_zero_is_refused(self):
        with pytest.raises(st.StatisticsError):
            st.spent_alpha("0.05", 0)


class TestMcNemar:
    def test_published_examples(self):
        # Fagerland, Lydersen and Laake 2014, airway hyper-responsiveness (Bentur et al. 2009):
        # 7 against 1 of 21; two-sided exact p 0.0703.
        assert st.mcnemar_p(7, 1) == pytest.approx(0.0703 / 2, abs=5e-5)
        # The same, complete response (Cavo et al. 2012): 16 against 6 of 161; two-sided exact p 0.0525.
        assert st.mcnemar_p(16, 6) == pytest.approx(0.0525 / 2, abs=5e-5)

    @pytest.mark.parametrize(("wins", "losses"), [(0, 0), (5, 0), (0, 5), (33, 20), (700, 600)])
    def test_against_scipy_and_integers(self, wins, losses):
        assert st.mcnemar_p(wins, losses) == pytest.approx(float(exact_p(wins, losses)), rel=1e-11)
        if wins + losses:
            theirs = scipy.stats.binomtest(wins, wins + losses, alternative="greater").pvalue
            assert st.mcnemar_p(wins, losses) == pytest.approx(theirs, rel=1e-11)

    def test_a_tie_with_the_level_is_not_below_it(self):
        assert not st.mcnemar_below(4, 0, Fraction(1, 16))
        assert st.mcnemar_below(5, 0, Fraction(1, 16))
        for wins, losses in [(9, 3), (30, 14), (60, 41)]:
            level = exact_p(wins, losses)
            assert not st.mcnemar_below(wins, losses, level)
            assert st.mcnemar_below(wins, losses, level + Fraction(1, 10**12))

    def test_a_tie_of_100_000_pairs_is_decided(self):
        # P(W >= 50,000 of 99,999) is 1/2 exactly.
        assert not st.mcnemar_below(50_000, 49_999, Fraction(1, 2))
        assert st.mcnemar_below(50_000, 49_999, Fraction(1, 2) + Fraction(1, 10**12))

    @pytest.mark.parametrize("alpha", [Fraction(1, 20), Fraction(1, 40), Fraction(1, 16), Fraction(1, 163800)])
    def test_fewest_wins_are_where_the_test_turns(self, alpha):
        pairs = np.arange(0, 300)
        for m, wins in zip(pairs.tolist(), st.minimal_wins(pairs, alpha).tolist(), strict=True):
            assert wins > m or st.mcnemar_below(wins, m - wins, alpha)
            assert wins == 0 or not st.mcnemar_below(min(wins - 1, m), m - min(wins - 1, m), alpha)


class TestSignFlips:
    ALPHA = Fraction(1, 40)

    def brute_force(self, sums):
        patterns = list(itertools.product((1, -1), repeat=len(sums)))
        return sum(sum(s * abs(x) for s, x in zip(p, sums, strict=True)) >= sum(sums) for p in patterns) / len(patterns)

    @pytest.mark.parametrize("seed", range(5))
    def test_exact_counts_every_pattern(self, seed):
        rng = random.Random(seed)
        sums = [rng.randint(-6, 9) * 250_000 for _ in range(12)]
        result = st.sign_flip_test(sums, self.ALPHA, 1000, 0)
        assert result.method == st.FLIPS_EXACT
        assert result.p == pytest.approx(self.brute_force(sums), abs=1e-9)

    def test_with_one_pair_a_group_it_is_mcnemar(self):
        for wins, losses in [(5, 1), (40, 22), (900, 800)]:
            sums = [1_000_000] * wins + [-1_000_000] * losses + [0] * 7
            result = st.sign_flip_test(sums, self.ALPHA, 1000, 0)
            assert result.p == pytest.approx(st.mcnemar_p(wins, losses), abs=2e-10)

    def test_sampled_agrees_with_every_pattern_counted(self):
        rng = random.Random(3)
        sums = [rng.randint(-400_000, 600_000) for _ in range(14)]
        result = st.sign_flip_test(sums, self.ALPHA, 100_000, 7)
        assert result.method == st.FLIPS_SAMPLED
        assert result.p == pytest.approx(self.brute_force(sums), abs=0.005)

    def test_sampled_agrees_with_scipy(self):
        rng = np.random.default_rng(5)
        sums = rng.normal(40_000, 250_000, size=60).astype(int).tolist()
        theirs = scipy.stats.permutation_test(
            (np.array(sums),),
            lambda x, axis: x.sum(axis=axis),
            permutation_type="samples",
            alternative="greater",
            n_resamples=20_000,
            rng=np.random.default_rng(1),
        ).pvalue
        assert st.sign_flip_test(sums, self.ALPHA, 20_000, 0).p == pytest.approx(theirs, abs=0.015)

    def test_same_seed_same_p_and_another_seed_another(self):
        rng = random.Random(2)
        sums = [rng.randint(-400_000, 500_000) for _ in range(50)]
        results = [st.sign_flip_test(sums, self.ALPHA, 5000, seed).p for seed in (1, 1, 2)]
        assert results[0] == results[1] != results[2]

    def test_the_stream_is_the_same_everywhere(self):
        # A change of this number changes old decisions: never without a reason written down.
        assert st.sampled_flips_as_high(list(range(1, 40)), 500, 10_000, 42) == 596

    def test_a_sampled_p_is_never_zero_and_draws_as_many_flips_as_the_level_needs(self):
        sums = [100_000 + i * i for i in range(200)]
        result = st.sign_flip_test(sums, Fraction(1, 8000), 1000, 0)
        assert result.permutations == 80_000
        assert result.p == pytest.approx(1 / 80_001)
        assert result.below

    def test_no_differences_are_no_evidence(self):
        result = st.sign_flip_test([0, 0, 0], self.ALPHA, 1000, 0)
        assert (result.p, result.below) == (1.0, False)

    def test_false_alarms_of_grouped_pairs_stay_at_the_level(self):
        # Ten pairs of a group all go one way: McNemar on the pairs errs ten times too often.
        rng = np.random.default_rng(11)
        naive = clustered = 0
        for _ in range(400):
            ups = int(rng.binomial(40, 0.5))
            naive += st.mcnemar_below(10 * ups, 10 * (40 - ups), Fraction(1, 20))
            sums = [10_000_000] * ups + [-10_000_000] * (40 - ups)
            clustered += st.sign_flip_test(sums, Fraction(1, 20), 1000, 0).below
        assert clustered / 400 <= 0.06
        assert naive / 400 > 0.2


class TestIntervals:
    def test_bonett_price_as_published(self):
        # Airway hyper-responsiveness (Bentur et al. 2009), 7 against 1 of 21: by hand,
        # (8 - 2) / 23 +- 1.95996 sqrt((10 / 23 - (6 / 23)^2) / 23).
        assert st.bonett_price_interval(7, 1, 21, Fraction(1, 40)) == pytest.approx((0.0134, 0.5084), abs=5e-5)
        # Complete response (Cavo et al. 2012), 6 against 16 of 161: as in the program that Fagerland, Lydersen
        # and Laake publish with their book of 2017 (chapter 8), 95 % interval -0.1195 to -0.0032.
        assert st.bonett_price_interval(6, 16, 161, Fraction(1, 40)) == pytest.approx((-0.1195, -0.0032), abs=5e-5)

    def test_bonett_price_is_cut_at_the_scale(self):
        assert st.bonett_price_interval(1, 0, 1, Fraction(1, 10**6))[1] == 1.0

    def test_one_pair_a_group_is_the_paired_t_interval(self):
        gains = np.random.default_rng(1).integers(-(10**6), 10**6, 50)
        theirs = scipy.stats.ttest_1samp(gains, 0).confidence_interval(0.95)
        ours = st.clustered_interval(gains.tolist(), [str(i) for i in range(50)], Fraction(1, 40))
        assert ours == pytest.approx((theirs.low, theirs.high))

    def test_equal_groups_are_the_t_interval_of_their_means(self):
        gains = np.random.default_rng(2).integers(-(10**6), 10**6, (30, 4))
        theirs = scipy.stats.ttest_1samp(gains.mean(axis=1), 0).confidence_interval(0.95)
        groups = [str(g) for g in range(30) for _ in range(4)]
        ours = st.clustered_interval(gains.ravel().tolist(), groups, Fraction(1, 40))
        assert ours == pytest.approx((theirs.low, theirs.high))

    @pytest.mark.parametrize("seed", range(4))
    def test_unequal_groups_are_the_sandwich_of_a_regression_on_one(self, seed):
        # Liang and Zeger's sandwich with Stata's factor (CR1), from least squares and matrices.
        rng = np.random.default_rng(seed)
        sizes = rng.geometric(0.2, 25)
        groups = np.repeat(np.arange(25), sizes)
        gains = rng.integers(-(10**6), 10**6, groups.size) // 2 + rng.integers(-(10**6), 10**6, 25)[groups] // 2
        ones, n, clusters = np.ones((groups.size, 1)), groups.size, 25
        estimate, *_ = np.linalg.lstsq(ones, gains.astype(float), rcond=None)
        scores = [ones[groups == g].T @ (gains - ones @ estimate)[groups == g] for g in range(clusters)]
        bread, meat = np.linalg.inv(ones.T @ ones), sum(np.outer(s, s) for s in scores)
        factor = clusters / (clusters - 1) * (n - 1) / (n - 1)
        sandwich = float((factor * bread @ meat @ bread)[0, 0])
        assert len(set(sizes.tolist())) > 3
        names = [f"session-{g}" for g in groups]
        assert st.clustered_variance(gains.tolist(), names) == (pytest.approx(sandwich, rel=1e-9), clusters)
        half = scipy.stats.t.ppf(0.975, clusters - 1) * sandwich**0.5
        ours = st.clustered_interval(gains.tolist(), names, Fraction(1, 40))
        assert ours == pytest.approx((estimate[0] - half, estimate[0] + half), rel=1e-9)

    def test_one_group_knows_nothing(self):
        assert st.clustered_interval([5, 7, 9], ["a"] * 3, Fraction(1, 40)) == (-1e6, 1e6)
