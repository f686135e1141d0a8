"""What competes: strategies with their options, or a preset."""

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from telefine_assets.settings.compile import BUILT_IN, PRESETS, CompileSettings


def mistakes(**values):
    with pytest.raises(ValidationError) as caught:
        CompileSettings.model_validate(values)
    return [(".".join(map(str, each["loc"])), each["msg"]) for each in caught.value.errors()]


def test_an_entry_has_the_options_of_its_strategy_and_no_others():
    entries = [{"strategy": "knn_few_shot", "k": 3}, {"strategy": "copro", "breadth": 4}]
    settings = CompileSettings.model_validate({"strategies": entries})
    assert [(each.strategy, type(each).__name__) for each in settings.contenders] == [
        ("knn_few_shot", "KnnFewShotSettings"),
        ("copro", "CoproSettings"),
    ]
    assert settings.contenders[0].k == 3
    assert mistakes(strategies=[entries[0], {"strategy": "copro", "k": 3}]) == [
        ("strategies.1.k", "Extra inputs are not permitted")
    ]


@pytest.mark.parametrize(
    ("entry", "key", "said"),
    [
        ({"strategy": "copro", "breadth": 1}, "strategies.0.breadth", "greater than or equal to 2"),
        ({"strategy": "gepa", "max_metric_calls": 0}, "strategies.0.max_metric_calls", "greater than or equal to 1"),
        ({"strategy": "mipro"}, "strategies.0", "no strategy 'mipro'; there are: labeled_few_shot, "),
        ({"breadth": 3}, "strategies.0", "must be a group with a 'strategy'"),
        ("copro", "strategies.0", "must be a group with a 'strategy'"),
    ],
)
def test_a_mistake_is_one_line_that_names_its_key(entry, key, said):
    ((where, message),) = mistakes(strategies=[entry])
    assert where == key
    assert said in message


def test_either_a_preset_or_a_list():
    assert CompileSettings(preset="medium").contenders == PRESETS["medium"]
    for values in ({}, {"preset": "light", "strategies": [{"strategy": "copro"}]}):
        ((_, message),) = mistakes(**values)
        assert "either preset (light, medium, heavy) or strategies" in message
    assert "'light', 'medium' or 'heavy'" in mistakes(preset="huge")[0][1]
    assert mistakes(strategies=[])[0][0] == "strategies"


@given(st.lists(st.sampled_from(sorted(BUILT_IN)), min_size=1, max_size=4))
def test_settings_survive_being_written_down(names):
    settings = CompileSettings.model_validate({"strategies": [{"strategy": name} for name in names]})
    for mode in ("python", "json"):
        assert CompileSettings.model_validate(settings.model_dump(mode=mode)) == settings


def test_the_published_schema_knows_every_strategy_and_its_options():
    schema = CompileSettings.model_json_schema()
    for name in BUILT_IN:
        jsonschema.validate({"strategies": [{"strategy": name}]}, schema)
    for wrong in ({"strategy": "mipro"}, {"strategy": "copro", "k": 3}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"strategies": [wrong]}, schema)
