"""Clusters and splits: what is the same input, and on which side it stands."""

import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.traces.clustering.shingles import SEPARATOR
from telefine_assets.traces.clusters import cluster_of, normalised, split_of, text_of
from telefine_assets_tests.traces.examples import expectation, only, trace

letters = st.text(st.characters(max_codepoint=0x24F, categories=("L", "N", "P", "Zs")), max_size=30)


def cluster(text):
    return cluster_of({"ticket": text})


def upper(text):
    """Upper case, where a letter has one of its own and comes back from it."""
    return "".join(each.upper() if each.upper().casefold() == each.casefold() else each for each in text)


@given(letters, st.sampled_from([" ", "\n", "\t ", "\u00a0", "\u3000 "]))
def test_variants_in_case_white_space_and_unicode_form_are_one_input(text, blank):
    variants = [
        upper(text),
        text.casefold(),
        f"{blank}{text}{blank}",
        text.replace(" ", blank * 2),
        *(unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")),
    ]
    assert {cluster(each) for each in variants} == {cluster(text)}


@given(st.text())
def test_normalising_twice_changes_nothing_more(text):
    assert normalised(normalised(text)) == normalised(text)


def test_full_width_letters_and_ligatures_are_the_letters_that_they_stand_for():
    assert cluster("ＨＥＬＰ the o\ufb03ce") == cluster("help the office")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"ticket": "help"}, {"ticket": "helps"}),
        ({"ticket": "a b"}, {"ticket": "ab"}),
        ({"ticket": "a", "shop": "b"}, {"ticket": "b", "shop": "a"}),
        ({"ticket": ["a", "b"]}, {"ticket": ["b", "a"]}),
        ({"ticket": None}, {"ticket": ""}),
        ({"number": 1}, {"number": 2}),
        ({"number": 2**60}, {"number": 2**60 + 1}),
        ({"number": 0.1}, {"number": 0.1 + 1e-12}),
    ],
)
def test_different_inputs_are_different_clusters(one, other):
    assert cluster_of(one) != cluster_of(other)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, {"a": [1.5, {"b": None}]}, True])
def test_inputs_of_any_shape_have_a_cluster_and_the_order_of_fields_is_none_of_it(value):
    assert cluster_of({"x": value, "y": "Y"}) == cluster_of({"y": "y", "x": value})


def test_the_text_of_inputs_is_their_normalised_values_in_the_order_of_the_fields():
    inputs = {"shop": " Tea\n& Co ", "number": 2.50, "lines": ["ONE ", {"b": None, "a": 1}], "extra": None}
    assert text_of(inputs).split(SEPARATOR) == ["null", '["one",{"a":1,"b":null}]', "2.5", "tea & co"]
    assert text_of(dict(reversed(inputs.items()))) == text_of(inputs)
    assert text_of({}) == ""


@given(st.dictionaries(letters, st.text() | st.lists(st.text()) | st.integers() | st.floats(), max_size=4))
def test_no_value_can_pretend_to_be_two(inputs):
    assert text_of(inputs).count(SEPARATOR) == max(0, len(inputs) - 1)
    assert cluster_of(inputs) != cluster_of({**inputs, "another field": ""})


@given(st.dictionaries(letters, st.text() | st.booleans(), max_size=4))
def test_inputs_of_one_cluster_have_one_text(inputs):
    other = {name: value.upper() if isinstance(value, str) else value for name, value in inputs.items()}
    if cluster_of(inputs) == cluster_of(other):
        assert text_of(inputs) == text_of(other)


def sides(key, validation=20, holdout=30, count=4000):
    return [split_of(cluster(f"ticket {number}"), key, validation, holdout) for number in range(count)]


@pytest.mark.parametrize(("validation", "holdout"), [(20, 30), (17, 58), (1, 1), (1, 98)])
def test_the_shares_of_the_sides_are_near_the_percentages(validation, holdout):
    found = Counter(sides("key", validation, holdout))
    wanted = {"validation": validation, "holdout": holdout, "train": 100 - validation - holdout}
    for side, percent in wanted.items():
        spread = (4000 * percent * (100 - percent)) ** 0.5 / 100
        assert abs(found[side] - 40 * percent) < 4 * spread


def test_nobody_without_the_key_knows_the_sides():
    one, other = sides("key"), sides("another key")
    same = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    by_chance = 0.2**2 + 0.3**2 + 0.5**2
    assert abs(same - by_chance) < 0.04


def test_a_longer_holdout_takes_from_the_others_and_gives_nothing_back():
    before, after = sides("key", 20, 30), sides("key", 20, 40)
    assert all(new == "holdout" for old, new in zip(before, after, strict=True) if old == "holdout")


@given(st.lists(letters.filter(str.strip), min_size=1, max_size=8, unique_by=normalised), st.integers(0, 7))
def test_other_traces_never_move_a_trace_to_another_side(texts, at):
    from telefine_assets_tests.traces.examples import cleaned

    rows = [trace(number, expectation("login"), inputs={"ticket": text}) for number, text in enumerate(texts)]
    alone = only(rows[at % len(rows)])
    together = {each.trace_id: each for each in cleaned(*rows)[0]}
    assert together[alone.trace_id] == alone
