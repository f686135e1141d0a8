"""What a program is: read off its code, and refused with the setting's name when the code is not there."""

import dspy
import pytest

from telefine_assets.errors import TelefineError
from telefine_assets.programs.metrics import exact_match
from telefine_assets.programs.spec import ProgramError
from telefine_assets.settings.deltaone import DeltaOneSettings
from telefine_assets_tests.programs.examples import tickets_spec

HERE = __name__
not_a_function = 3


def chain():
    class Chain(dspy.Module):
        def __init__(self):
            super().__init__()
            self.shorten = dspy.Predict("letter, language -> summary")
            self.judge = dspy.Predict("summary -> team, urgency: int")

    return Chain()


def other_fields():
    return dspy.Predict("letter -> team")


def no_module():
    return "a prompt"


def no_predictor():
    return dspy.Module()


def own_metric(example, prediction, trace=None):
    return 1.0


def test_fields_are_read_off_the_programs_signature():
    spec = tickets_spec()
    assert (spec.fields.inputs, spec.fields.outputs) == (("ticket",), ("team",))
    assert list(spec.signatures) == ["sort"]
    assert spec.metric.function is exact_match


def test_the_metrics_of_guardrails_are_found_with_it_and_refused_by_their_setting():
    rails = {"safe": {"metric": f"{HERE}:own_metric", "at_least": 1}, "latency_ms": {"at_most": 9}}
    spec = tickets_spec(deltaone={"guardrails": rails})
    assert {name: metric.function for name, metric in spec.guardrails.items()} == {"safe": own_metric}
    wrong = {"safe": {"metric": {"name": "f1", "fields": ["teem"]}, "at_least": 1}}
    with pytest.raises(
        TelefineError, match=r"^programs\.tickets\.deltaone\.guardrails\.safe\.metric: teem is no output"
    ):
        tickets_spec(deltaone={"guardrails": wrong})


def typed():
    return dspy.ChainOfThought("letter, pages: list[str] -> team, urgent: bool")


def test_the_types_of_fields_are_read_off_too_but_not_those_of_thoughts():
    types = tickets_spec(module=f"{HERE}:typed").fields.types
    assert types == {"letter": str, "pages": list[str], "team": str, "urgent": bool}


def lost():
    return dspy.Predict("base -> team")


def hidden():
    return dspy.Predict("letter -> dspy_team")


@pytest.mark.parametrize("module", ["lost", "hidden"])
def test_a_field_that_a_dspy_example_would_lose_is_refused(module):
    with pytest.raises(ProgramError, match=r"dspy\.Example cannot hold a field named '(base|dspy_team)'"):
        tickets_spec(module=f"{HERE}:{module}")


class TwoSteps(dspy.Module):
    """Takes letters; the tone may be left out."""

    def __init__(self):
        super().__init__()
        self.shorten = dspy.Predict("letter, language -> summary")
        self.judge = dspy.ChainOfThought("summary, pages: list[str] -> team, urgency: int")

    def forward(self, letter: str, language, pages, tone: str = "plain", **options):
        return self.judge(summary=self.shorten(letter=letter, language=language).summary, pages=pages)


def two_steps():
    return TwoSteps()


def acting():
    return dspy.ReAct("letter, pages: list[str] -> team, urgent: bool", tools=[lambda word: word])


def test_of_several_predictors_what_forward_needs_goes_in_and_what_the_last_one_finds_comes_out():
    fields = tickets_spec(module=f"{HERE}:two_steps").fields
    assert (fields.inputs, fields.outputs) == (("letter", "language", "pages"), ("team", "urgency"))
    assert fields.types == {"letter": str, "language": str, "pages": list[str], "team": str, "urgency": int}


def test_a_program_that_acts_has_the_fields_of_its_signature():
    spec = tickets_spec(module=f"{HERE}:acting")
    assert (spec.fields.inputs, spec.fields.outputs) == (("letter", "pages"), ("team", "urgent"))
    assert spec.fields.types == {"letter": str, "pages": list[str], "team": str, "urgent": bool}
    assert list(spec.signatures) == ["react", "extract.predict"]


@pytest.mark.parametrize(
    ("said", "inputs", "outputs"),
    [
        ({"outputs": ["summary", "team"]}, ("letter", "language", "pages"), ("summary", "team")),
        ({"inputs": ["letter", "tone"]}, ("letter", "tone"), ("team", "urgency")),
        ({"inputs": ["letter", "mood"], "outputs": ["total"]}, ("letter", "mood"), ("total",)),
    ],
)
def test_the_settings_can_say_which_fields_a_program_has(said, inputs, outputs):
    fields = tickets_spec(module=f"{HERE}:two_steps", fields=said).fields
    assert (fields.inputs, fields.outputs) == (inputs, outputs)


def test_outputs_of_earlier_predictors_follow_from_expectations_where_these_name_all_of_the_last_ones():
    def outputs(module, *expected, **more):
        cleaning = {"expectations": dict.fromkeys(expected, "right")}
        return tickets_spec(module=f"{HERE}:{module}", cleaning=cleaning, **more).fields.outputs

    assert outputs("two_steps", "urgency", "summary", "team") == ("summary", "team", "urgency")
    assert outputs("two_steps", "team") == outputs("two_steps", "urgency", "team") == ("team", "urgency")
    assert outputs("two_steps", "team", fields={"outputs": ["team"]}) == ("team",)
    for module, *expected in (
        ("two_steps", "summary", "team"),
        ("two_steps", "summary", "team", "urgency", "total"),
        ("acting", "team", "urgent", "next_thought"),
    ):
        with pytest.raises(ProgramError, match="is no output field"):
            outputs(module, *expected)


@pytest.mark.parametrize(
    ("module", "said", "says"),
    [
        ("chain", {}, r"fields\.inputs: .* name the inputs here"),
        ("silent", {}, r"fields\.outputs: .* name them here"),
        ("acting", {"inputs": ["latter"]}, r"fields\.inputs: the program takes no latter; it takes letter, pages"),
        ("typed", {"inputs": ["latter"]}, r"fields\.inputs: the program takes no latter; it takes letter, pages"),
        ("two_steps", {"outputs": ["letter"]}, "each field may be named once"),
        ("two_steps", {"outputs": ["base"]}, r"dspy\.Example cannot hold a field named 'base'"),
        ("marked", {}, r"dspy\.Example cannot hold a field named 'augmented'"),
    ],
)
def test_fields_that_cannot_be_told_or_held_are_refused_by_the_settings_name(module, said, says):
    with pytest.raises(ProgramError, match=rf"^programs\.tickets\.(fields)?.*{says}"):
        tickets_spec(module=f"{HERE}:{module}", fields=said)


def silent():
    return dspy.ReAct("letter -> reasoning", tools=[])


def marked():
    module = TwoSteps()
    module.shorten = dspy.Predict("letter -> augmented")
    return module


def thoughtful():
    return dspy.ChainOfThought("ticket -> team")


def test_what_a_program_thinks_on_the_way_is_no_output_that_can_be_right():
    assert tickets_spec(module=f"{HERE}:thoughtful").fields.outputs == ("team",)


def test_every_build_is_a_module_of_its_own():
    spec = tickets_spec()
    spec.build().sort.demos.clear()
    assert len(spec.build().sort.demos) == 2


def test_the_metric_digest_changes_with_the_metric():
    assert tickets_spec().metric_digest != tickets_spec(metric=f"{HERE}:own_metric").metric_digest


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("no_such_package.x:build", "cannot be imported"),
        (f"{HERE}:no_such_name", "has no 'no_such_name'"),
        (f"{HERE}:not_a_function", "is not a function"),
        (f"{HERE}:no_module", "returns str, not a dspy.Module"),
        (f"{HERE}:no_predictor", "no dspy.Predict to compile"),
    ],
)
def test_a_path_that_leads_to_no_program_is_refused_by_the_settings_name(module, says):
    with pytest.raises(ProgramError, match=says) as refused:
        tickets_spec(module=module)
    assert "programs.tickets.module" in str(refused.value)


@pytest.mark.parametrize("metric", ["no_such_package.x:metric", f"{HERE}:no_such_name", f"{HERE}:not_a_function"])
def test_a_path_that_leads_to_no_metric_is_refused_by_the_settings_name(metric):
    with pytest.raises(TelefineError, match=r"programs\.tickets\.metric"):
        tickets_spec(metric=metric)


@pytest.mark.parametrize(
    ("cleaning", "says"),
    [
        ({"expectations": {"tema": "right"}}, r"expectations: 'tema' is no output .*team\. .*fields\.outputs, such as"),
        ({"balance": {"by": "label:ticket"}}, r"balance\.by = 'label:ticket': .* no such field; there are: team"),
        ({"balance": {"by": "field:team"}}, r"balance\.by = 'field:team': .* no such field; there are: ticket"),
    ],
)
def test_cleaning_by_a_field_that_the_program_has_not_is_refused(cleaning, says):
    with pytest.raises(ProgramError, match=rf"^programs\.tickets\.cleaning\.{says}"):
        tickets_spec(cleaning=cleaning)


@pytest.mark.parametrize(("setting", "field"), [("category", "toam"), ("confidence", "ticket")])
def test_a_report_by_a_field_that_the_program_has_not_is_refused(setting, field):
    with pytest.raises(ProgramError, match=rf"programs\.tickets\.deltaone\.{setting} = '{field}'.*team"):
        tickets_spec(deltaone=DeltaOneSettings(**{setting: field}))
