"""Program states: JSON that comes back as it was, and foreign ones refused."""

import copy
import json

import dspy
import pytest

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
