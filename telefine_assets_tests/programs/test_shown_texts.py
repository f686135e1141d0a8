"""Texts are found again in prompts, however the prompt quotes them."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.programs.shown_texts import ShownTexts, words_of

QUOTED = {
    "raw": str,
    "json": json.dumps,
    "json as it is": lambda text: json.dumps(text, ensure_ascii=False),
    "json twice": lambda text: json.dumps(json.dumps(text)),
    "orjson": lambda text: orjson.dumps(text).decode(),
    "repr": repr,
    "indented": lambda text: text.replace("\n", "\n        "),
}
words = st.lists(st.text(st.characters(categories=("L", "N")), min_size=1, max_size=6), min_size=1, max_size=8)
marks = st.sampled_from([" ", "\n", "\t", " 'so' ", '" ', "\\ ", "\\n", ", ", " – ", "\u00a0", " $5_x "])


@pytest.mark.parametrize("quote", QUOTED.values(), ids=QUOTED)
@given(text=st.builds(lambda parts, mark: mark.join(parts), words, marks), before=words, after=words)
def test_a_text_is_found_however_it_is_quoted(quote, text, before, after):
    texts = ShownTexts()
    digest = texts.add(words_of(text))
    assert texts.found_in([f"{' '.join(before)}\n{quote(text)}\n{' '.join(after)}"]) == {digest}


@given(parts=words)
def test_a_text_is_not_found_by_a_part_of_it(parts):
    texts = ShownTexts()
    whole = [*parts, "end"]
    texts.add(whole)
    assert texts.found_in([" ".join(parts)]) == set()
    assert texts.found_in(["x".join(whole) + "x"]) == set()


def test_many_texts_that_begin_alike_are_told_apart():
    texts = ShownTexts()
    digests = {number: texts.add(words_of(f"this text begins alike but has number {number}")) for number in range(50)}
    prompt = "1. This text begins alike, but has number 7!\n2. this text begins alike but has number 8"
    assert texts.found_in([prompt]) == {digests[7], digests[8]}


def test_what_stands_in_two_parts_of_a_prompt_is_not_one_text():
    texts = ShownTexts()
    texts.add(("one", "two"))
    assert texts.found_in(["one", "two"]) == set()
