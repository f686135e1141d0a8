from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from telefine_assets.deltaone.decision import decide, public_view
from telefine_assets.deltaone.guardrails import broken, measured
from telefine_assets.deltaone.records import PPM, Guardrail, RecordError

from .rows import LOOSE, look, measuring, row, rows

GOOD = rows(60, 20, 400)


def rules(**guardrail):
    return replace(LOOSE, guardrails=(Guardrail(**{"name": "rail", "measure": "m", **guardrail}),))


def code(values, before=None, /, **guardrail):
    """The code of a guardrail that reads no label, on these values of the candidate (and of the baseline)."""
    before = [{}] * len(values) if before is None else before
    pairs = zip([v if isinstance(v, dict) else {"m": v} for v in before], values, strict=True)
    items = [
        row(i, 0, PPM, baseline_measures=old, candidate_measures=new if isinstance(new, dict) else {"m": new})
        for i, (old, new) in enumerate(pairs)
    ]
    reason = broken(items, rules(**guardrail), public=True)
    return reason and reason.code


class TestTheMean:
    def test_exactly_the_bound_holds_and_a_part_of_a_unit_less_does_not(self):
        # A sum that is one short of n * bound: a rounded mean would hide it.
        assert code([990_000, 989_999, 990_001], at_least=990_000) is None
        assert code([990_000, 989_999, 990_000], at_least=990_000) == "guardrail_failed"
        assert code([3_000, 3_001, 2_999], at_most=3_000) is None
        assert code([3_000, 3_001, 3_000], at_most=3_000) == "guardrail_failed"

    @given(some.lists(some.integers(0, PPM), min_size=1, max_size=50), some.integers(0, PPM))
    def test_it_is_compared_as_a_fraction(self, values, bound):
        assert (code(values, at_least=bound) is None) == (sum(values) >= bound * len(values))
        assert (code(values, at_most=bound) is None) == (sum(values) <= bound * len(values))

    def test_both_bounds_count(self):
        assert code([5, 5], at_least=4, at_most=6) is None
        assert code([7, 7], at_least=4, at_most=6) == "guardrail_failed"
        assert code([3, 3], at_least=4, at_most=6) == "guardrail_failed"


class TestTheBaseline:
    def test_worse_follows_the_direction(self):
        assert code([95, 95], [100, 100], max_worse=5) is None
        assert code([95, 94], [100, 100], max_worse=5) == "guardrail_failed"
        assert code([105, 105], [100, 100], max_worse=5, direction="lower") is None
        assert code([105, 106], [100, 100], max_worse=5, direction="lower") == "guardrail_failed"
        assert code([0, 0], [100, 100], max_worse=0, direction="lower") is None
        assert code([900, 900], [100, 100], max_worse=0) is None

    @given(some.lists(some.tuples(some.integers(0, 99), some.integers(0, 99)), min_size=1), some.integers(0, 9))
    def test_sums_are_compared(self, pairs, limit):
        old, new = zip(*pairs, strict=True)
        assert (code(new, old, max_worse=limit) is None) == (sum(old) - sum(new) <= limit * len(pairs))

    def test_p95_against_p95(self):
        slow, fast = [*[10] * 94, *[90] * 6], [10] * 100
        assert code(slow, fast, max_worse=80, statistic="p95", direction="lower") is None
        assert code(slow, fast, max_worse=79, statistic="p95", direction="lower") == "guardrail_failed"


class TestP95:
    def test_nearest_rank(self):
        # The 95th of 1..100, the 19th of 1..20 and the last of fewer than 20.
        assert code(list(range(100, 0, -1)), at_most=95, statistic="p95") is None
        assert code(list(range(100, 0, -1)), at_most=94, statistic="p95") == "guardrail_failed"
        assert code(list(range(1, 21)), at_most=19, statistic="p95") is None
        assert code(list(range(1, 21)), at_most=18, statistic="p95") == "guardrail_failed"
        assert code(list(range(1, 20)), at_most=18, statistic="p95") == "guardrail_failed"

    @given(some.lists(some.integers(0, 50), min_size=1, max_size=80), some.integers(0, 50))
    def test_at_most_holds_when_95_percent_of_the_answers_keep_it(self, values, bound):
        kept = sum(value <= bound for value in values)
        assert (code(values, at_most=bound, statistic="p95") is None) == (100 * kept >= 95 * len(values))

    @pytest.mark.parametrize("bound", [{"at_least": 1}, {"max_worse": 1}])
    def test_a_floor_that_only_the_best_answers_must_keep_is_refused(self, bound):
        with pytest.raises(RecordError, match="use the mean"):
            Guardrail("safe", "safe", "p95", **bound)


class TestMissing:
    def test_one_missing_value_of_the_candidate_is_enough(self):
        assert code([990_000, {}], at_least=0) == "guardrail_missing"
        assert code([{}, {}], at_most=5) == "guardrail_missing"

    def test_the_baselines_values_count_where_they_are_compared(self):
        assert code([5, 5], [5, {}], max_worse=9) == "guardrail_missing"
        assert code([5, 5], [5, {}], at_least=5) is None

    def test_a_missing_value_is_not_zero(self):
        assert code([0, 0], at_most=0) is None
        assert code([0, {}], at_most=0) == "guardrail_missing"

    def test_nothing_answered_is_nothing_measured(self):
        lost = [row(i, None, None, candidate_error="timeout") for i in range(3)]
        assert broken(lost, rules(at_most=5), public=True).code == "guardrail_missing"
        assert broken([], rules(at_most=5), public=True).code == "guardrail_missing"


class TestWhoIsMeasured:
    def test_pairs_without_an_answer_are_left_out(self):
        items = [row(0, 0, PPM, candidate_measures={"m": 5}), row(1, None, PPM, baseline_error="timeout")]
        assert broken(items, rules(at_least=5), public=True) is None

    def test_an_unreadable_answer_counts(self):
        items = [
            row(0, 0, PPM, candidate_measures={"m": PPM}),
            row(1, 0, 0, candidate_error="unparsable", candidate_measures={"m": 0}),
        ]
        assert broken(items, rules(at_least=500_001), public=True).code == "guardrail_failed"
        assert broken([items[0], replace(items[1], candidate_measures={})], rules(at_least=1), public=True)

    def test_an_answer_that_the_metric_cannot_judge_counts_too(self):
        # Else a candidate would keep every bound on which its own score is left out.
        unjudged = row(1, PPM, None, candidate_error="unjudged: no_verdict", candidate_measures={"m": 0})
        items = [row(0, 0, PPM, candidate_measures={"m": PPM}), unjudged]
        assert broken(items, rules(at_least=500_001), public=True).code == "guardrail_failed"

    @given(some.lists(some.integers(0, 9), min_size=1, max_size=9), some.integers(0, 9))
    def test_the_same_before_and_after_scoring(self, values, bound):
        scored = [row(i, 0, PPM, candidate_measures={"m": v}) for i, v in enumerate(values)]
        asked = [replace(each, baseline_ppm=None, candidate_ppm=None) for each in scored]
        assert broken(asked, rules(at_least=bound), True) == broken(scored, rules(at_least=bound), True)
        assert measured(asked, rules(at_least=bound)) == measured(scored, rules(at_least=bound))


class TestInTheDecision:
    def decided(self, items, *rails, **changes):
        return decide(items, replace(LOOSE, guardrails=rails, **changes), look())

    def test_a_gain_with_a_broken_guardrail_is_not_reached(self):
        fast = Guardrail("fast", "latency_ms", "p95", "lower", at_most=3_000)
        decision = self.decided(measuring(GOOD, latency_ms=3_001), fast)
        assert (decision.reached, decision.code) == (False, "guardrail_failed")
        for said in ("fast", "latency_ms", "p95", "3,001 ms", "at most 3,000 ms", "Choose a candidate"):
            assert said in decision.sentence
        assert not decision.p_value, "a look that was refused before the test has none"
        assert self.decided(measuring(GOOD, latency_ms=3_000), fast).reached

    def test_a_missing_measure_is_refused_with_its_cure(self):
        decision = self.decided(GOOD, Guardrail("cheap", "cost_micros", max_worse=5, direction="lower"))
        assert decision.code == "guardrail_missing"
        assert "cost_micros" in decision.sentence
        assert "price" in decision.sentence

    def test_what_was_measured_is_in_the_decision_and_a_mean_is_rounded_against_the_candidate(self):
        items = [
            *measuring(GOOD, {"good": 8, "slow": 8}, {"good": 9, "slow": 9}),
            *measuring([row(999, 0, PPM)], {"good": 9, "slow": 9}, {"good": 8, "slow": 8}),
        ]
        rails = (Guardrail("g", "good", at_least=1), Guardrail("s", "slow", direction="lower", at_most=90))
        good, slow = self.decided(items, *rails).guardrails
        assert good == {
            "name": "g",
            "measure": "good",
            "statistic": "mean",
            "baseline": 9,
            "candidate": 8,
            "bound": "at least 0.0001 %",
            "held": True,
            "reads_label": False,
        }
        assert (slow["baseline"], slow["candidate"]) == (8, 9)

    def test_the_first_broken_one_is_named(self):
        rails = [Guardrail(name, "m", at_least=PPM) for name in ("b", "a")]
        assert "guardrail b " in self.decided(measuring(GOOD, m=1), *rails).sentence

    def test_words_for_every_bound(self):
        rail = Guardrail("r", "tokens", direction="lower", at_least=1, at_most=1_200, max_worse=30)
        (outcome,) = self.decided(measuring(GOOD, tokens=9), rail).guardrails
        assert outcome["bound"] == (
            "at least 1 tokens and at most 1,200 tokens and worse than the baseline's by at most 30 tokens"
        )
        (outcome,) = self.decided(measuring(GOOD, safe=9), Guardrail("r", "safe", max_worse=5_000)).guardrails
        assert outcome["bound"] == "worse than the baseline's by at most 0.5 pp"


class TestWhatIsTold:
    SAFE = Guardrail("safe", "safe", at_least=900_000, reads_label=True)
    FAST = Guardrail("fast", "latency_ms", direction="lower", at_most=3_000)

    def view(self, items, *rails, **rules):
        decision = decide(items, replace(LOOSE, guardrails=rails, **rules), look())
        return decision, public_view(decision)

    def test_one_that_reads_no_label_is_told_with_its_number(self):
        decision, view = self.view(measuring(GOOD, latency_ms=3_500), self.FAST)
        assert (view["code"], view["sentence"]) == ("guardrail_failed", decision.sentence)
        assert [(r["name"], r["candidate"]) for r in view["guardrails"]] == [("fast", 3_500)]

    @pytest.mark.parametrize("measures", [{"safe": 123_456, "latency_ms": 77}, {"latency_ms": 77}])
    def test_one_that_reads_labels_is_not(self, measures):
        decision, view = self.view(measuring(GOOD, measures), self.SAFE, self.FAST)
        assert decision.code in ("private_guardrail_failed", "private_guardrail_missing")
        assert view["code"] == "not_reached"
        assert [rail["name"] for rail in view["guardrails"]] == ["fast"]
        assert "safe" not in str(view)
        assert "123456" not in str(view)
        assert view == self.view(measuring(rows(0, 80, 400), measures), self.SAFE, self.FAST)[1]

    def test_all_once_reached(self):
        _, view = self.view(measuring(GOOD, safe=950_000, latency_ms=77), self.SAFE, self.FAST)
        assert [(rail["name"], rail["held"]) for rail in view["guardrails"]] == [("safe", True), ("fast", True)]

    def test_one_on_the_answers_is_not_told_where_the_score_needs_no_label_either(self):
        # The guardrail could be the very judge that scores.
        judged = [replace(r, label={}, label_source="metric:tone") for r in GOOD]
        tone, valid = (Guardrail(name, name, at_least=900_000) for name in ("tone", "valid"))
        for rail in (tone, valid):
            decision, view = self.view(measuring(judged, {rail.name: 123_456}), rail, score_reads_label=False)
            assert decision.code == "private_guardrail_failed"
            assert (view["code"], view["guardrails"]) == ("not_reached", [])
            # Another guardrail may read labels: the items then have theirs, and the score needs them as little.
            decision, _ = self.view(measuring(GOOD, {rail.name: 123_456}), rail, score_reads_label=False)
            assert decision.code == "private_guardrail_failed"
        slow = self.view(measuring(judged, latency_ms=9_999), self.FAST, score_reads_label=False)
        assert slow[1]["code"] == "guardrail_failed"
