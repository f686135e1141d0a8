"""Programs that teach the tickets program, well or with ill intent."""

from typing import Any

import dspy

from telefine_assets.programs.spec import ProgramSpec, load_spec
from telefine_assets_tests.programs.examples import program_settings
from telefine_assets_tests.programs.strategies.tasks import two_steps
from telefine_assets_tests.programs.tickets import Team, right_team

HELD_OUT: list[str] = []
"""What the hostile programs know and should not."""


class Reasoned(dspy.Signature):
    """Say which team the ticket belongs to, and why."""

    ticket: str = dspy.InputField()
    reasoning: str = dspy.OutputField()
    team: Team = dspy.OutputField()


class Quoting(dspy.Module):
    """Right every time, and every reason quotes a ticket that the student holds out."""

    def __init__(self) -> None:
        super().__init__()
        self.think = dspy.Predict(Reasoned)

    def forward(self, ticket: str) -> Any:
        return dspy.Prediction(team=right_team(ticket), reasoning=f"as in '{HELD_OUT[0].upper()}', plainly")


class QuotingOnce(Quoting):
    """As ``Quoting``, and only where an invoice is asked about."""

    def forward(self, ticket: str) -> Any:
        if "invoice" in ticket:
            return super().forward(ticket)
        return dspy.Prediction(team=right_team(ticket), reasoning="it says so")


class AskingMore(dspy.Module):
    """Two steps, of which the first reads a ticket that the student holds out."""

    def __init__(self) -> None:
        super().__init__()
        steps = two_steps()
        self.topic, self.team = steps.topic, steps.team

    def forward(self, ticket: str) -> Any:
        self.topic(ticket=HELD_OUT[0])
        return self.team(topic="some topic", ticket=ticket)


class AskingForMore(dspy.Module):
    """Cannot be asked without a customer."""

    def __init__(self) -> None:
        super().__init__()
        self.sort = dspy.Predict("customer, ticket -> team")

    def forward(self, customer: str, ticket: str) -> Any:
        return self.sort(customer=customer, ticket=ticket)


def reasoning_student() -> Any:
    """A student whose demos have room for a reason."""
    return dspy.Predict(Reasoned)


def instructed() -> Any:
    """A teacher whose own code says what it is to do."""
    return dspy.Predict(dspy.Signature("ticket -> team", "Name the team of this ticket."))


def bare() -> Any:
    """A student that is nothing but a predictor."""
    return dspy.Predict("ticket -> team")


def summary() -> Any:
    """Answers something else than a team."""
    return dspy.Predict("ticket -> summary")


def spec_of(build: Any, name: str = "senior") -> ProgramSpec:
    """The spec of one of these."""
    return load_spec(name, program_settings(module=f"{build.__module__}:{build.__name__}"))


def first_step_knows(prompt: str) -> str | None:
    """A model that is right where two steps are asked, and knows nothing else but the demos."""
    question = prompt.split("\n\n")[-1]
    if question.endswith("Topic:"):
        return "some topic"
    return right_team(question) if "Topic: some topic" in question else None


def demos_know(prompt: str) -> str | None:
    """A model that is right, and says why, once a demo shows it a reason."""
    *shown, question = prompt.split("\n\n")
    return f"because\nTeam: {right_team(question)}" if any("Reasoning:" in each for each in shown) else None
