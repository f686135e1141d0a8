"""From the settings' text to a metric, with every mistake told before anything is measured."""

import functools

import dspy
import pytest

from telefine_assets.programs.metrics import MetricError, exact_match, metric_named
from telefine_assets.settings.metrics import F1, ExactMatch, Function, LmJudge, Numeric
from telefine_assets_tests.programs.metrics.judging import labelled

HERE = __name__
partial = functools.partial(exact_match, trace=None)
EXAMPLE = labelled(team="Billing")


def strict(example, prediction, trace=None, share=1.0):
    return share if example.team == prediction.team else 0.0


def keyword_only(*, answer):
    return answer


def test_a_metric_is_found_by_its_name_and_by_its_import_path_with_its_source():
    assert metric_named("exact_match", "here").function is exact_match
    metric = metric_named("telefine_assets.programs.metrics:exact_match", "here")
    assert metric.source.startswith("def exact_match")


def test_options_of_the_settings_reach_the_metric():
    sensitive = metric_named(ExactMatch(case_sensitive=True), "here")
    assert sensitive.ppm(EXAMPLE, dspy.Prediction(team="billing")) == 0
    assert metric_named("exact_match", "here").ppm(EXAMPLE, dspy.Prediction(team="billing")) == 1_000_000
    own = metric_named(Function(path=f"{HERE}:strict", options={"share": 0.5}), "here")
    assert (own.name, own.ppm(EXAMPLE, dspy.Prediction(team="Billing"))) == (f"{HERE}:strict", 500_000)


def test_direction_and_need_of_labels_reach_the_metric_and_are_part_of_it():
    plain, loss, free = (
        metric_named(Function(path=f"{HERE}:strict", **said), "here")
        for said in ({}, {"direction": "lower"}, {"labels": False})
    )
    assert [(each.direction, each.labels) for each in (plain, loss, free)] == [
        ("higher", True),
        ("lower", True),
        ("higher", False),
    ]
    assert len({plain.digest, loss.digest, free.digest}) == 3


def test_a_name_and_its_spelled_out_form_are_one_metric():
    assert metric_named("f1", "here").digest == metric_named(F1(), "there").digest
    assert metric_named(F1(fields=("team",)), "here").digest != metric_named("f1", "here").digest


@pytest.mark.parametrize("name", [f"{HERE}:partial", "math:sqrt"])
def test_a_metric_whose_source_cannot_be_told_is_refused_before_anything_is_measured(name):
    with pytest.raises(MetricError, match=r"programs\.tickets\.metric.*has no source code"):
        metric_named(name, "programs.tickets.metric")


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ("best", "there are: exact_match, f1, contains, numeric, json_match, lm_judge, function"),
        ("nowhere.at_all:f", "cannot be imported"),
        (f"{HERE}:nothing", "cannot be imported"),
        (f"{HERE}:HERE", "is not a function"),
        (f"{HERE}:keyword_only", "cannot be called as function"),
        (Function(path=f"{HERE}:strict", options={"shear": 1}), "cannot be called as function.*shear"),
        (ExactMatch(fields=("teem",)), "teem is no output of the program; its outputs are team, amount"),
        (Numeric(field="total"), "total is no output"),
        (Numeric(), "field is required"),
        (LmJudge(instructions="x", fields=("teem",)), "teem is no output"),
        (Function(path="telefine_assets.programs.metrics:f1", labels=False), "compares with the label"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_setting_and_the_cure(metric, says):
    with pytest.raises(MetricError, match=rf"^programs\.tickets\.metric.*{says}"):
        metric_named(metric, "programs.tickets.metric", ("team", "amount"))
