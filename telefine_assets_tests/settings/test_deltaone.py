"""How the rule of the claim is written in the settings."""

import pytest
from pydantic import ValidationError

from telefine_assets.settings.deltaone import MEASURES, DeltaOneSettings


def written(**rails):
    return DeltaOneSettings.model_validate({"guardrails": rails})


def test_a_guardrail_bounds_a_measure_or_a_metric():
    settings = written(
        valid={"at_least": 990_000},
        latency_ms={"statistic": "p95", "at_most": 3_000},
        dear={"measure": "cost_micros", "max_worse": 50},
        safe={"metric": "shop.metrics:safe", "at_least": 999_000},
    )
    assert list(settings.guardrails) == ["valid", "latency_ms", "dear", "safe"]
    assert settings.guardrails["safe"].metric.path == "shop.metrics:safe"
    assert DeltaOneSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_may_be_bounded_under_its_own_name(measure):
    assert written(**{measure: {"at_most": 1}}).guardrails[measure].metric is None


@pytest.mark.parametrize(
    ("rails", "says"),
    [
        ({"polite": {"at_least": 1}}, "guardrails.polite: name a metric, or a measure (valid, latency_ms"),
        ({"valid": {}}, "bounds nothing"),
        ({"valid": {"at_least": -1}}, "greater than or equal to 0"),
        ({"valid": {"at_least": 0.99}}, "valid integer"),
        ({"valid": {"metric": "exact_match", "at_least": 1}}, "belongs to a measure"),
        ({"a": {"metric": "exact_match", "measure": "valid", "at_least": 1}}, "not both"),
        ({"a": {"measure": "speed", "at_least": 1}}, "'latency_ms'"),
        ({"valid": {"statistic": "median", "at_least": 1}}, "'mean' or 'p95'"),
        ({"safe": {"metric": "a.b:c", "statistic": "p95", "at_least": 1}}, "use the mean"),
        ({"valid": {"statistic": "p95", "max_worse": 1}}, "use the mean"),
        ({"safe": {"metric": "a.b:c", "statistic": "p95", "max_worse": 1}}, "use the mean"),
        ({"valid": {"floor": 1}}, "Extra inputs"),
    ],
)
def test_a_guardrail_that_would_guard_nothing_is_refused(rails, says):
    with pytest.raises(ValidationError) as caught:
        written(**rails)
    assert says in str(caught.value)


def test_p95_may_be_compared_with_the_baseline_where_less_is_better():
    harm = {"name": "function", "path": "a.b:harm", "direction": "lower"}
    written(
        latency_ms={"statistic": "p95", "max_worse": 200}, harm={"metric": harm, "statistic": "p95", "max_worse": 1}
    )


@pytest.mark.parametrize("alpha", ["0.0", "0.5", "0.9", "1", "5 %", 0.05])
def test_alpha_is_a_decimal_string_between_0_and_a_half(alpha):
    with pytest.raises(ValidationError, match="alpha"):
        DeltaOneSettings(alpha=alpha)


def test_a_look_may_be_at_as_many_items_as_it_needs():
    with pytest.raises(ValidationError, match=r"max_items \(50\) must not be below min_items \(100\)"):
        DeltaOneSettings(max_items=50)
