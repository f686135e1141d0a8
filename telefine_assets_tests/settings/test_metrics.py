"""How a metric is written in the settings."""

import pytest
from pydantic import TypeAdapter, ValidationError

from telefine_assets.settings.metrics import F1, METRIC_NAMES, ExactMatch, Function, MetricSettings, Numeric

SETTINGS = TypeAdapter(MetricSettings)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("exact_match", ExactMatch()),
        ("f1", F1()),
        ("shop.metrics:close", Function(path="shop.metrics:close")),
        ({"name": "exact_match", "fields": ["team"]}, ExactMatch(fields=("team",))),
        ({"name": "numeric", "absolute": "0.01"}, Numeric(absolute="0.01")),
        ({"name": "function", "path": "a.b:c", "options": {"n": [1]}}, Function(path="a.b:c", options={"n": [1]})),
        (
            {"name": "function", "path": "a.b:c", "direction": "lower", "labels": False},
            Function(path="a.b:c", direction="lower", labels=False),
        ),
    ],
)
def test_a_metric_is_a_name_an_import_path_or_a_mapping(written, meant):
    assert SETTINGS.validate_python(written) == meant
    assert SETTINGS.validate_python(SETTINGS.dump_python(meant, mode="json")) == meant


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("best", "exact_match, f1, contains, numeric, json_match, lm_judge, function"),
        ("shop:9", "pattern"),
        ({"name": "best"}, "'exact_match'"),
        ({"fields": ["team"]}, "name"),
        ({"name": "exact_match", "fields": []}, "at least 1"),
        ({"name": "exact_match", "colour": 1}, "Extra inputs"),
        ({"name": "numeric", "absolute": 0.01}, "in quotes"),
        ({"name": "numeric", "relative": "5%"}, "pattern"),
        ({"name": "numeric", "relative": "-1"}, "pattern"),
        ({"name": "json_match", "mode": "most"}, "'exact', 'subset' or 'share'"),
        ("lm_judge", "instructions"),
        ({"name": "lm_judge", "instructions": ""}, "at least 1"),
        ({"name": "lm_judge", "instructions": "x", "scale": "ten"}, "'yes_no' or 'one_to_five'"),
        ({"name": "lm_judge", "instructions": "x", "direction": "down"}, "'higher' or 'lower'"),
        *(({"name": name, "labels": False}, "compares with the label") for name in METRIC_NAMES[:5]),
        *(({"name": name, "direction": "lower"}, "leave out direction") for name in METRIC_NAMES[:5]),
        (3, "dictionary"),
    ],
)
def test_a_mistake_says_what_is_allowed(written, says):
    with pytest.raises(ValidationError) as caught:
        SETTINGS.validate_python(written)
    assert says in str(caught.value)


def test_the_schema_knows_both_ways_of_writing():
    written = SETTINGS.json_schema()["anyOf"]
    assert {"type": "string"} in written
    assert len(written) == 1 + len(METRIC_NAMES) or any("discriminator" in each or "oneOf" in each for each in written)
