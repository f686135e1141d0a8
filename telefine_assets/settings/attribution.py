"""Settings of who is paid for what: ``programs.<name>.attribution``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from telefine_assets.attribution.batches import LEAST_BATCHES
from telefine_assets.settings.group import Group


class ShapleySettings(Group):
    """How much may be asked to find out what each demo is worth."""

    coalitions: int = Field(400, ge=64, le=10_000, description="At most so many subsets of the demos are tried.")
    max_items: int | None = Field(
        None, ge=LEAST_BATCHES, description="Validation items that each subset answers; all by default."
    )
    seed: int = Field(0, ge=0, description="Of the subsets that are drawn.")


class AttributionSettings(Group):
    """How contributors are weighed."""

    method: Literal["usage", "shapley"] = Field(
        "usage", description="By the demos that are in the program, or by what each of them is worth."
    )
    shapley: ShapleySettings = ShapleySettings()
    unsigned: Literal["paid", "escrow"] = Field(
        "paid", description="What becomes of the share of traces that nobody signed for."
    )


def check_weighing(attribution: AttributionSettings, max_validation: int) -> None:
    """Refuse to weigh by what no compile has: each would ask the model for every subset, and nobody would be paid.

    Raises:
        ValueError: naming the setting.
    """
    if attribution.method == "shapley" and max_validation < LEAST_BATCHES:
        raise ValueError(
            f"compile.max_validation ({max_validation}) must be at least {LEAST_BATCHES} with attribution.method = "
            "shapley: fewer validation items do not tell what a demo is worth, and nobody would ever be paid"
        )
