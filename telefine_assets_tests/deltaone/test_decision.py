import random
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as some

from telefine_assets.deltaone.decision import PUBLIC_CODES, decide, public_view
from telefine_assets.deltaone.records import PPM, Guardrail, Rules

from .rows import LOOSE, LOWER, look, measuring, row, rows, swapped


class TestReached:
    def test_the_numbers(self):
        decision = decide(rows(61, 23, 380), Rules(), look())
        assert (decision.reached, decision.code) == (True, "reached")
        assert (decision.n, decision.wins, decision.losses, decision.ties) == (464, 61, 23, 380)
        assert decision.delta_sum_ppm == 38 * PPM
        assert decision.delta_ppm == 38 * PPM // 464
        assert (decision.alpha_k, decision.confidence, decision.k) == ("1/40", "19/20", 1)
        assert decision.method == "mcnemar_exact"
        assert decision.p_value == "0.0000203857"
        assert decision.lower_ppm < decision.delta_ppm < decision.upper_ppm
        assert decision.grade == "improved by at least 1 pp"
        assert "8.18 pp" in decision.sentence

    def test_grades(self):
        assert decide(rows(14, 4, 282), LOOSE, look()).grade == "improved"
        wide = replace(LOOSE, threshold_ppm=5_000)
        assert decide(rows(61, 23, 380), wide, look()).grade == "improved by at least 0.5 pp"

    def test_the_same_result_is_not_enough_at_a_later_look(self):
        items = rows(14, 4, 282)
        assert decide(items, LOOSE, look(1)).reached
        assert decide(items, LOOSE, look(2)).code == "not_significant"


class TestRefusals:
    def code(self, items, rules=LOOSE, the_look=None):
        decision = decide(items, rules, the_look or look())
        assert not decision.reached
        assert not decision.grade
        return decision.code

    def test_no_items(self):
        decision = decide([], LOOSE, look())
        assert (decision.code, decision.n, decision.baseline_ppm) == ("no_items", 0, None)

    def test_duplicate_items(self):
        items = rows(60, 20, 400)
        assert self.code([*items, items[7]]) == "duplicate_items"

    @pytest.mark.parametrize("source", ["output:tr-1", "baseline", "baseline:v3", " Output:x", "BASELINE"])
    def test_self_labels_cannot_certify(self, source):
        items = rows(60, 20, 400)
        assert self.code([replace(items[0], label_source=source), *items[1:]]) == "self_labels"

    @pytest.mark.parametrize("source", ["expectation:e9", "metric:exact", "judge:tone"])
    def test_other_labels_can(self, source):
        assert decide(rows(60, 20, 400, label_source=source), LOOSE, look()).reached

    def test_unknown_labels(self):
        assert self.code(rows(60, 20, 400, label_source=" ")) == "unknown_labels"

    def test_same_program(self):
        assert self.code(rows(60, 20, 400), LOOSE, look(candidate_version="b" * 64)) == "same_program"

    @pytest.mark.parametrize("score", [-1, PPM + 1, 10**30])
    def test_score_out_of_range(self, score):
        assert self.code([*rows(60, 20, 400), row(999, 0, score)]) == "score_out_of_range"

    @pytest.mark.parametrize(
        ("score", "error"), [(None, "unparsable"), (PPM, "unparsable"), (0, "timeout"), (PPM, "http_429")]
    )
    def test_scores_that_contradict_their_error(self, score, error):
        items = [*rows(60, 20, 400), row(999, 0, score, candidate_error=error)]
        assert self.code(items) == "inconsistent_scores"

    def test_unresolved_pairs_are_left_out_and_counted(self):
        items = [*rows(60, 20, 400), *(row(900 + i, PPM, None, candidate_error="timeout") for i in range(4))]
        decision = decide(items, LOOSE, look())
        assert (decision.reached, decision.n, decision.unresolved) == (True, 480, 4)

    def test_too_many_unresolved(self):
        rules = replace(LOOSE, max_unresolved_ppm=10_000)
        lost = [row(900 + i, None, PPM, baseline_error="timeout") for i in range(6)]
        assert decide(rows(60, 20, 414) + lost[:5], rules, look()).code == "too_many_unresolved"
        assert decide(rows(60, 20, 415) + lost[:5], rules, look()).reached  # 5 of 500, exactly 1 %
        assert self.code(lost, rules) == "too_many_unresolved"
        assert self.code(lost, replace(rules, max_unresolved_ppm=PPM)) == "too_few_items"

    def test_too_few_items_comes_with_a_plan(self):
        decision = decide(rows(30, 2, 67), Rules(), look())
        assert decision.code == "too_few_items"
        assert decision.required_n > 99
        assert f"collect {decision.required_n} resolved pairs" in decision.sentence
        assert not decision.p_value

    def test_an_old_holdout_becomes_too_small(self):
        items = rows(60, 10, 130)
        assert decide(items, Rules(), look(1)).reached
        assert decide(items, Rules(), look(60)).code == "too_few_items"

    def test_too_few_groups(self):
        items = [replace(r, group=f"contributor-{i % 5}") for i, r in enumerate(rows(100, 0, 300))]
        assert self.code(items) == "too_few_groups"

    def test_an_answer_that_the_metric_could_not_judge_is_unresolved_and_not_wrong(self):
        unjudged = row(999, PPM, None, candidate_error="unjudged: unparsable")
        decision = decide([*rows(60, 20, 400), unjudged], LOOSE, look())
        assert (decision.reached, decision.n, decision.unresolved) == (True, 480, 1)
        assert self.code([*rows(60, 20, 400), replace(unjudged, candidate_ppm=0)]) == "inconsistent_scores"

    def test_too_many_regressions(self):
        items = rows(60, 20, 400)
        assert decide(items, replace(LOOSE, max_regressions=20), look()).reached
        decision = decide(items, replace(LOOSE, max_regressions=19), look())
        assert decision.code == "too_many_regressions"
        assert "worse on 20 items; the rules allow 19" in decision.sentence
        assert self.code(rows(60, 1, 400), replace(LOOSE, max_regressions=0)) == "too_many_regressions"

    def test_regressions_of_a_loss_are_where_it_grows(self):
        items = rows(20, 60, 400)
        assert decide(items, replace(LOWER, max_regressions=20), look()).reached
        assert self.code(items, replace(LOWER, max_regressions=19)) == "too_many_regressions"

    def test_below_threshold(self):
        assert self.code(rows(20, 20, 300)) == "below_threshold"
        assert self.code(rows(9, 0, 991)) == "below_threshold"  # p = 0.002, and only 0.9 points

    def test_not_significant_comes_with_a_plan(self):
        decision = decide(rows(20, 12, 268), Rules(), look())
        assert decision.code == "not_significant"
        assert f"{decision.required_n:,} resolved pairs" in decision.sentence
        assert 1000 < decision.required_n < 3000

    def test_a_gain_of_exactly_the_threshold_has_no_plan(self):
        decision = decide(rows(11, 8, 281), Rules(), look())
        assert (decision.code, decision.required_n) == ("not_significant", None)
        assert "any number of items" in decision.sentence


class TestOrder:
    """Each reason stands before the next, whatever else is wrong."""

    def faults(self):
        """From everything wrong to nothing wrong: one cure at a time, and the reason that is then the first."""
        lost = [row(900 + i, None, PPM, baseline_error="timeout") for i in range(9)]
        rails = (Guardrail("safe", "safe", at_least=9, reads_label=True), Guardrail("fast", "fast", at_least=9))
        rules = replace(Rules(), guardrails=rails, max_regressions=0)
        own, few, slow, unsafe = {"label_source": "output:x"}, rows(1, 20, 60), {"fast": 1, "safe": 1}, {"fast": 9}
        same, differ, easy = look(candidate_version="b" * 64), look(), replace(rules, max_regressions=None)
        yield "duplicate_items", [*few, few[0]], rules, same
        yield "same_program", [replace(r, **own) for r in few + lost], rules, same
        yield "self_labels", [replace(r, **own) for r in few + lost], rules, differ
        yield "too_many_unresolved", few + lost, rules, differ
        yield "too_few_items", measuring(few, slow), rules, differ
        yield "guardrail_failed", measuring(rows(1, 20, 400), slow), rules, differ
        yield "below_threshold", measuring(rows(1, 20, 400), unsafe), rules, differ
        yield "not_significant", measuring(rows(26, 20, 400), unsafe), rules, differ
        yield "private_guardrail_missing", measuring(rows(60, 20, 400), unsafe), rules, differ
        yield "private_guardrail_failed", measuring(rows(60, 20, 400), unsafe | {"safe": 1}), rules, differ
        yield "too_many_regressions", measuring(rows(60, 20, 400), fast=9, safe=9), rules, differ
        yield "reached", measuring(rows(60, 20, 400), fast=9, safe=9), easy, differ

    def test_the_reasons_in_their_order(self):
        assert [(code, decide(*args).code) for code, *args in self.faults()] == [(c, c) for c, *_ in self.faults()]

    def test_a_refusal_for_what_is_known_without_scores_computes_nothing_from_scores(self):
        for code, *args in self.faults():
            decision = decide(*args)
            assert bool(decision.p_value) == (code not in PUBLIC_CODES or code == "reached")

    def test_every_reason_of_the_scores_is_shown_as_one(self):
        shown = {code: public_view(decide(*args))["code"] for code, *args in self.faults()}
        for code, public in shown.items():
            assert public == (code if code in PUBLIC_CODES else "not_reached")
        assert sum(public == "not_reached" for public in shown.values()) == 5


class TestGroups:
    def test_pairs_of_a_session_do_not_count_as_independent(self):
        items = rows(26, 10, 264)
        assert decide(items, LOOSE, look()).reached
        # The wins all come from two sessions.
        grouped = [replace(r, group=f"s{i // 13}" if i < 26 else r.group) for i, r in enumerate(items)]
        decision = decide(grouped, LOOSE, look())
        assert (decision.code, decision.method) == ("not_significant", "sign_flip_exact")
        assert decision.groups == 2 + 274
        assert decision.effective_n == 300**2 // (2 * 13**2 + 274)

    def test_graded_scores_are_flipped(self):
        rng = random.Random(1)
        items = [row(i, b := rng.randint(0, 500_000), b + rng.randint(-100_000, 200_000) % 500_000) for i in range(300)]
        decision = decide(items, LOOSE, look())
        assert (decision.method, decision.permutations, decision.reached) == ("sign_flip_sampled", 10_000, True)

    def test_late_looks_can_still_be_reached_with_graded_scores(self):
        # 10,000 flips cannot give a p-value below 0.05 / (90 * 91): more are drawn.
        rng = random.Random(1)
        items = [row(i, 0, rng.randint(0, 900_000)) for i in range(120)]
        decision = decide(items, LOOSE, look(90))
        assert decision.reached
        assert decision.permutations >= 1_000_000


scored = some.tuples(some.integers(0, PPM), some.integers(0, PPM))
binary = some.tuples(some.sampled_from((0, PPM)), some.sampled_from((0, PPM)))


def items_of(scores, groups=None):
    return [row(i, b, c, **({"group": groups[i % len(groups)]} if groups else {})) for i, (b, c) in enumerate(scores)]


class TestProperties:
    @settings(max_examples=60, deadline=None)
    @given(
        some.lists(some.one_of(scored, binary), min_size=1, max_size=60),
        some.none() | some.lists(some.sampled_from("abcdefghijklmnop"), min_size=1, max_size=40),
        some.sampled_from(("higher", "lower")),
        some.randoms(),
    )
    def test_the_order_of_rows_does_not_matter(self, scores, groups, direction, rng):
        items = items_of(scores, groups)
        rules = replace(LOOSE, direction=direction, permutations=500)
        before = decide(items, rules, look())
        rng.shuffle(items)
        assert decide(items, rules, look()) == before

    @settings(max_examples=60, deadline=None)
    @given(
        some.lists(some.one_of(scored, binary), min_size=8, max_size=60),
        some.none() | some.lists(some.sampled_from("abcdefghijklmnop"), min_size=8, max_size=40, unique=True),
        some.sampled_from(("higher", "lower")),
    )
    def test_swapping_the_programs_mirrors_the_numbers(self, scores, groups, direction):
        rules = replace(LOOSE, direction=direction, permutations=500)
        one = decide(items_of(scores, groups), rules, look())
        other = decide(swapped(items_of(scores, groups)), rules, look())
        assert (one.wins, one.losses, one.ties) == (other.losses, other.wins, other.ties)
        assert (one.delta_sum_ppm, one.delta_ppm) == (-other.delta_sum_ppm, -other.delta_ppm)
        assert not (one.reached and other.reached)
        if one.p_value and other.p_value:
            assert one.lower_ppm == pytest.approx(-other.upper_ppm, abs=1)
            assert one.upper_ppm == pytest.approx(-other.lower_ppm, abs=1)

    @settings(max_examples=60, deadline=None)
    @given(some.lists(some.one_of(scored, binary), min_size=8, max_size=60))
    def test_a_loss_is_a_score_upside_down(self, scores):
        up = decide(items_of(scores), LOOSE, look())
        down = decide(items_of([(PPM - b, PPM - c) for b, c in scores]), LOWER, look())
        for name in ("code", "delta_sum_ppm", "lower_ppm", "upper_ppm", "p_value", "grade", "wins"):
            assert getattr(up, name) == getattr(down, name)

    @settings(max_examples=60, deadline=None)
    @given(some.integers(0, 60), some.integers(0, 60), some.integers(0, 120), some.integers(1, 90))
    def test_one_more_win_never_hurts(self, wins, losses, ties, k):
        ranks = {"below_threshold": 0, "not_significant": 1, "reached": 2}
        if losses + ties == 0 or wins + losses + ties < 30:
            return
        before = decide(rows(wins, losses, ties), LOOSE, look(k))
        better = rows(wins + 1, losses, ties - 1) if ties else rows(wins + 1, losses - 1, 0)
        after = decide(better, LOOSE, look(k))
        assert ranks[after.code] >= ranks[before.code]
        assert float(after.p_value) <= float(before.p_value)

    @settings(max_examples=60, deadline=None)
    @given(some.integers(0, 60), some.integers(0, 60), some.integers(30, 200), some.integers(1, 5))
    def test_reached_means_both_conditions(self, wins, losses, ties, k):
        decision = decide(rows(wins, losses, ties), LOOSE, look(k))
        n = wins + losses + ties
        enough = 100 * (wins - losses) >= n
        assert decision.reached == (enough and Fraction(decision.p_value) < Fraction(decision.alpha_k))


class TestPublicView:
    SECRET = ("wins", "losses", "ties", "baseline", "candidate", "delta", "lower", "upper", "p_value", "required")

    def test_everything_once_reached(self):
        decision = decide(rows(61, 23, 380), Rules(), look())
        assert public_view(decision) == decision.to_record()

    def test_nothing_that_rests_on_scores_before(self):
        # Same n, other scores, both below the threshold and above: the views are the same bytes.
        views = [
            public_view(decide(rows(w, m, 300 - w - m), Rules(), look()))
            for w, m in ((0, 0), (0, 90), (20, 12), (11, 8), (60, 60), (9, 7))
        ]
        assert all(view == views[0] for view in views)
        assert views[0]["code"] == "not_reached"
        assert not [key for key in views[0] for word in self.SECRET if word in key]

    @settings(max_examples=80, deadline=None)
    @given(
        some.lists(some.tuples(some.sampled_from((0, PPM)), some.sampled_from((0, PPM))), min_size=40, max_size=40)
        | some.tuples(some.integers(0, 40), some.integers(0, 12)).map(
            lambda t: [(0, PPM)] * t[0] + [(PPM, 0)] * min(t[1], 40 - t[0]) + [(0, 0)] * max(0, 40 - sum(t))
        ),
        some.lists(some.none() | some.sampled_from((0, 500_000, PPM)), min_size=40, max_size=40)
        | some.just([PPM] * 40),
        some.sampled_from((1, 2, 5)),
    )
    def test_every_failure_looks_alike(self, scores, safe, k):
        # Scores and measures that read labels vary; what reads none stays.
        rails = (Guardrail("fast", "fast", at_least=9), Guardrail("safe", "safe", at_least=400_000, reads_label=True))
        rules = replace(LOOSE, guardrails=rails, max_regressions=3)
        items = [
            row(i, b, c, candidate_measures={"fast": 9} | ({} if s is None else {"safe": s}))
            for i, ((b, c), s) in enumerate(zip(scores, safe, strict=True))
        ]
        decision = decide(items, rules, look(k))
        view = public_view(decision)
        event(decision.code)
        if decision.reached:
            assert view == decision.to_record()
        else:
            losing = [replace(r, baseline_ppm=PPM, candidate_ppm=0) for r in items]
            assert view == public_view(decide(losing, rules, look(k)))
            assert view["code"] == "not_reached"

    def test_the_plan_when_too_few_is_told_and_rests_on_no_score(self):
        views = [public_view(decide(rows(w, m, 60 - w - m), Rules(), look())) for w, m in ((0, 0), (30, 20), (9, 0))]
        assert all(view == views[0] for view in views)
        assert views[0]["code"] == "too_few_items"
        assert "collect 215 resolved pairs (from the planned discordance of 20 %)" in views[0]["sentence"]

    def test_no_score_of_a_bad_row(self):
        bad = public_view(decide([*rows(60, 20, 400), row(999, 0, 1_234_567)], Rules(), look()))
        assert "1234567" not in str(bad)
        odd = public_view(decide([row(1, 0, 765_432, candidate_error="timeout")], Rules(), look()))
        assert "765432" not in str(odd)
