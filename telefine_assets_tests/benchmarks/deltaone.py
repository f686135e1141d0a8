"""DeltaOne on 100,000 pairs: the whole decision, and the exact McNemar test, each beside SciPy's.

Run: python -m telefine_assets_tests.benchmarks.deltaone [pairs]
Limits: the decision on 100,000 graded pairs in 20,000 sessions with 10,000 sign
flips and three guardrails takes at most 10 s and 1 GB; McNemar on 100,000 pairs,
tallies included, at most 50 ms after import. A tie with the level, which is
decided in integers, is printed. SciPy does the same flips (``permutation_test`` of the
session sums) and the same test (``binomtest``); the p-values must agree.
"""

import random
import time
from collections.abc import Iterator
from typing import Any

from telefine_assets_tests.benchmarks.measuring import measured
from telefine_assets_tests.benchmarks.results import Result, report

HERE = "telefine_assets_tests.benchmarks.deltaone"
FLIPS = 10_000
DECISION_SECONDS, DECISION_MB, MCNEMAR_SECONDS = 10, 1_000, 0.050


def graded(pairs: int) -> list[Any]:
    """Rows with graded scores, five to a session, and a gain of about 1.5 points."""
    from telefine_assets_tests.deltaone.rows import row

    rng = random.Random(0)

    def one(index: int) -> Any:
        old, new = ({"valid": 1_000_000, "latency_ms": rng.randint(50, 900), "safe": 1_000_000} for _ in range(2))
        scores = rng.randint(0, 970_000), rng.randint(0, 1_000_000)
        session = f"session-{index % (pairs // 5)}"
        return row(index, *scores, group=session, baseline_measures=old, candidate_measures=new)

    return [one(index) for index in range(pairs)]


def ours(pairs: int) -> dict[str, Any]:
    """The decision on graded rows: seconds without making the rows, and its p-value."""
    from telefine_assets.deltaone.decision import decide
    from telefine_assets.deltaone.records import LOWER, P95, Guardrail, Rules
    from telefine_assets_tests.deltaone.rows import look

    guardrails = (
        Guardrail("valid", "valid", at_least=990_000),
        Guardrail("fast", "latency_ms", P95, LOWER, at_most=900, max_worse=100),
        Guardrail("safe", "safe", at_least=999_000, max_worse=0, reads_label=True),
    )
    rows, rules = graded(pairs), Rules(permutations=FLIPS, guardrails=guardrails, max_regressions=pairs)
    start = time.perf_counter()
    decision = decide(rows, rules, look())
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "p": float(decision.p_value), "flips": decision.permutations, "code": decision.code}


def theirs(pairs: int) -> dict[str, Any]:
    """SciPy's permutation test of the session sums, which is given the sums; in batches that fit into memory."""
    import numpy as np
    from scipy.stats import permutation_test

    from telefine_assets.deltaone.statistics import group_sums

    rows = graded(pairs)
    gains = [each.candidate_ppm - each.baseline_ppm for each in rows]
    sums = np.array(group_sums(gains, [each.group for each in rows]))
    start = time.perf_counter()
    tested = permutation_test(
        (sums,),
        lambda x, axis: x.sum(axis=axis),
        permutation_type="samples",
        alternative="greater",
        n_resamples=FLIPS,
        batch=100,
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    return {"seconds": time.perf_counter() - start, "p": float(tested.pvalue)}


def mcnemar(pairs: int) -> dict[str, Any]:
    """Seconds (the best of five) of our test from the scores and from the tallies on, of SciPy's, and of a tie."""
    from fractions import Fraction

    from scipy.stats import binomtest

    from telefine_assets.deltaone.statistics import mcnemar_below, mcnemar_p

    rng = random.Random(0)
    old, new = ([rng.random() < share for _ in range(pairs)] for share in (0.80, 0.805))
    alpha = Fraction(1, 40)

    def tallied() -> tuple[int, int]:
        pairwise = list(zip(old, new, strict=True))
        return sum(b < c for b, c in pairwise), sum(b > c for b, c in pairwise)

    def test(wins: int, losses: int) -> float:
        mcnemar_below(wins, losses, alpha)
        return mcnemar_p(wins, losses)

    def by_scipy(wins: int, losses: int) -> float:
        return float(binomtest(wins, wins + losses, alternative="greater").pvalue)

    def tie() -> bool:
        return mcnemar_below(pairs // 2, pairs // 2 - 1, Fraction(1, 2))

    tallies = tallied()
    return {
        "p": test(*tallies),
        "their_p": by_scipy(*tallies),
        "whole": best(lambda: test(*tallied())),
        "ours": best(lambda: test(*tallies)),
        "theirs": best(lambda: by_scipy(*tallies)),
        "tie": best(tie, 1),
    }


def best(call: Any, times: int = 5) -> float:
    """Seconds of the fastest of so many calls."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main(pairs: int = 100_000) -> Iterator[Result]:
    """Measure both, and that they agree."""
    our, their = measured(HERE, "ours", pairs), measured(HERE, "theirs", pairs)
    mine, scipy = our.said, their.said
    if mine["code"] != "reached":
        raise SystemExit(f"the decision is {mine['code']}: not all of the rule was run")
    if abs(mine["p"] - scipy["p"]) > 0.02:
        raise SystemExit(f"the p-values differ: {mine['p']} and {scipy['p']}")
    seconds, megabytes = (DECISION_SECONDS, DECISION_MB) if pairs == 100_000 else (None, None)
    what, peer = f"decision on {pairs:,} graded pairs, {mine['flips']:,} flips", "SciPy's permutation_test alone"
    yield Result(what, mine["seconds"], "s", seconds, peer, scipy["seconds"])
    yield Result(f"{what}: memory", our.peak_mb, "MB", megabytes, peer, their.peak_mb)
    exact = measured(HERE, "mcnemar", pairs).said
    if abs(exact["p"] - exact["their_p"]) > 1e-9 * exact["their_p"]:
        raise SystemExit("the exact p-values differ")
    limit = MCNEMAR_SECONDS * 1000 if pairs == 100_000 else None
    yield Result(f"exact McNemar on {pairs:,} pairs", exact["whole"] * 1000, "ms", limit)
    yield Result("exact McNemar of the tallies", exact["ours"] * 1000, "ms", None, "SciPy", exact["theirs"] * 1000)
    yield Result("exact McNemar, a tie with the level", exact["tie"], "s")


if __name__ == "__main__":
    report(main)
