"""What is missing is named: the expectation that a trace lacks, and names that nobody used on a day."""

from dataclasses import asdict
from datetime import date
from typing import Literal

import pytest

from telefine_assets.settings.traces import OutcomeSettings
from telefine_assets.traces.cleaning.missing import why_unlabelled
from telefine_assets.traces.fields import Fields
from telefine_assets_tests.traces.examples import DAY, clean, expectation, feedback, settings_with, trace, why

MAILS = Fields(("ticket",), ("due", "urgency"), {"due": date | None, "urgency": Literal["low", "high"]})
BOTH = settings_with(expectations={"due": "right_due", "urgency": "right_urgency"}, accept_outputs_at=None)
DUE, URGENT = expectation("2026-11-20", name="right_due"), expectation("high", name="right_urgency")


@pytest.mark.parametrize(
    ("said", "changes", "told"),
    [
        ([URGENT], {}, "the expectation 'right_due' (for due) is missing; all outputs need one"),
        ([DUE, expectation(None, name="right_urgency")], {},
         "the expectation 'right_urgency' (for urgency) has no value; all outputs need one"),
        ([], {"accept_outputs_at": 0.8}, "the expectation 'right_due' (for due) is missing; the expectation "
         "'right_urgency' (for urgency) is missing; all outputs need one, and no score accepts what was answered"),
        ([URGENT], {"expectations": {"urgency": "right_urgency"}},
         "cleaning.expectations names none for due; all outputs need one"),
        ([], {"expectations": {}}, None),
    ],
)  # fmt: skip
def test_a_trace_without_a_label_is_told_which_expectations_it_lacks(said, changes, told):
    how = settings_with(**{"expectations": BOTH.expectations, "accept_outputs_at": None} | changes)
    one = trace(1, *said)
    assert why(one, how, MAILS) == "unlabelled"
    assert why_unlabelled(asdict(one), MAILS, how) == told


def absent(*traces, **changes):
    how = settings_with(
        **{"outcomes": (OutcomeSettings(feedback="helpful"),), "expectations": BOTH.expectations} | changes
    )
    return list(clean(*traces, settings=how, fields=MAILS).report.absent)


def test_a_name_in_the_settings_that_no_trace_of_a_day_has_is_told_with_those_that_there_are():
    wrong = [trace(1, expectation("2026-11-20", name="correct_due"), status="ERROR"), trace(2, URGENT)]
    assert absent(*wrong) == [
        f"no trace of {DAY} has an expectation 'right_due'; there are: correct_due, right_urgency"
    ]
    assert absent(trace(1, feedback(1, name="useful"))) == [
        f"no trace of {DAY} has a feedback 'helpful'; there are: useful"
    ]
    assert absent(trace(1, URGENT, feedback("2026-11-20", name="right_due")), outcomes=(), accept_outputs_at=None) == [
        f"no trace of {DAY} has an expectation 'right_due'; there is a feedback of that name"
    ]


def test_a_day_of_which_nothing_was_said_is_no_reason_to_doubt_the_names():
    assert absent() == absent(trace(1), trace(2, feedback(1))) == absent(trace(1, DUE), trace(2, URGENT)) == []
    gone = expectation("high", name="old_name", valid=False)
    assert absent(trace(1, gone)) == []
