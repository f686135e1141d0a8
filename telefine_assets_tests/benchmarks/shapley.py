"""Shapley weights of 12 clusters from 400 coalitions with noisy answers, beside sampling of permutations.

Run: python -m telefine_assets_tests.benchmarks.shapley [games]
Limit: in each of 50 seeded games with 2 % of all answers flipped, at most 6 % of the
pool goes elsewhere than by the exact weights without noise (total variation). The peer
has the same answers and the same budget of distinct coalitions: the mean gain along
random orders (Castro, Gomez and Tejada 2009) and their reverses, negatives clipped.
"""

import random
import time
from collections.abc import Callable, Iterator
from functools import cache

from telefine_assets.attribution.shapley import ShapleyRules, shapley_values, shapley_weights
from telefine_assets.attribution.usage import Arrival, UsedDemo
from telefine_assets_tests.benchmarks.results import Result, report

PLAYERS, BUDGET, FLIPPED, ITEMS, LIMIT = 12, 400, 0.02, 200, 0.06
NAMES = [f"c{i:02d}" for i in range(PLAYERS)]
RIGHT = 1_000_000

Answers = Callable[[frozenset[str]], list[bool]]


def game(seed: int) -> Answers:
    """Which validation items a program with some demos answers rightly, without noise.

    An item is answered without help, or by a demo like it (some demos help with
    much, some with little), or by two demos together; some demos mislead.
    """
    rng = random.Random(seed)
    strength = [rng.expovariate(1) for _ in NAMES]
    helpers = []
    for _ in range(ITEMS):
        alone = rng.random() < 0.4
        like = [frozenset(rng.choices(NAMES, strength, k=rng.choice([1, 1, 1, 2]))) for _ in range(rng.randint(1, 3))]
        misled = frozenset({rng.choice(NAMES)}) if rng.random() < 0.05 else None
        helpers.append((alone, like, misled))

    def answers(coalition: frozenset[str]) -> list[bool]:
        return [
            (alone or any(each <= coalition for each in like)) and not (misled and misled <= coalition)
            for alone, like, misled in helpers
        ]

    return answers


def clean(answers: Answers) -> Callable[[frozenset[str]], int]:
    """The worth of a coalition."""
    return lambda coalition: RIGHT * sum(answers(coalition))


def noisy(answers: Answers, seed: int) -> Callable[[frozenset[str]], int]:
    """The worth of a coalition if every answer may come out wrong; a coalition's answers stay the same."""

    def worth(coalition: frozenset[str]) -> int:
        rng = random.Random(f"{seed} {sorted(coalition)}")
        return RIGHT * sum(right ^ (rng.random() < FLIPPED) for right in answers(coalition))

    return worth


def weights_of(utility: Callable[[frozenset[str]], int], rules: ShapleyRules) -> dict[str, int]:
    """Parts per million by cluster, one wallet to each."""
    values = shapley_values(NAMES, utility, rules)
    wallets = [f"0x{i + 1:040x}" for i in range(PLAYERS)]
    demos = [UsedDemo(name, name, 0) for name in NAMES]
    arrivals = [Arrival(name, name, wallets[i], None, i) for i, name in enumerate(NAMES)]
    table = shapley_weights(values, demos, arrivals, rules).table
    return {line.clusters[0]: line.weight_ppm for line in table.lines}


def by_permutations(utility: Callable[[frozenset[str]], int], seed: int) -> dict[str, float]:
    """The peer: mean marginal gains along random orders and their reverses, until the budget is spent."""
    rng, worth, asked = random.Random(seed), cache(utility), 2
    sums = dict.fromkeys(NAMES, 0)
    while asked + 2 * (PLAYERS - 1) <= BUDGET:
        order = rng.sample(NAMES, PLAYERS)
        for way in (order, order[::-1]):
            for i, name in enumerate(way):
                sums[name] += worth(frozenset(way[: i + 1])) - worth(frozenset(way[:i]))
        asked = worth.cache_info().currsize
    return {name: max(0, each) for name, each in sums.items()}


def misallocated(found: dict[str, float], true: dict[str, float]) -> float:
    """The share of the pool that goes elsewhere."""
    ours, theirs = sum(found.values()) or 1, sum(true.values())
    return sum(abs(found.get(name, 0) / ours - true.get(name, 0) / theirs) for name in NAMES) / 2


def main(games: int = 50) -> Iterator[Result]:
    """Measure both on the same answers."""
    ours, peers, seconds = [], [], 0.0
    for seed in range(games):
        answers = game(seed)
        true = weights_of(clean(answers), ShapleyRules(budget=2**PLAYERS))
        asked = noisy(answers, seed)
        start = time.perf_counter()
        ours.append(misallocated(weights_of(asked, ShapleyRules(budget=BUDGET, seed=seed)), true))
        seconds += time.perf_counter() - start
        peers.append(misallocated(by_permutations(asked, seed), true))
    print(f"{PLAYERS} clusters, {BUDGET} coalitions, {FLIPPED:.0%} of answers flipped; {seconds / games:.2f} s a game")
    what, peer = "pool misallocated by Shapley weights", "permutations"
    yield Result(f"{what}, worst of {games} games", 100 * max(ours), "%", 100 * LIMIT, peer, 100 * max(peers))
    yield Result(f"{what}, mean", 100 * sum(ours) / games, "%", None, peer, 100 * sum(peers) / games)


if __name__ == "__main__":
    report(main)
