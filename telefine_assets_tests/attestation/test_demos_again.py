"""Demos of a revoked attestation: what they show is judged by the label of now."""

from dataclasses import replace

import pytest

from telefine_assets.attestation.demos_again import ShownDemos
from telefine_assets.traces.records import json_text
from telefine_assets_tests.programs.examples import cleaned_tickets, tickets_spec

TRACE = cleaned_tickets(1)[0]
CHANGED = replace(TRACE, trace_digest="9" * 64)
WHOLLY = {"strategy": "bootstrap_few_shot", "bootstrap_threshold_ppm": 1_000_000}
HALF = {"strategy": "knn_few_shot", "bootstrap_threshold_ppm": 500_000}


def fields(*names):
    return [{"name": name, "type": "str"} for name in names]


ROUTE = {"sort": {"inputs": fields("ticket"), "outputs": fields("team")}}
PANEL = {
    "draft": {"inputs": fields("ticket"), "outputs": fields("notes")},
    "team": {"inputs": fields("ticket", "notes"), "outputs": fields("team")},
    "urgency": {"inputs": fields("ticket", "team"), "outputs": fields("urgency")},
}


def stands(spec, shown, label, strategy=WHOLLY, signatures=ROUTE, trace=CHANGED, of="sort", augmented=True):
    """Whether the demo of one predictor stands, of a program that shows these by predictor."""
    marked = {"augmented": True} if augmented else {}
    state = {name: {"demos": [shown[name] | marked] if name in shown else []} for name in signatures}
    demos = [
        {"predictor": name, "position": 0, "augmented": augmented, "trace_id": TRACE.trace_id,
         "trace_digest": TRACE.trace_digest}
        for name in reversed(shown)
    ]  # fmt: skip
    candidate = {"state": state, "signatures": signatures, "strategy": strategy}
    demo = next(each for each in demos if each["predictor"] == of)
    return ShownDemos(candidate, demos, spec).stand(demo, replace(trace, label=json_text(label)))


@pytest.mark.parametrize("augmented", [False, True])
@pytest.mark.parametrize("label", ["login", "praise"])
def test_what_a_corrected_label_contradicts_does_not_stand_whoever_answered_it(augmented, label):
    shown = {"sort": {"ticket": "it is locked", "team": "login"}}
    assert stands(tickets_spec(), shown, {"team": label}, augmented=augmented) == (label == "login")


def test_a_bootstrapped_answer_need_not_be_the_label_where_the_metric_accepts_it():
    lenient = tickets_spec(metric={"name": "exact_match", "case_sensitive": False})
    shown = {"sort": {"ticket": "it is locked", "team": "LOGIN"}}
    assert stands(lenient, shown, {"team": "login"})
    assert not stands(lenient, shown, {"team": "login"}, augmented=False)


def test_an_answer_is_accepted_from_the_score_on_from_which_it_was():
    words = tickets_spec(metric="f1")
    shown = {"sort": {"ticket": "it is locked", "team": "login help desk"}}
    label = {"team": "login desk now"}  # two of three words each way
    assert stands(words, shown, label, HALF)
    assert not stands(words, shown, label, WHOLLY)
    assert not stands(words, shown, label, {"strategy": "mipro_v2"})
    # Where the strategy does not say, an answer that is wrong altogether was never taken.
    assert stands(words, shown, label, {"strategy": "simba"})
    assert not stands(words, shown, {"team": "praise"}, {"strategy": "simba"})


def test_a_trace_in_which_nothing_was_changed_has_the_label_that_was_accepted():
    shown = {"sort": {"ticket": "it is locked", "team": "login"}}
    assert stands(tickets_spec(), shown, {"team": "praise"}, trace=TRACE)


@pytest.mark.parametrize("labels", [True, False])
def test_no_model_is_asked_and_what_reads_no_label_says_nothing(labels):
    judge = tickets_spec(metric={"name": "lm_judge", "instructions": "Is it polite?", "labels": labels})
    assert stands(judge, {"sort": {"ticket": "it is locked", "team": "login"}}, {"team": "praise"})


def panel_spec():
    return tickets_spec(module="telefine_assets_tests.programs.samples:panel")


def test_predictors_that_made_one_answer_together_stand_or_fall_together():
    shown = {
        "draft": {"ticket": "it is locked", "notes": "an account"},
        "team": {"ticket": "it is locked", "notes": "an account", "team": "login"},
        "urgency": {"ticket": "it is locked", "team": "login", "urgency": 3},
    }
    # What is worked out in code is shown by no demo.
    right = {"team": "login", "urgency": 3, "urgent": True}
    for label, stand in ((right, True), (right | {"team": "praise"}, False), (right | {"urgent": False}, True)):
        assert [stands(panel_spec(), shown, label, signatures=PANEL, of=name) for name in PANEL] == [stand] * 3


def test_a_metric_that_needs_what_no_demo_shows_says_nothing_of_them():
    all_of_it = "telefine_assets_tests.attestation.test_demos_again:all_of_it"
    module = "telefine_assets_tests.programs.samples:panel"
    shown = {"team": {"ticket": "it is locked", "notes": "an account", "team": "login"}}
    spec = tickets_spec(module=module, metric=all_of_it)
    assert stands(spec, shown, {"team": "praise", "urgent": True}, signatures=PANEL, of="team")
    assert not stands(spec, shown, {"team": "praise"}, signatures=PANEL, of="team")


def all_of_it(example, prediction, trace=None):
    """Breaks without a label for what is worked out in code."""
    return example.urgent == prediction.urgent and example.team == prediction.team


def test_an_inner_demo_without_the_answer_that_it_led_to_cannot_be_judged_and_stands():
    shown = {"draft": {"ticket": "it is locked", "notes": "an account"}}
    assert stands(panel_spec(), shown, {"team": "praise"}, signatures=PANEL, of="draft")


def test_of_two_predictors_that_answer_the_same_the_later_one_s_answer_is_the_program_s():
    # A document has them by name, the code in order.
    drafted = replace(tickets_spec(), signatures={"try": ROUTE["sort"], "final": ROUTE["sort"]})
    by_name = dict(sorted(drafted.signatures.items()))
    shown = {name: {"ticket": "it is locked", "team": team} for name, team in (("final", "login"), ("try", "praise"))}
    assert all(stands(drafted, shown, {"team": "login"}, signatures=by_name, of=name) for name in by_name)
    assert not any(stands(drafted, shown, {"team": "praise"}, signatures=by_name, of=name) for name in by_name)


def test_a_metric_that_judges_runs_is_asked_as_while_bootstrapping():
    strict = tickets_spec(metric="telefine_assets_tests.attestation.test_demos_again:near_enough")
    shown = {"sort": {"ticket": "it is locked", "team": "login"}}
    assert stands(strict, shown, {"team": "login"})
    assert not stands(strict, shown, {"team": "praise"})


def near_enough(example, prediction, trace=None):
    """By DSPy's convention: a share while it scores, a verdict while it bootstraps, which looks at the run's steps."""
    share = 0.8 if prediction.team == example.team else 0.2
    if trace is None:
        return share
    [(_, inputs, outputs)] = trace
    return share > 0.5 and inputs["ticket"] and outputs.team == prediction.team
