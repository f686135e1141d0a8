"""One point exactly, and the good direction: what a known system gets wrong with floats and a fixed direction."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.records import PPM

from .rows import LOOSE, LOWER, look, row, rows, swapped

QUICK = replace(LOOSE, permutations=100)


def outcomes(n):
    """Wins and losses by which a baseline that is right on k of n is right on k + n / 100, for k from none to all."""
    gain = n // 100
    for k in {*range(0, n - gain, max(1, n // 4)), n - gain}:
        most = min(k, n - gain - k)
        for losses in {0, most // 2, most}:
            yield k, losses + gain, losses


@pytest.mark.parametrize("n", range(100, 2001, 100))
def test_exactly_one_point_is_never_below_the_threshold_and_a_millionth_less_always_is(n):
    for k, wins, losses in outcomes(n):
        items = [
            *rows(wins, losses, k - losses),
            *(row(10_000 + i, 0, 0) for i in range(n - wins - k)),
        ]
        assert sum(r.baseline_ppm for r in items) == k * PPM
        decision = decide(items, QUICK, look())
        assert (decision.n, decision.delta_sum_ppm, decision.delta_ppm) == (n, n * 10_000, 10_000)
        assert decision.code in ("reached", "not_significant")
        less = replace(items[0], candidate_ppm=PPM - 1)
        assert decide([less, *items[1:]], QUICK, look()).code == "below_threshold"


@pytest.mark.parametrize("n", [200, 300, 700, 1100, 1900])
def test_exactly_one_point_of_graded_scores(n):
    # 0.1 + 0.2 and the like: every gain is 0.01, from uneven starts.
    rng = random.Random(n)
    items = [row(i, s := rng.randint(0, 990_000), s + 10_000) for i in range(n)]
    decision = decide(items, LOOSE, look())
    assert decision.reached
    assert decision.grade == "improved by at least 1 pp"
    worse = replace(items[0], candidate_ppm=items[0].candidate_ppm - 1)
    assert decide([worse, *items[1:]], LOOSE, look()).code == "below_threshold"


class TestDirection:
    def test_a_loss_from_20_to_30_percent_is_never_accepted(self):
        for n in (100, 1000):
            items = [row(i, 200_000, 300_000) for i in range(n)]
            decision = decide(items, LOWER, look())
            assert (decision.code, decision.delta_ppm) == ("below_threshold", -100_000)
            assert decide(swapped(items), LOWER, look()).reached

    def test_more_errors_are_never_accepted_as_a_loss(self):
        # 20 % of items wrong with the baseline, 30 % with the candidate.
        items = [row(i, PPM * (i % 10 < 2), PPM * (i % 10 < 3)) for i in range(1000)]
        assert decide(items, LOWER, look()).code == "below_threshold"
        assert decide(swapped(items), LOWER, look()).reached

    @settings(max_examples=60, deadline=None)
    @given(
        some.lists(some.tuples(some.integers(0, PPM), some.integers(0, PPM)), min_size=1, max_size=80),
        some.none() | some.lists(some.sampled_from("abcdefgh"), min_size=1, max_size=8),
        some.sampled_from((LOOSE, LOWER)),
    )
    def test_what_is_worse_on_average_is_never_accepted(self, scores, groups, rules):
        items = [
            row(i, *pair, **({"group": groups[i % len(groups)]} if groups else {})) for i, pair in enumerate(scores)
        ]
        before, after = (sum(side) for side in zip(*scores, strict=True))
        if (after <= before) if rules is LOOSE else (after >= before):
            code = decide(items, replace(rules, permutations=100), look()).code
            assert code == ("below_threshold" if len({each.group for each in items}) > 5 else "too_few_groups")

    def test_an_unreadable_answer_is_the_worst_one_for_a_loss_too(self):
        unreadable = {"candidate_error": "unparsable", "candidate_output": None}
        items = [row(i, 300_000, 0, **unreadable) for i in range(500)]
        assert decide(items, LOWER, look()).delta_ppm == -700_000
        assert decide(items, LOOSE, look()).delta_ppm == -300_000
