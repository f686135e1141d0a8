"""Program states: JSON that comes back as it was, and foreign ones refused."""

import copy
import enum
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from telefine_assets.canonical import canonical_json
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.state import dump_state, load_state
from telefine_assets_tests.programs.examples import items, tickets_spec

SPEC = tickets_spec()


def compiled():
    """A module with eight labelled demos."""
    examples = [item.example() for item in items(20)]
    return dspy.LabeledFewShot(k=8).compile(SPEC.build(), trainset=examples)


def test_a_state_comes_back_as_it_was_through_canonical_json():
    state = dump_state(compiled())
    loaded = load_state(SPEC, json.loads(canonical_json(state)))
    assert dump_state(loaded) == state
    assert [demo["team"] for demo in loaded.sort.demos] == [demo["team"] for demo in state["sort"]["demos"]]
    assert len(loaded.sort.demos) == 8


def test_a_state_keeps_changed_instructions():
    module = SPEC.build()
    module.sort.signature = module.sort.signature.with_instructions("Sort it, please.")
    assert load_state(SPEC, dump_state(module)).sort.signature.instructions == "Sort it, please."


def test_a_state_holds_no_language_model_and_no_key():
    module = compiled()
    module.set_lm(dspy.LM("openai/some", api_key="very-secret"))
    state = dump_state(module)
    assert state["sort"]["lm"] is None
    assert "very-secret" not in json.dumps(state)


def test_demos_of_any_value_can_be_hashed():
    module = SPEC.build()
    module.sort.demos = [dspy.Example(ticket=10**20, team=float("nan"))]
    assert json.loads(canonical_json(dump_state(module)))["sort"]["demos"] == [{"ticket": str(10**20), "team": "nan"}]


def broken(change):
    state = copy.deepcopy(dump_state(compiled()))
    changed = change(state)
    return state if changed is None else changed


@pytest.mark.parametrize(
    "change",
    [
        lambda state: "a string",
        lambda state: {},
        lambda state: {"other": state["sort"]},
        lambda state: {**state, "other": state["sort"]},
        lambda state: {"sort": None},
        lambda state: {"sort": {}},
        lambda state: {"sort": {**state["sort"], "lm": {"model": "openai/foreign"}}},
        lambda state: {"sort": {**state["sort"], "header": "foreign"}},
        lambda state: {"sort": {**state["sort"], "demos": None}},
        lambda state: {"sort": {**state["sort"], "signature": {"instructions": "x"}}},
        lambda state: state["sort"]["demos"][0].update(reasoning="not a field"),
        lambda state: state["sort"]["demos"].append("not a demo"),
        lambda state: state["sort"]["signature"]["fields"].pop(),
    ],
)
def test_a_state_that_is_not_this_programs_is_refused(change):
    with pytest.raises(ProgramError, match=r"^tickets: "):
        load_state(SPEC, broken(change))


class Mood(enum.Enum):
    GOOD = "good"
    BAD = 3


class Parcel(BaseModel):
    name: str
    weight: float = 1.0
    mood: Mood = Mood.GOOD
    parts: list["Parcel"] = []


# What RFC 8785 can hold; beyond 2**53 a number becomes its text, inside a list as well.
numbers = st.integers(-(2**53) + 1, 2**53 - 1)
floats = st.floats(-1e9, 1e9).map(lambda number: number + 0.0)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = {
    str: texts,
    int: numbers,
    float: floats,
    bool: st.booleans(),
    list[float]: st.lists(floats, max_size=3),
    # RFC 8785 sorts keys: where their order is not a model's own, what is compared is what is stored.
    dict[str, int]: st.dictionaries(st.sampled_from("abc"), numbers).map(lambda found: dict(sorted(found.items()))),
    Mood: st.sampled_from(Mood),
    datetime: st.datetimes(timezones=st.just(UTC)),
    Parcel: st.builds(Parcel, name=texts, weight=floats, mood=st.sampled_from(Mood)).map(
        lambda parcel: parcel.model_copy(update={"parts": [parcel]})
    ),
    str | None: st.none() | texts,
    Any: st.none() | st.booleans() | numbers | texts | st.lists(numbers | texts, max_size=3),
}
typed_demos = st.sampled_from(list(values)).flatmap(
    lambda kind: st.tuples(
        st.just(kind), st.lists(st.fixed_dictionaries({"ticket": texts, "it": values[kind]}), max_size=3)
    )
)


def spec_of(signature):
    """As much of a program's spec as loading a state needs: one predictor, ``self``."""
    fields = [{"name": name} for name in signature.fields]
    return SimpleNamespace(
        name="p",
        build=lambda: dspy.Predict(signature),
        signatures={"self": {"inputs": fields[:1], "outputs": fields[1:]}},
    )


def prompt(predictor):
    signature, demos = predictor.signature, predictor.demos
    return [adapter.format(signature, demos, {"ticket": "now"}) for adapter in (dspy.ChatAdapter(), dspy.JSONAdapter())]


@given(typed_demos)
def test_values_of_every_type_read_the_same_in_a_prompt_after_json(drawn):
    kind, demos = drawn
    signature = dspy.Signature({"ticket": (str, dspy.InputField()), "it": (kind, dspy.OutputField())})
    predictor = dspy.Predict(signature)
    predictor.demos = [dspy.Example(demo, augmented=True) for demo in demos]
    state = dump_state(predictor)
    stored = canonical_json(state)
    loaded = load_state(spec_of(signature), json.loads(stored))
    assert prompt(loaded) == prompt(predictor)
    assert dump_state(loaded) == state
    assert [dict(demo) for demo in loaded.demos] == [dict(demo) for demo in predictor.demos], "typed as they were"


@given(st.lists(st.dictionaries(st.sampled_from(["ticket", "it", "other"]), st.none() | numbers | texts), max_size=5))
def test_a_state_holds_what_a_prompt_shows_and_nothing_else(demos):
    signature = dspy.Signature("ticket -> it: int, reason")
    predictor = dspy.Predict(signature)
    predictor.demos = [dspy.Example(demo) for demo in demos]
    state = dump_state(predictor)
    loaded = load_state(spec_of(signature), json.loads(canonical_json(state)))
    assert prompt(loaded) == prompt(predictor)
    assert len(state["self"]["demos"]) * 2 == len(prompt(predictor)[0]) - 2, "a question and an answer for each"
    assert all(set(demo) <= {"ticket", "it", "reason"} for demo in state["self"]["demos"])


def test_values_that_do_not_fit_their_type_stay_as_they_are():
    signature = dspy.Signature("ticket -> it: bool")
    predictor = dspy.Predict(signature)
    predictor.demos = [dspy.Example(ticket="a", it="yes"), dspy.Example(ticket="b", it="perhaps")]
    loaded = load_state(spec_of(signature), dump_state(predictor))
    assert prompt(loaded) == prompt(predictor)
    assert [demo.it for demo in loaded.demos] == ["yes", "perhaps"]


def test_a_loaded_demo_is_the_example_that_it_was_made_of():
    """DSPy's bootstrapping leaves an example out of the demos that its own answer is sought with."""
    loaded = load_state(SPEC, dump_state(compiled()))
    examples = [item.example() for item in items(20)]
    assert all(demo in examples for demo in loaded.sort.demos)
