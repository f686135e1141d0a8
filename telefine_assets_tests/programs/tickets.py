"""A small DSPy program for tests: which team a support ticket belongs to.

The texts are made from words that only one team's tickets have, so that a model
which has seen a ticket of each team does well. The first version's two demos
cover two of the four teams: it gets about half of the tickets right, and a
compiled one has something to gain.
"""

import hashlib
import itertools
from collections.abc import Iterator
from typing import Any, Literal

WORDS = {
    "billing": ("invoice", "charged", "refund", "card", "payment", "price"),
    "login": ("password", "login", "account", "locked", "code", "username"),
    "shipping": ("parcel", "delivery", "courier", "tracking", "address", "late"),
    "praise": ("thanks", "great", "love", "wonderful", "helpful", "happy"),
}
TEAMS = tuple(WORDS)
Team = Literal["billing", "login", "shipping", "praise"]
OPENINGS = ("hello team", "good morning", "quick question", "dear support", "writing again", "hi there")


def ticket(number: int) -> tuple[str, str]:
    """The text and the right team of one ticket; every number has another text."""
    draw = hashlib.sha256(f"ticket {number}".encode()).digest()
    team = TEAMS[draw[0] % len(TEAMS)]
    words = list(itertools.combinations(WORDS[team], 4))[draw[1] % 15]
    return f"{OPENINGS[draw[2] % len(OPENINGS)]} {' '.join(words)} #{number}", team


def tickets(count: int, start: int = 0) -> Iterator[tuple[str, str]]:
    """``count`` different tickets from number ``start`` on, as (text, right team)."""
    return map(ticket, range(start, start + count))


def right_team(text: str) -> str:
    """The right team of a ticket's text, in whatever case it was sent."""
    words = set(text.casefold().split())
    return max(TEAMS, key=lambda team: len(words & set(WORDS[team])))


def build() -> Any:
    """The first version: one prediction, and demos of two teams only."""
    import dspy

    class TicketTeam(dspy.Signature):
        """Say which team the ticket belongs to."""

        ticket: str = dspy.InputField()
        team: Team = dspy.OutputField()

    class Sort(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sort = dspy.Predict(TicketTeam)
            self.sort.demos = [
                dspy.Example(ticket="the invoice says my card was charged", team="billing").with_inputs("ticket"),
                dspy.Example(ticket="my password and login code fail", team="login").with_inputs("ticket"),
            ]

        def forward(self, ticket: str) -> Any:
            return self.sort(ticket=ticket)

    return Sort()
