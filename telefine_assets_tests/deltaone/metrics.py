"""Metrics of the tickets program, as a deployment would write them."""

import time
from pathlib import Path

from telefine_assets.programs.metrics import CannotJudge
from telefine_assets_tests.programs.tickets import right_team

HERE = __name__


def loss(example, prediction, trace=None):
    """0.2 for a right answer, 0.3 for a wrong one: lower is better."""
    return 0.2 if prediction.team == example.team else 0.3


def fits(example, prediction, trace=None):
    """Whether the team fits the ticket's words, with no label to compare with."""
    if "team" in example:
        raise ValueError("was handed a label")
    return prediction.team == right_team(example.ticket)


def no_praise(example, prediction, trace=None):
    """A guardrail that reads no label: nothing is taken for praise."""
    return prediction.team != "praise"


def agrees(example, prediction, trace=None):
    """A guardrail that reads the label."""
    return prediction.team == example.team


def shy(example, prediction, trace=None):
    """A metric that judges no praise."""
    if example.team == "praise":
        raise CannotJudge("praise is beyond it")
    return prediction.team == example.team


def gated(example, prediction, trace=None, *, gate):
    """Right or wrong; leaves a mark when it is asked, and does not come back while the gate is shut."""
    Path(f"{gate}.scoring").touch()
    while Path(gate).exists():
        time.sleep(0.01)
    return prediction.team == example.team
