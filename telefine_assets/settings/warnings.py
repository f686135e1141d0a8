"""What settings allow, and nobody is likely to want."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from telefine_assets.attribution.batches import LEAST_BATCHES
from telefine_assets.settings.schema import ProgramSettings, Settings


@dataclass(frozen=True)
class Warned:
    """What may go wrong.

    Attributes:
        name: what it is about.
        said: which setting, and what comes of it.
        cure: what to set.
    """

    name: str
    said: str
    cure: str


def warnings_of(settings: Settings) -> list[Warned]:
    """What whoever checks the settings is told, though they are valid."""
    return [found for name, program in settings.programs.items() for found in _weighing(name, program)]


def _weighing(name: str, program: ProgramSettings) -> Iterator[Warned]:
    least = program.compile.min_validation
    if program.attribution.method == "shapley" and least < LEAST_BATCHES:
        yield Warned(
            f"weights of {name}",
            f"programs.{name}.compile.min_validation = {least}: with attribution.method = shapley a day whose compile "
            f"had fewer than {LEAST_BATCHES} independent validation items is attested, and nobody is paid for it "
            "(too_few_items)",
            f"set compile.min_validation to {LEAST_BATCHES} or more (items of one session count once), or "
            "attribution.method to usage",
        )
