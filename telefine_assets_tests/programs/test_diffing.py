"""What differs between versions: every demo is accounted for, every word and every setting."""

import json

from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.canonical import canonical_json
from telefine_assets.programs.diffing import diff_demos, diff_versions, diff_words
from telefine_assets.programs.versions import Version, first_version
from telefine_assets_tests.programs.examples import tickets_spec

SPEC = tickets_spec()
LM = {"model": "m", "temperature": "0.0"}
FIRST = first_version(SPEC, LM)


def demo(name: str, team: str = "billing") -> dict[str, str]:
    return {"ticket": name, "team": team}


def fates(a: str, b: str) -> list[tuple[str, str]]:
    """The fates of demos that are named by letters; a capital has another output."""

    def demos(names):
        return [demo(name.lower(), "login" if name.isupper() else "billing") for name in names]

    return [(each.fate, (each.b or each.a)["ticket"]) for each in diff_demos(demos(a), demos(b), ["ticket"])]


def changed(**changes) -> Version:
    """The first version with another document."""
    content = json.loads(FIRST.document)
    for path, value in changes.items():
        *folders, name = path.split("__")
        place = content
        for folder in folders:
            place = place[folder]
        place[name] = value
    return Version(canonical_json(content))


def test_the_same_version_has_no_difference():
    assert not diff_versions(FIRST, FIRST).differs


def test_demos_are_added_removed_changed_and_moved():
    assert fates("ab", "abc") == [("same", "a"), ("same", "b"), ("added", "c")]
    assert fates("abc", "ac") == [("same", "a"), ("removed", "b"), ("same", "c")]
    assert fates("ab", "aB") == [("same", "a"), ("changed", "b")]
    assert fates("abc", "bca") == [("same", "b"), ("same", "c"), ("moved", "a")]


def test_making_room_for_another_demo_is_no_move():
    assert fates("abc", "xabc") == [("added", "x"), ("same", "a"), ("same", "b"), ("same", "c")]
    assert fates("abc", "c") == [("removed", "a"), ("removed", "b"), ("same", "c")]


def test_demos_with_the_same_inputs_are_told_apart_by_their_order():
    assert fates("aa", "a") == [("same", "a"), ("removed", "a")]
    assert fates("a", "aA") == [("same", "a"), ("added", "a")]


@given(st.text("abcAB", max_size=8), st.text("abcAB", max_size=8))
def test_every_demo_of_both_versions_is_in_the_diff_once_and_in_order(a, b):
    changes = diff_demos([demo(each) for each in a], [demo(each) for each in b], ["ticket"])
    assert sorted(each.at_a for each in changes if each.at_a is not None) == list(range(len(a)))
    assert [each.at_b for each in changes if each.at_b is not None] == list(range(len(b)))
    assert all(each.a is None or each.a["ticket"] == a[each.at_a] for each in changes)
    assert (a == b) == all(each.fate == "same" for each in changes)


@given(st.text(" \nabé", max_size=30), st.text(" \nabé", max_size=30))
def test_both_texts_can_be_read_off_the_pieces(a, b):
    pieces = diff_words(a, b)
    assert "".join(piece.text for piece in pieces if piece.side != "b") == a
    assert "".join(piece.text for piece in pieces if piece.side != "a") == b
    assert all(piece.text for piece in pieces)


def test_instructions_are_compared_by_words():
    pieces = diff_words("Say which team it is.", "Say which queue it is.")
    assert [(piece.side, piece.text) for piece in pieces] == [
        ("both", "Say which "),
        ("a", "team"),
        ("b", "queue"),
        ("both", " it is."),
    ]


def test_settings_that_differ_are_named_with_both_values():
    other = changed(lm__temperature="0.7", strategy={"strategy": "labeled_few_shot", "k": 4}, trainset="a" * 64)
    assert diff_versions(FIRST, other).settings == [
        ("lm.temperature", "0.0", "0.7"),
        ("strategy.k", None, 4),
        ("strategy.strategy", "first_version", "labeled_few_shot"),
        ("trainset", "", "a" * 64),
    ]


def test_what_the_prompt_says_of_a_field_is_compared_too():
    fields = FIRST.state["sort"]["signature"]["fields"]
    other = changed(state__sort__signature__fields=[fields[0], {**fields[1], "prefix": "The team is"}])
    (predictor,) = diff_versions(FIRST, other).predictors
    assert [after["prefix"] for _, after in predictor.fields] == ["The team is"]
    assert predictor.differs
