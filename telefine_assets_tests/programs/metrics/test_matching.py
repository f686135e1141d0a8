"""The built-in metrics: what is right, what is near, and that a typed program can be right."""

import enum
import functools
import unicodedata
from decimal import Decimal
from fractions import Fraction
from typing import Any

import dspy
import numpy
import pydantic
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from telefine_assets.programs.metrics import CannotJudge, Metric, contains, exact_match, f1, json_match, numeric
from telefine_assets_tests.programs.metrics.judging import JSON_VALUES, TEXTS, compared, labelled


class Team(enum.Enum):
    BILLING = "billing"


class Line(pydantic.BaseModel):
    item: str
    price: float
    team: Team | None = None
    tags: set[str] = set()


LINE = {"item": "Tea", "price": 3, "team": "billing", "tags": ["b", "a"]}

# exact_match


@pytest.mark.parametrize(
    ("predicted", "right"),
    [
        ({"team": "billing"}, True),
        ({"team": " Billing\n"}, True),
        ({"team": "billing", "reasoning": "because"}, True),
        ({"team": "login"}, False),
        ({"team": "billing team"}, False),
        ({"team": None}, False),
        ({}, False),
    ],
)
def test_exact_match_wants_every_labelled_output_whatever_its_case(predicted, right):
    assert exact_match(labelled(team="billing"), dspy.Prediction(**predicted)) is right


def test_exact_match_wants_all_of_several_outputs_or_those_that_are_named():
    example = labelled(team="billing", urgent=True)
    assert exact_match(example, dspy.Prediction(team="billing", urgent=True))
    assert not exact_match(example, dspy.Prediction(team="billing", urgent=False))
    assert exact_match(example, dspy.Prediction(team="billing", urgent=False), fields=["team"])


@pytest.mark.parametrize(
    ("label", "answer", "right"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (0, False, False),
        ("1", 1, False),
        (None, "None", False),
        (2**53 + 1, float(2**53), False),
        ("Stra\u00dfe", "STRASSE", True),
        ("caf\u00e9", "cafe\u0301", True),
        (["a", 2], ["A ", 2.0], True),
        (["a", "b"], ["b", "a"], False),
        (["a"], ("a",), True),
        ({"a": [1, {"b": "x"}]}, {"a": [1.0, {"b": " X"}]}, True),
        ({"a": 1}, {"A": 1}, False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ("billing", Team.BILLING, True),
        (["billing"], [Team.BILLING], True),
        ({"item": "tea", "price": 3, "team": None, "tags": []}, Line(item="Tea", price=3.0), True),
        ([LINE], [Line(item="tea", price=3, team=Team.BILLING, tags={"b", "a"})], False),
        ([LINE | {"tags": ["a", "b"]}], [Line(item="tea", price=3, team=Team.BILLING, tags={"b", "a"})], True),
        (0.5, numpy.float32(0.5), True),
        ([1, 2], numpy.array([1, 2]), True),
    ],
)
def test_exact_match_compares_typed_answers_with_their_json_labels(label, answer, right):
    assert compared(exact_match, label, answer) is right
    assert compared(exact_match, answer, label) is right


def test_an_answer_that_is_nested_beyond_reason_is_wrong_and_breaks_nothing():
    deep = functools.reduce(lambda inner, _: [inner], range(100_000), "x")
    for metric in (exact_match, f1, contains, numeric, json_match):
        assert not compared(metric, 3, deep)


def test_exact_match_can_mind_the_case():
    assert not compared(exact_match, ["Tea"], ["tea"], case_sensitive=True)
    assert compared(exact_match, ["Tea"], ["Tea "], case_sensitive=True)


@given(JSON_VALUES)
def test_every_value_equals_itself_however_it_is_written(value):
    assert compared(exact_match, value, value)
    assert compared(json_match, value, value, mode="exact")
    assert compared(json_match, value, value, mode="subset", ordered=False)
    assert compared(json_match, value, value, mode="share") == 1


@given(JSON_VALUES, JSON_VALUES)
def test_exact_match_and_json_match_agree_on_values_that_are_not_text(one, other):
    assume(not isinstance(one, str) and not isinstance(other, str))
    assert compared(exact_match, one, other) == compared(json_match, one, other)
    assert compared(exact_match, one, other) == compared(exact_match, other, one)


@given(TEXTS)
def test_the_way_a_letter_is_composed_does_not_count(text):
    assert compared(exact_match, unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text))


@pytest.mark.parametrize("metric", [exact_match, f1, contains, numeric, json_match])
def test_an_item_without_the_label_cannot_be_judged(metric):
    options: dict[str, Any] = {"field": "team"} if metric is numeric else {"fields": ["team"]}
    assert Metric("m", metric, options).judge(labelled(mood="good"), dspy.Prediction(team="1")).score_ppm is None
    with pytest.raises(CannotJudge, match="no label for any output"):
        metric(labelled(), dspy.Prediction(team="1"))


# f1


@pytest.mark.parametrize(
    ("label", "answer", "score"),
    [
        ("Paris", "Eiffel Tower is in Paris", Fraction(1, 3)),
        ("the Eiffel Tower", "eiffel tower!", 1),
        ("a b b", "b b c", Fraction(4, 5)),
        ("Paris", "London", 0),
        ("Paris", "", 0),
        ("Paris", None, 0),
        ("", "", 1),
        ("A", "A", 1),
        ("A", "", 0),
        (["red", "blue"], ["blue", "green"], Fraction(1, 2)),
        (12, "12", 1),
    ],
)
def test_f1_counts_shared_words(label, answer, score):
    assert compared(f1, label, answer) == score


def test_f1_is_the_mean_over_outputs():
    example = labelled(one="red", two="blue sky")
    assert f1(example, dspy.Prediction(one="red", two="sky")) == Fraction(5, 6)
    assert f1(example, dspy.Prediction(one="red", two="sky"), fields=["two"]) == Fraction(2, 3)


WORDS = st.lists(st.sampled_from(["red", "Blue", "the", "a", "sky!", "."]), max_size=6).map(" ".join)


@given(WORDS, WORDS)
def test_f1_is_in_range_symmetrical_and_what_dspy_computes(one, other):
    from dspy.evaluate.metrics import f1_score, normalize_text

    score = compared(f1, one, other)
    assert 0 <= score <= 1
    assert score == compared(f1, other, one)
    assert compared(f1, one, one) == 1
    if normalize_text(one) and normalize_text(other):
        assert float(score) == pytest.approx(f1_score(one, other))


# contains


@pytest.mark.parametrize(
    ("label", "answer", "right"),
    [
        ("refund", "You get a REFUND.", True),
        ("two  words", "these two\nwords", True),
        ("art", "the party", False),
        ("C++", "I write C++ daily", True),
        (42, "the answer is 42", True),
        (4, "the answer is 42", False),
        ("", "anything", False),
        ("", "", True),
        ("x", None, False),
    ],
)
def test_contains_looks_for_whole_words(label, answer, right):
    assert compared(contains, label, answer) is right


# numeric


@pytest.mark.parametrize(
    ("label", "answer", "options", "right"),
    [
        (0.3, 0.31, {"absolute": "0.01"}, True),
        (0.3, 0.311, {"absolute": "0.01"}, False),
        (100, 105, {"relative": "0.05"}, True),
        (100, 105.0001, {"relative": "0.05"}, False),
        (-100, -95, {"relative": "0.05"}, True),
        (0, 0.001, {"relative": "0.5"}, False),
        (1, 1.5, {"relative": "0.1", "absolute": "0.5"}, True),
        ("3.50", 3.5, {}, True),
        (3, " 3 ", {}, True),
        (3, "three", {}, False),
        (3, "3 apples", {}, False),
        (3, None, {}, False),
        (1, True, {}, False),
        (3, float("nan"), {"absolute": "9"}, False),
        (3, float("inf"), {"absolute": "9"}, False),
        (3, "1e999999999", {}, False),
        (3, "1e-999999999", {"absolute": "9"}, False),
        (3, "9" * 5_000, {}, False),
        (3, Decimal("3.0"), {}, True),
        (3, [3], {}, False),
    ],
)
def test_numeric_allows_what_the_tolerances_say(label, answer, options, right):
    assert compared(numeric, label, answer, **options) is right


TOLERANCES = st.decimals(0, 100, places=4)


@given(st.decimals(-1_000, 1_000, places=6), TOLERANCES, st.sampled_from([-1, 1]))
def test_the_bound_of_a_tolerance_belongs_to_it_and_nothing_beyond(label, tolerance, side):
    at_bound, beyond = label + side * tolerance, label + side * (tolerance + Decimal("1e-9"))
    assert compared(numeric, str(label), str(at_bound), absolute=str(tolerance))
    assert not compared(numeric, str(label), str(beyond), absolute=str(tolerance))


def test_numeric_has_no_opinion_on_labels_that_are_no_numbers():
    with pytest.raises(CannotJudge, match="the label of value is no number"):
        compared(numeric, "three", 3)
    with pytest.raises(CannotJudge, match=r"metric\.field"):
        numeric(labelled(low=1, high=2), dspy.Prediction(low=1, high=2))
    assert numeric(labelled(low=1, high=2), dspy.Prediction(low=0, high=2), field="high")


# json_match

ORDER = {"id": 7, "lines": [{"item": "tea", "n": 2}, {"item": "milk", "n": 1}]}
REVERSED = ORDER | {"lines": ORDER["lines"][::-1]}
SWAPPED = ORDER | {"lines": [{"item": "tea", "n": 1}, {"item": "milk", "n": 2}]}


@pytest.mark.parametrize(
    ("label", "answer", "options", "score"),
    [
        (ORDER, '{"lines": [{"n": 2.0, "item": "Tea"}, {"item": "milk", "n": 1}], "id": 7}', {}, True),
        (ORDER, REVERSED, {}, False),
        (ORDER, REVERSED, {"ordered": False}, True),
        (ORDER, SWAPPED, {"ordered": False}, False),
        (ORDER, ORDER | {"note": ""}, {}, False),
        (ORDER, ORDER | {"note": ""}, {"mode": "subset"}, True),
        (ORDER | {"note": ""}, ORDER, {"mode": "subset"}, False),
        ({"lines": []}, ORDER, {"mode": "subset"}, True),
        ({"lines": {}}, ORDER, {"mode": "subset"}, False),
        (ORDER, ORDER | {"id": 8}, {"mode": "share"}, Fraction(4, 5)),
        (ORDER, ORDER | {"note": "x"}, {"mode": "share"}, Fraction(5, 6)),
        (ORDER, REVERSED, {"mode": "share"}, Fraction(1, 5)),
        (ORDER, REVERSED, {"mode": "share", "ordered": False}, 1),
        ({"tags": [["a", "b"], ["c"]]}, {"tags": [["c"], ["b", "a"]]}, {"ordered": False}, True),
        (["a", "a", "b"], ["a", "b", "b"], {"ordered": False}, False),
        (["a", "a", "b"], ["a", "b", "b"], {"ordered": False, "mode": "share"}, Fraction(2, 3)),
        ({"a": 1}, "no JSON {", {}, False),
        ({"a": 1}, "[" * 100_000, {}, False),
        ({"a": {"0": 1}}, {"a": [1]}, {}, False),
        ({}, [], {}, False),
        ({"a": "X"}, {"a": "x"}, {"case_sensitive": True}, False),
        (LINE | {"tags": ["b", "a"]}, Line(**LINE), {"ordered": False}, True),
    ],
)
def test_json_match_compares_structures(label, answer, options, score):
    assert compared(json_match, label, answer, **options) == score


@given(JSON_VALUES, JSON_VALUES, st.booleans())
def test_the_three_modes_of_json_match_fit_together(one, other, ordered):
    exact = compared(json_match, one, other, ordered=ordered)
    share = compared(json_match, one, other, mode="share", ordered=ordered)
    both_ways = compared(json_match, one, other, mode="subset", ordered=ordered) and compared(
        json_match, other, one, mode="subset", ordered=ordered
    )
    assert exact == both_ways == (share == 1)
    assert 0 <= share <= 1
