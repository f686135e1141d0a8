"""Tasks for strategies: the tickets program on the stand-in model, and a program with two predictors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from telefine_assets.programs.scoring import score_program
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.strategies import Task, propose
from telefine_assets_tests.programs.examples import items, opened, tickets_spec
from telefine_assets_tests.programs.tickets import right_team

SPEC = tickets_spec()


@contextmanager
def task_on(
    knn: Any, train: int = 40, valid: int = 20, in_flight: int = 4, num_retries: int = 2, **changes: Any
) -> Iterator[Task]:
    """The task of improving the tickets program without demos, unless ``changes`` says otherwise."""
    with opened(knn, calls_in_flight=in_flight, num_retries=num_retries) as lm:
        examples = [[item.example() for item in some] for some in (items(train), items(valid, 500))]
        values = {"student": SPEC.build().reset_copy(), "trainset": examples[0], "valset": examples[1], **changes}
        yield Task(**{"metric": SPEC.metric, "lm": lm, **values})


def proposals(knn: Any, settings: Any, **changes: Any) -> list[Any]:
    """What a strategy proposes."""
    with task_on(knn, **changes) as task:
        return list(propose(settings, task))


def states(knn: Any, settings: Any, **changes: Any) -> list[Any]:
    """Names, states and claims of what a strategy proposes."""
    return [(each.name, dump_state(each.module), each.claimed_ppm) for each in proposals(knn, settings, **changes)]


def right(knn: Any, module: Any, count: int = 40) -> int:
    """How many of ``count`` unseen tickets a module answers rightly."""
    with opened(knn) as lm:
        return sum(
            (each.score_ppm or 0) // 1_000_000 for each in score_program(module, items(count, 900), SPEC.metric, lm)
        )


def two_steps() -> Any:
    """A program with two predictors, the second asked twice."""
    import dspy

    class Topic(dspy.Signature):
        """Name the topic."""

        ticket: str = dspy.InputField()
        topic: str = dspy.OutputField()

    class Team(dspy.Signature):
        """Name the team."""

        topic: str = dspy.InputField()
        ticket: str = dspy.InputField()
        team: str = dspy.OutputField()

    class TwoSteps(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.topic, self.team = dspy.Predict(Topic), dspy.Predict(Team)

        def forward(self, ticket: str) -> Any:
            topic = self.topic(ticket=ticket).topic
            self.team(topic=topic, ticket=ticket.upper())
            return self.team(topic=topic, ticket=ticket)

    return TwoSteps()


def knows(share: int) -> Any:
    """A model for ``two_steps``: right for every ticket but those whose number ``share`` divides."""

    def answer(prompt: str) -> str | None:
        question = prompt.split("\n\n")[-1]
        if question.endswith("Topic:"):
            return "some topic"
        number = int(question.split("#")[1].split("\n")[0])
        return "nobody" if number % share == 0 else right_team(question)

    return answer
