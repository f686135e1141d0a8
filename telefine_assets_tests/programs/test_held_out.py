"""Whether something shows what is held out: whole inputs, parts of them, their texts and near-copies."""

import json
from dataclasses import replace

import pytest

from telefine_assets.programs.held_out import HeldOut
from telefine_assets.settings.traces import NearDuplicateSettings
from telefine_assets_tests.programs.examples import cleaned_trace, program_settings

SPLIT = program_settings().split
LETTER = (
    "we have been waiting for the parcel since monday, nobody answers the telephone, and the courier is not to blame"
)


def traces(side, *items):
    made = (cleaned_trace(f"tr-{side}-{at}", inputs, {"answer": "no"}, at, SPLIT) for at, inputs in enumerate(items))
    return [replace(each, split=side) for each in made]


def held_out(held, known=(), **options):
    return HeldOut([*traces("holdout", *held), *traces("train", *known)], **options)


def test_an_item_of_known_parts_is_held_out_as_a_whole():
    questions = [f"what does article number {at} of the rules say" for at in range(6)]
    documents = [f"document about housing law in city {at}" for at in range(6)]
    pairs = [{"question": each, "document": other} for each in questions for other in documents]
    held, known = pairs[::3], [each for at, each in enumerate(pairs) if at % 3]
    found = held_out(held, known)
    names = ["question", "document"]
    assert all(found.shown_by({**each, "answer": "yes"}, names) for each in held)
    assert not any(found.shown_by({**each, "answer": "yes"}, names) for each in known)
    assert not found.shown_by({"question": questions[0], "answer": "yes"}, ["question"]), "both sides have it"


def test_a_part_that_only_held_out_items_have_shows_them():
    found = held_out([{"a": "x", "b": {"n": 1.0}}], [{"a": "x", "b": {"n": 2.0}}])
    assert found.shown_by({"b": {"n": 1}}, ["b"])
    assert not found.shown_by({"b": {"n": 2}}, ["b"])
    assert not found.shown_by({"a": "x"}, ["a"])


@pytest.mark.parametrize("field", ["text", "rewritten", "answer"])
def test_a_near_copy_shows_it_under_whatever_name(field):
    near = LETTER.replace("telephone", "phone")
    assert held_out([{"text": LETTER}]).shown_by({field: near}, ["text", "rewritten"])
    off = NearDuplicateSettings(enabled=False)
    assert not held_out([{"text": LETTER}], near=off).shown_by({field: near}, ["text", "rewritten"])


def test_a_near_copy_of_what_the_student_may_see_tells_nothing():
    """The same letter goes with many questions, with another date each time."""
    held, known = ({"text": f"{LETTER} {day}", "question": day} for day in ("today", "later"))
    found = held_out([held], [known])
    assert not found.shown_by({"answer": f"{LETTER} sunday"}, ["text"])
    assert not found.shown_by({**known, "answer": "no"}, ["text", "question"])
    assert found.shown_by({**held, "answer": "no"}, ["text", "question"])


def test_what_everybody_may_read_is_no_secret():
    found = held_out([{"text": LETTER}], [{"text": f"Hello! {LETTER.upper()} Bye."}])
    assert not found.quoted_in([f"as in '{LETTER}'"])
    assert not held_out([{"text": LETTER}], own={"instructions": f"Answer {LETTER}."}).quoted_in(LETTER)
    assert not held_out([{"text": LETTER}]).quoted_in(LETTER, besides=[f"Answer {LETTER}."])
    assert held_out([{"text": LETTER}]).quoted_in([f"as in '{LETTER}'"], besides=["Answer."])


def test_a_short_text_shows_it_only_as_the_whole_of_an_input():
    found = held_out([{"text": "Zebra!"}, {"text": "yes"}], [{"text": "Yes."}])
    assert found.shown_by({"rewritten": "zebra"}, ["rewritten"])
    assert not found.shown_by({"text": "a zebra", "answer": "zebra"}, ["text"])
    assert not found.shown_by({"rewritten": "yes"}, ["rewritten"])


def test_inputs_are_told_by_their_json_as_demos_have_them():
    found = held_out([json.loads('{"n": 1.0, "m": [1, 2.0]}')])
    assert found.shown_by({"n": 1, "m": [1, 2]}, ["n", "m"])
    assert not held_out([{"n": 7}]).shown_by({"n": 8}, ["n"])
