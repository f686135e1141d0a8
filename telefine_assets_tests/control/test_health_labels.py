"""``telefine doctor``: names and fields in the settings from which nothing would be learnt are told, with the cure."""

from dataclasses import asdict

import dspy
import pyarrow as pa
import pytest
import yaml

from telefine_assets.control.health import Health, examine
from telefine_assets.control.health_labels import LABELS
from telefine_assets.control.health_services import SERVICES
from telefine_assets.settings.loading import load_settings
from telefine_assets.store.files import Files
from telefine_assets.store.tables import TableStore
from telefine_assets.traces.records import trace_schema
from telefine_assets_tests.traces.examples import expectation, trace

CHECKS = {each.name: each for each in (*SERVICES, LABELS)}


class Mails(dspy.Module):
    """Two predictors, each with an answer that can be right."""

    def __init__(self):
        super().__init__()
        self.date = dspy.Predict("mail -> due")
        self.weigh = dspy.Predict("mail, due -> urgency")

    def forward(self, mail):
        due = self.date(mail=mail).due
        return dspy.Prediction(due=due, urgency=self.weigh(mail=mail, due=due).urgency)


def mails():
    return Mails()


@pytest.fixture
def found(tmp_path):
    """What a check finds, with some expectations in the settings and some names on the last loaded day."""

    def find(name, expectations, logged=(), fields=None):
        mails = {
            "module": f"{__name__}:mails", "experiment": "mails", "split": {"key": "test"}, "fields": fields or {},
            "cleaning": {"expectations": expectations}, "compile": {"strategies": [{"strategy": "labeled_few_shot"}]},
        }  # fmt: skip
        written = {"deployment": "named", "partitions": {"start": "2026-11-15"}, "lm": {"model": "openai/none"}}
        file = tmp_path / "telefine.yaml"
        file.write_text(yaml.safe_dump(written | {"programs": {"mails": mails}}))
        settings = load_settings(file)
        for day, names in (("2026-11-15", ["of long ago"]), ("2026-11-16", logged)):
            rows = [asdict(trace(at, expectation("x", name=each))) for at, each in enumerate(names)]
            TableStore(Files(settings.store.uri)).write(
                "mails", "traces", day, pa.Table.from_pylist(rows, trace_schema())
            )
        return next(examine(settings, [CHECKS[name]]))

    return find


def test_a_name_that_no_trace_of_the_last_loaded_day_has_is_a_warning(found):
    both = {"due": "right_due", "urgency": "correct_urgency"}
    finding = found("labels", both, ["correct_due", "correct_urgency"])
    assert (finding.health, finding.said) == (
        Health.WARNING,
        "mails: no trace of 2026-11-16 has an expectation 'right_due'; there are: correct_due, correct_urgency",
    )
    assert "programs.*.cleaning" in finding.cure
    assert found("labels", both, ["right_due", "correct_urgency"]).health is Health.OK
    assert found("labels", both).health is Health.OK


def test_expectations_for_some_outputs_alone_are_a_warning(found):
    finding = found("labels", {"due": "due"}, ["due"], {"outputs": ["due", "urgency"]})
    assert (finding.health, "names none for urgency" in finding.said) == (Health.WARNING, True)


def test_an_expectation_for_what_is_no_output_is_found_before_a_run_with_the_setting_that_cures_it(found):
    assert found("programs", {"due": "due", "urgency": "urgency"}).said == "mails: mail -> due, urgency"
    finding = found("programs", {"due": "due"})
    assert (finding.health, finding.said) == (
        Health.BROKEN,
        "programs.mails.cleaning.expectations: 'due' is no output field of the program; there are: urgency. Name one "
        "of those, or all that the program returns in programs.mails.fields.outputs, such as [due, urgency]",
    )
    assert found("programs", {"due": "due"}, fields={"outputs": ["due"]}).said == "mails: mail -> due"
