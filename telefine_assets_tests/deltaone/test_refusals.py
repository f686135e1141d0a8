"""What stands against a look before it is scored, and how it is said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.power import rule_power
from telefine_assets.deltaone.records import PPM, Rules
from telefine_assets.deltaone.refusals import before_scoring, holdout_reused, self_labels
from telefine_assets.deltaone.statistics import spent_alpha

from .rows import look, row

LABEL = "expectation:HUMAN:e1"
RULES = Rules()


def code(sizes, sources=None, the_look=None, rules=RULES):
    reason = before_scoring(sizes, [LABEL] * sum(sizes) if sources is None else sources, the_look or look(), rules)
    return reason and reason.code


def test_enough_items_may_be_looked_at():
    assert code([1] * 300) is None


def test_each_reason_and_their_order():
    same, own = look(candidate_version="b" * 64), [LABEL, "output:tr-1"]
    assert code([1, 1], own, same) == "same_program"
    assert code([1, 1], own) == "self_labels"
    assert code([1, 1], [LABEL, ""]) == "unknown_labels"
    assert code([1, 1]) == "too_few_items"
    assert code([]) == "too_few_items"
    assert code([100, 100, 100, 100, 100]) == "too_few_groups"


@pytest.mark.parametrize("number", [1, 2, 30])
def test_the_plan_is_for_this_look_and_it_is_enough(number):
    reason = before_scoring([1] * 60, [LABEL] * 60, look(number), RULES)
    assert f"at look {number}, collect {reason.required_n:,} resolved pairs" in reason.sentence
    assert code([1] * reason.required_n, the_look=look(number)) is None
    level = spent_alpha(RULES.alpha, number)
    chance = rule_power(reason.required_n, RULES.planned_discordance_ppm, RULES.target_gain_ppm, level, 10_000)
    assert chance * PPM >= RULES.power_ppm


def test_a_look_that_was_spent_is_planned_for_the_next():
    decision = decide([row(i, 0, 0) for i in range(60)], RULES, look(3))
    assert "at look 4" in decision.sentence
    assert decision.required_n > before_scoring([1] * 60, [LABEL] * 60, look(3), RULES).required_n


@settings(max_examples=40, deadline=None)
@given(some.lists(some.integers(1, 40), min_size=1, max_size=40), some.integers(1, 40))
def test_it_says_what_the_decision_would_say(sizes, number):
    items = [row(100 * g + i, 0, 0, group=f"s{g}") for g, size in enumerate(sizes) for i in range(size)]
    expected = before_scoring(sizes, [LABEL] * len(items), look(number), RULES)
    decided = decide(items, RULES, look(number)).code
    assert decided == (expected.code if expected else "below_threshold")


def test_a_reused_holdout_says_how_many_are_fresh_and_what_is_needed():
    reason = holdout_reused(12, 340, RULES)
    assert (reason.code, reason.required_n) == ("holdout_reused", 100)
    for said in ("12 held-out items are fresh", "needs 100", "340 more retired", "Label traces"):
        assert said in reason.sentence
    assert "1 held-out item is fresh" in holdout_reused(1, 340, RULES).sentence


def test_self_labels_name_the_cure():
    reason = self_labels(7, 1_300)
    assert reason.code == "self_labels"
    assert "7 labels of 1,300" in reason.sentence
    assert "expectation" in reason.sentence
