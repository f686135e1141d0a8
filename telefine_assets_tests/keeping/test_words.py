"""Words are found in whatever form they were written down, and others' words are not taken for them."""

import html
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from telefine_assets.keeping.quoting import instructions_in
from telefine_assets.keeping.words import Words, texts_in

LONG = 'a "quoted" text with ümlauts \\ and <tags>'


def as_json(text):
    return json.dumps({"demos": [{"ticket": text}]})


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=3, max_size=80))
def test_a_text_is_found_as_a_value_of_any_json(text):
    # One that is JSON itself is known by the texts in it.
    words = Words(texts_in(text))
    assume(len(words))
    for content in (as_json(text), json.dumps({"inputs": as_json(text)}), json.dumps([text], ensure_ascii=False)):
        assert words.are_in(content.encode())


@pytest.mark.parametrize("form", [str, html.escape, json.dumps, lambda text: json.dumps(text, ensure_ascii=False)])
def test_a_long_text_is_found_inside_others(form):
    assert Words([LONG]).are_in(f"You said: {form(LONG)}, did you not?".encode())


def test_a_short_text_is_found_only_as_a_whole():
    words = Words(["good film"])
    assert words.are_in(b'{"label":"good film"}')
    assert not words.are_in(b'{"text":"not a good film"}')


def test_what_others_say_as_well_is_nobodys_own():
    words = Words(["billing", LONG])
    words.forget(["billing"])
    assert not words.are_in(as_json("billing").encode())
    assert words.are_in(as_json(LONG).encode())
    words.forget([LONG])
    assert not words.are_in(as_json(LONG).encode())


def test_a_part_of_what_is_nobodys_is_nobodys_too():
    sentence = 'The candidate reached "DeltaOne": better by 27.5 pp on 60 items.'
    part, more, short = sentence[4:34], f"{sentence} So what?", "better"
    words = Words([sentence, part, more, short, LONG])
    words.forget_within([sentence, "f" * 64])
    assert {*words} == {more, short, LONG}
    assert not words.are_in(as_json(sentence).encode())
    assert words.are_in(as_json(more).encode())


def test_keys_and_numbers_are_no_texts():
    assert [*texts_in({"a key": ["one", 2, None, '{"inner": "two"}', "[not json"]})] == ["one", "two", "[not json"]


def test_what_a_stranger_nests_deeply_stops_no_search():
    deep = b"[" * 100_000
    assert not Words([LONG]).are_in(deep)
    assert Words([LONG]).are_in(deep + as_json(LONG).encode())
    value = LONG
    for _ in range(8):
        value = "[" * 190 + json.dumps(value) + "]" * 190
    assert [*texts_in(value)] == [LONG]
    assert instructions_in(b'{"instructions": 1, "state": ' + deep) is None


def test_names_in_json_and_its_punctuation_are_nobodys_words():
    said = {"statement": {"contributors_of_the_deployment": [{"name": "text"}]}}
    words = Words(["statement", "contributors_of_the_deployment", 'deployment":[{"name":"text"'])
    for content in (json.dumps(said, separators=(",", ":")), json.dumps(said, indent=1), f"{json.dumps(said)}\n" * 2):
        assert not words.are_in(content.encode())
    assert words.are_in(b'{"a":"statement"}')
    assert words.are_in(b'not JSON: {"a" : "statement"}')
    assert not words.are_in(b'not JSON: {"statement" : "a"}')


@pytest.mark.parametrize("text", ["0x" + "aB" * 32, "c" * 64, "0x52908400098527886E0F7030069857D2E4169EE7"])
def test_ids_identify_nobody(text):
    assert not Words([text]).are_in(as_json(text).encode())


@pytest.mark.parametrize("plain", [True, False])
def test_a_text_in_an_answer_that_is_json_itself_is_found(plain):
    inner = json.dumps({"reasoning": f"The customer wrote: {LONG} So it is billing."}, ensure_ascii=plain)
    outer = json.dumps({"text": inner}, ensure_ascii=plain)
    for content in (outer, html.escape(inner), html.escape(outer)):
        assert Words([LONG]).are_quoted_in(content)
    assert Words([LONG]).are_in(f"<pre>{html.escape(inner)}</pre>".encode())
