"""The simulated people: who sends which sentence when, and what they say of the answer.

Everything follows from the order of the sentences and from the rules below;
there is no randomness. The same plan comes out on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from telefine_assets.attribution.addresses import checksum_address
from telefine_assets.attribution.keccak import keccak256
from telefine_assets.demo.film_reviews import NEGATIVE, POSITIVE, first_demos, sentences

DESK = "film-desk"
"""The trusted rater, who knows the true label and checks every third one."""


@dataclass(frozen=True)
class Person:
    """Somebody who uses the program."""

    name: str
    habit: str
    """``diligent``, ``careless``, ``idle``, ``copies`` or ``bad_address``."""

    @property
    def wallet(self) -> str:
        """A made-up wallet; nobody has its key. One person mistypes hers."""
        address = checksum_address(keccak256(f"telefine demonstration: {self.name}".encode())[12:])
        return address.swapcase().replace("0X", "0x") if self.habit == "bad_address" else address


PEOPLE = (
    Person("ada", "diligent"),
    Person("ben", "diligent"),
    Person("chloe", "diligent"),
    Person("dan", "careless"),
    Person("eve", "idle"),
    Person("fay", "copies"),
    Person("gus", "bad_address"),
    Person("hana", "diligent"),
)
_OWN_SENTENCES = tuple(person for person in PEOPLE if person.habit != "copies")


@dataclass(frozen=True)
class Request:
    """One call of the program, and what will be said of it."""

    key: str
    """Unique name of the call; a call that was logged is not made again."""
    second: int
    """When, in seconds since midnight UTC."""
    person: Person
    text: str
    truth: str
    fault: str | None = None
    """``empty`` (no sentence was sent) or ``model_down``."""

    def said_label(self, number: int) -> str | None:
        """The label that the person gives; ``number`` counts the person's calls of the day."""
        if self.person.habit == "idle" or number % 10 == 9:
            return None
        if self.person.habit == "careless" and number % 5 != 0:
            return NEGATIVE if self.truth == POSITIVE else POSITIVE
        return self.truth


def plan(day_number: int, sentences_a_day: int) -> Iterator[Request]:
    """The calls of one day, in the order of their time.

    Args:
        day_number: 0 for the first day.
        sentences_a_day: how many different sentences are sent.
    """
    shown = {text for text, _ in first_demos()}
    fresh = [row for row in sentences() if row[0] not in shown]
    todays = fresh[day_number * sentences_a_day : (day_number + 1) * sentences_a_day]
    nine, step = 9 * 3600, 30_000 // max(len(todays), 1)
    for number, (text, truth) in enumerate(todays):
        person = _OWN_SENTENCES[number % len(_OWN_SENTENCES)]
        yield Request(f"{day_number}-{number}", nine + number * step, person, text, truth)
    for number in range(4):
        fault = "empty" if number % 2 else "model_down"
        text, truth = todays[number] if fault == "model_down" else ("", NEGATIVE)
        yield Request(f"{day_number}-fault-{number}", 18 * 3600 + number * 60, PEOPLE[number], text, truth, fault)
    fay = next(person for person in PEOPLE if person.habit == "copies")
    for number, (text, truth) in enumerate(todays[: 10 * len(_OWN_SENTENCES) : len(_OWN_SENTENCES)]):
        yield Request(f"{day_number}-copy-{number}", 20 * 3600 + number * 60, fay, text.upper(), truth)
