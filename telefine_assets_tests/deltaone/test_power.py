from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from telefine_assets.deltaone.power import detectable_gain, effective_n, required_n, rule_power, table
from telefine_assets.deltaone.statistics import StatisticsError, mcnemar_below, minimal_wins

FIVE, HALF = Fraction(1, 20), Fraction(1, 40)


@pytest.mark.parametrize(
    ("n", "alpha", "power"), [(681, FIVE, 0.769), (1000, FIVE, 0.901), (681, HALF, 0.664), (1000, HALF, 0.835)]
)
def test_power_of_three_points_at_ten_percent_discordance(n, alpha, power):
    assert rule_power(n, 100_000, 30_000, alpha, 10_000) == pytest.approx(power, abs=6e-4)


def test_power_sums_every_outcome():
    # n small enough to list all outcomes of the multinomial.
    from math import factorial

    n, win, loss, total = 25, 0.35, 0.15, 0.0
    for w in range(n + 1):
        for lost in range(n + 1 - w):
            if (w - lost) * 1_000_000 >= n * 10_000 and mcnemar_below(w, lost, HALF):
                ways = factorial(n) / factorial(w) / factorial(lost) / factorial(n - w - lost)
                total += ways * win**w * loss**lost * (1 - win - loss) ** (n - w - lost)
    assert rule_power(n, 500_000, 200_000, HALF, 10_000) == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize(
    ("n", "discordance", "gain", "alpha"),
    [
        *((n, 0.10, 0.03, alpha) for n in (681, 1000) for alpha in (FIVE, HALF)),
        (400, 0.20, 0.06, HALF),
        (250, 0.50, 0.01, FIVE),
    ],
)
def test_power_agrees_with_simulation(n, discordance, gain, alpha):
    better, worse = (discordance + gain) / 2, (discordance - gain) / 2
    draws = np.random.default_rng(n).multinomial(n, [better, worse, 1 - discordance], size=40_000)
    wins, losses, _ = draws.T
    reached = ((wins - losses) * 100 >= n) & (wins >= minimal_wins(wins + losses, alpha))
    closed = rule_power(n, round(discordance * 1e6), round(gain * 1e6), alpha, 10_000)
    assert closed == pytest.approx(reached.mean(), abs=0.01)


def test_the_table_of_the_published_cases():
    rows = table(30_000, 100_000, ["0.05", HALF], [681, 1000], 10_000)
    assert [(row.alpha, row.n) for row in rows] == [(FIVE, 681), (FIVE, 1000), (HALF, 681), (HALF, 1000)]
    assert [row.power_ppm / 1e6 for row in rows] == pytest.approx([0.769, 0.901, 0.664, 0.835], abs=6e-4)
    assert table(30_000, 100_000, [], [681], 10_000) == []


def test_the_threshold_counts_too():
    # A true gain of exactly the threshold falls short in half of all samples, whatever n is.
    assert rule_power(500_000, 100_000, 10_000, FIVE, 10_000) == pytest.approx(0.5, abs=0.01)
    assert rule_power(500_000, 100_000, 10_000, FIVE, 1) > 0.99


def test_required_n():
    needed = required_n(100_000, 30_000, FIVE, 10_000, 800_000)
    assert 725 <= needed <= 745
    assert rule_power(needed, 100_000, 30_000, FIVE, 10_000) >= 0.8
    assert required_n(100_000, 10_000, FIVE, 1, 800_000) > 6000
    assert required_n(100_000, 10_000, FIVE, 10_000, 800_000) is None
    assert required_n(100_000, 10_001, FIVE, 10_000, 800_000) is None


@pytest.mark.parametrize("n", [50, 200, 1000, 20_000])
def test_detectable_gain_is_where_the_power_crosses(n):
    gain = detectable_gain(n, 200_000, HALF, 10_000, 800_000)
    assert rule_power(n, 200_000, gain, HALF, 10_000) >= 0.8
    assert rule_power(n, 200_000, gain - 100, HALF, 10_000) < 0.8


def test_nothing_is_detectable_with_too_few():
    assert detectable_gain(0, 200_000, HALF, 10_000, 800_000) is None
    assert detectable_gain(5, 200_000, HALF, 10_000, 800_000) is None
    assert detectable_gain(6, 200_000, HALF, 10_000, 800_000) is not None


def test_power_rises_with_the_gain():
    powers = [rule_power(300, 100_000, gain, HALF, 10_000) for gain in range(-100_000, 600_001, 20_000)]
    assert all(later > earlier - 1e-12 for earlier, later in pairwise(powers))


def test_effective_n():
    assert effective_n([1] * 30) == 30
    assert effective_n([10] * 30) == 30
    assert effective_n([100, 1, 1]) == 1
    assert effective_n([]) == 0
    with pytest.raises(StatisticsError):
        effective_n([0])
