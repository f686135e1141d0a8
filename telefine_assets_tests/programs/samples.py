"""Sample programs of every shape that is compiled, each with rows and a model that answers by rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dspy
from pydantic import BaseModel

from telefine_assets.canonical import digest_of
from telefine_assets.programs.datasets import Item
from telefine_assets.programs.spec import ProgramSpec, load_spec
from telefine_assets.settings.schema import ProgramSettings
from telefine_assets.traces.clusters import cluster_of
from telefine_assets_tests.programs.tickets import WORDS, Team, right_team, tickets
from telefine_assets_tests.scripted_lm import Rule


class Ticket(BaseModel):
    """What a customer sent."""

    text: str
    pages: list[str] = []


class Verdict(BaseModel):
    """Who is to answer, and how soon."""

    team: Team
    urgency: int


class Rewrite(dspy.Module):
    """Two hops: the second never sees the ticket."""

    def __init__(self) -> None:
        super().__init__()
        self.rewrite = dspy.Predict("ticket -> summary")
        self.route = dspy.Predict(dspy.Signature("summary: str -> team: Team", custom_types={"Team": Team}))

    def forward(self, ticket: str) -> dspy.Prediction:
        return self.route(summary=self.rewrite(ticket=ticket).summary)


class Funnel(dspy.Module):
    """Many tickets come down to one question of the second predictor."""

    def __init__(self) -> None:
        super().__init__()
        self.topic = dspy.Predict("ticket -> topic")
        self.team = dspy.ChainOfThought("topic, language -> team")

    def forward(self, ticket: str, language: str) -> dspy.Prediction:
        return self.team(topic=self.topic(ticket=ticket).topic, language=language)


class Panel(dspy.Module):
    """Each predictor makes one of the outputs; one is worked out in code."""

    def __init__(self) -> None:
        super().__init__()
        self.team = dspy.Predict("ticket -> team")
        self.urgency = dspy.Predict("ticket, team -> urgency: int")

    def forward(self, ticket: str, tone: str = "plain") -> dspy.Prediction:
        team = self.team(ticket=ticket).team
        urgency = self.urgency(ticket=ticket, team=team).urgency
        return dspy.Prediction(team=team, urgency=urgency, urgent=urgency > 2)


class Triage(dspy.Signature):
    """Say who is to answer, and what it is about."""

    ticket: Ticket = dspy.InputField()
    languages: list[str] = dspy.InputField()
    verdict: Verdict = dspy.OutputField()
    team: Team = dspy.OutputField()
    tags: list[str] = dspy.OutputField()
    urgent: bool = dspy.OutputField()
    share: float = dspy.OutputField()
    note: str | None = dspy.OutputField()


class Typed(dspy.Module):
    """Takes a model and returns one, and needs the model to be one."""

    def __init__(self) -> None:
        super().__init__()
        self.triage = dspy.Predict(Triage)

    def forward(self, ticket: Ticket, languages: list[str]) -> dspy.Prediction:
        return self.triage(ticket=Ticket(text=ticket.text.strip(), pages=ticket.pages), languages=languages)


def look_up(words: str) -> str:
    """The team that answers for some words."""
    return f"the team for this is {right_team(words)}"


def rewrite() -> Any:
    return Rewrite()


def funnel() -> Any:
    return Funnel()


def panel() -> Any:
    return Panel()


def typed() -> Any:
    return Typed()


def thoughtful() -> Any:
    return dspy.ChainOfThought(dspy.Signature("ticket: str -> team: Team", custom_types={"Team": Team}))


def acting() -> Any:
    return dspy.ReAct(
        dspy.Signature("ticket: str -> team: Team", custom_types={"Team": Team}), tools=[look_up], max_iters=3
    )


@dataclass(frozen=True)
class Sample:
    """A program with what it takes to compile it."""

    name: str
    row: Callable[[str, str, int], tuple[dict[str, Any], dict[str, Any]]]
    """From text, right team and number of a ticket to inputs and label, as JSON."""
    rule: Rule
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> ProgramSpec:
        values = {
            "module": f"{__name__}:{self.name}",
            "experiment": self.name,
            "fields": self.fields,
            "split": {"key": "a secret"},
            "compile": {"strategies": [{"strategy": "bootstrap_few_shot"}]},
        }
        return load_spec(self.name, ProgramSettings.model_validate(values))

    def items(self, count: int, start: int = 0) -> list[Item]:
        rows = [self.row(text, team, number) for number, (text, team) in enumerate(tickets(count, start), start)]
        return [_item(self.spec, number, *row) for number, row in enumerate(rows, start)]


def _item(spec: ProgramSpec, number: int, inputs: dict[str, Any], label: dict[str, Any]) -> Item:
    content = cluster_of(inputs)
    return Item(
        cluster=content,
        content=content,
        group=content,
        trace_id=f"tr-{number}",
        trace_digest=digest_of(number),
        inputs=inputs,
        label=label,
        label_source="expectation:HUMAN:ann",
        quality_ppm=1_000_000,
        contributor=f"0x{number:040x}",
        arrival_ms=1_000_000 - number,
        types=spec.types,
    )


def _plain_row(text: str, team: str, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"ticket": text}, {"team": team}


def _funnel_row(text: str, team: str, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"ticket": text, "language": ("en", "de")[number % 2]}, {"team": team}


def _panel_row(text: str, team: str, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"ticket": text}, {"team": team, "urgency": len(team) % 5, "urgent": len(team) % 5 > 2}


def _typed_row(text: str, team: str, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    outputs = _triage({"ticket": text})
    # People write what they mean: a number as text, and no pages for none.
    return {"ticket": {"text": text}, "languages": ["en", "de"]}, {**outputs, "share": "0.5", "urgent": "yes"}


def _triage(inputs: Mapping[str, str]) -> dict[str, Any]:
    team = right_team(inputs["ticket"])
    return {
        "verdict": {"team": team, "urgency": len(team) % 5},
        "team": team,
        "tags": [team, "ticket"],
        "urgent": True,
        "share": 0.5,
        "note": None,
    }


def by_rules(inputs: Mapping[str, str], outputs: list[str]) -> Mapping[str, Any]:
    """The right answer to each predictor of the samples but ``typed``."""
    text = " ".join(inputs.get(name, "") for name in ("ticket", "summary", "topic"))
    team = right_team(text)
    acted = "observation_0" in inputs or "right_team" in inputs.get("trajectory", "")
    return {
        "summary": f"In short, the customer writes: {text.rpartition(' ')[0]}",
        "topic": " or ".join(WORDS[team]),
        "team": team,
        "urgency": len(team) % 5,
        "reasoning": f"These are the words that {team} is asked about.",
        "next_thought": "I shall look it up." if not acted else "I know enough.",
        "next_tool_name": "finish" if acted else "look_up",
        "next_tool_args": {} if acted else {"words": text},
    }


def by_typed_rules(inputs: Mapping[str, str], outputs: list[str]) -> Mapping[str, Any]:
    """The right answer of ``typed``."""
    return _triage(inputs)


SAMPLES = (
    Sample("rewrite", _plain_row, by_rules),
    Sample("funnel", _funnel_row, by_rules),
    Sample("panel", _panel_row, by_rules, {"outputs": ["team", "urgency", "urgent"]}),
    Sample("thoughtful", _plain_row, by_rules),
    Sample("acting", _plain_row, by_rules),
    Sample("typed", _typed_row, by_typed_rules),
)
