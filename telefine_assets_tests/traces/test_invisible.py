"""What nobody sees makes no copy another input; what a program is given keeps every character."""

import json
import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.traces.clusters import cluster_of, normalised, text_of
from telefine_assets.traces.invisible import CONTROLS, DEFAULT_IGNORABLE, visible
from telefine_assets_tests.traces.clustering.days import Program, Trace
from telefine_assets_tests.traces.examples import expectation, only, trace

HIDDEN = [chr(point) for first, last in DEFAULT_IGNORABLE + CONTROLS for point in range(first, last + 1)]
EVERY = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
TEXT = "please help my parcel is late and nobody answers the phone"


def strewn(text, hidden):
    """The text with something hidden before each of its characters."""
    return "".join(hidden + each for each in text) + hidden


def test_the_table_is_the_property_of_the_unicode_standard():
    """Whoever changes the table counts ``clustering.index.METHOD`` up."""
    known = {chr(point) for first, last in DEFAULT_IGNORABLE for point in range(first, last + 1)}
    assert known == set(regex.findall(r"\p{Default_Ignorable_Code_Point}", "".join(EVERY)))


def test_of_the_controls_only_white_space_is_left():
    assert [each for each in EVERY if unicodedata.category(each) == "Cc" and visible(each)] == [*"\t\n\v\f\r\x85"]


def test_no_visible_character_hides_an_invisible_one():
    folded = "".join(unicodedata.normalize("NFKC", each).casefold() for each in EVERY if visible(each))
    assert visible(folded) == folded


@given(st.text(), st.text(st.sampled_from(HIDDEN), max_size=3))
def test_a_text_strewn_with_what_nobody_sees_is_the_same_input(text, hidden):
    one, other = {"ticket": text}, {"ticket": strewn(text, hidden)}
    assert cluster_of(other) == cluster_of(one)
    assert text_of(other) == text_of(one)


@pytest.mark.parametrize("hidden", ["\u200b", "\u200d", "\u00ad", "\u034f", "\ufe0f", "\U000e0041", "\u2060", "\x1f"])
def test_an_invisible_copy_joins_the_cluster_of_what_it_copies(hidden):
    every_third = "".join(each + hidden * (at % 3 == 2) for at, each in enumerate(TEXT))
    rows = Program().clean("2026-11-02", [Trace("first", TEXT, None, 1), Trace("copy", every_third, None, 2)])
    assert rows["first"].cluster == rows["copy"].cluster


def test_an_accent_is_not_kept_from_its_letter():
    assert normalised("cafe\u034f\u0301") == normalised("café")


def test_emoji_are_the_same_with_and_without_joiners_and_variation_selectors():
    assert normalised("👩\u200d🔧 ❤\ufe0f") == normalised("👩🔧 ❤")


def test_names_within_an_input_hide_nothing_either():
    one, other = ({"order": {name: "12", "shop": {"Name": "tea"}}} for name in ("Number", "num\u200bber"))
    assert cluster_of(one) == cluster_of(other)
    assert text_of(one) == text_of(other)


def test_names_that_would_be_one_stay_two():
    one, other = {"x": {"a": 1, "A": 2}}, {"x": {"a": 2, "A": 1}}
    assert cluster_of(one) != cluster_of(other)
    assert cluster_of(one) != cluster_of({"x": {"a": 1}})


def test_the_program_is_given_its_input_as_it_came():
    inputs = {"ticket": strewn(TEXT, "\u200b")}
    assert json.loads(only(trace(1, expectation("login"), inputs=inputs)).inputs) == inputs
