"""The rule of the claim, and what its report shows: ``programs.X.deltaone`` (see docs/deltaone.md)."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, get_args

from pydantic import Field, field_validator, model_validator

from telefine_assets.settings.group import Group, Name
from telefine_assets.settings.metrics import MetricSettings

Measure = Literal["valid", "latency_ms", "cost_micros", "tokens"]
"""What is measured of every answer: readable or not (ppm), milliseconds, millionths of the currency, tokens."""
MEASURES: tuple[str, ...] = get_args(Measure)


class GuardrailSettings(Group):
    """A bound on something other than the score; a missing value breaks it."""

    metric: MetricSettings | None = Field(None, description="Another metric; its scores are in parts per million.")
    measure: Measure | None = Field(None, description="Or what is measured anyway; may be the guardrail's name.")
    statistic: Literal["mean", "p95"] = Field("mean", description="What is bounded: the mean, or the 95th percentile.")
    at_least: int | None = Field(None, ge=0, description="Least allowed value of the candidate.")
    at_most: int | None = Field(None, ge=0, description="Greatest allowed value of the candidate.")
    max_worse: int | None = Field(None, ge=0, description="By how much it may be worse than the baseline.")

    @model_validator(mode="after")
    def _bounds_something(self) -> GuardrailSettings:
        if self.metric is not None and self.measure is not None:
            raise ValueError("takes a metric or a measure, not both")
        if self.at_least is None and self.at_most is None and self.max_worse is None:
            raise ValueError("bounds nothing: set at_least, at_most or max_worse")
        if self.statistic == "p95" and self.at_least is not None:
            raise ValueError("at_least under p95 lets 95 % of the answers be bad: use the mean")
        return self


class DeltaOneSettings(Group):
    """The rule of the claim."""

    threshold_ppm: int = Field(10_000, ge=1, le=1_000_000, description="Least gain, in parts per million.")
    alpha: str = Field("0.05", pattern=r"^0\.[0-9]{1,6}$", description="Chance of a false claim that all looks share.")
    min_items: int = Field(100, ge=1, description="With fewer held-out items nothing is looked at.")
    max_items: int = Field(
        2_000, ge=1, description="Most held-out items of a look; more are chosen from by a keyed hash."
    )
    max_unresolved_ppm: int = Field(
        10_000, ge=0, le=1_000_000, description="Largest share of items that got no answer or no score."
    )
    seed: int = Field(0, ge=0, description="Of the sign-flip test.")
    permutations: int = Field(10_000, ge=100, le=10_000_000, description="Fewest random sign flips.")
    planned_discordance_ppm: int = Field(
        200_000, ge=1, le=1_000_000, description="Share of items on which two programs are expected to differ."
    )
    target_gain_ppm: int = Field(100_000, ge=1, le=1_000_000, description="The gain that a holdout should show.")
    min_power_ppm: int = Field(
        500_000, ge=0, le=999_999, description="Least chance of showing it, below which a holdout is too small."
    )
    cluster_by: Literal["session", "contributor"] = Field(
        "session", description="What is not independent: items of a session; or of a contributor, too."
    )
    category: str | None = Field(
        None, description="The input or output by which the report divides; an output with few values when absent."
    )
    confidence: str | None = Field(None, description="The output that holds the program's own probability, 0 to 1.")
    guardrails: dict[Name, GuardrailSettings] = Field({}, description="What must hold beside the gain, by name.")
    max_regressions: int | None = Field(
        None, ge=0, description="Most items on which a candidate may be worse than what serves; any number if absent."
    )
    regression_items: int = Field(500, ge=0, description="Most items of the certified regression set that are asked.")

    @field_validator("alpha")
    @classmethod
    def _is_a_level(cls, alpha: str) -> str:
        if not 0 < Decimal(alpha) < Decimal("0.5"):
            raise ValueError("must lie between 0 and 0.5")
        return alpha

    @model_validator(mode="after")
    def _enough_may_be_looked_at(self) -> DeltaOneSettings:
        if self.max_items < self.min_items:
            raise ValueError(f"max_items ({self.max_items}) must not be below min_items ({self.min_items})")
        return self

    @model_validator(mode="after")
    def _guardrails_measure_something(self) -> DeltaOneSettings:
        for name, rail in self.guardrails.items():
            if rail.metric is None and rail.measure is None and name not in MEASURES:
                raise ValueError(f"guardrails.{name}: name a metric, or a measure ({', '.join(MEASURES)})")
            if rail.metric is not None and name in (*MEASURES, "confidence"):
                raise ValueError(f"guardrails.{name}: the name belongs to a measure; call the metric otherwise")
            more_is_better = rail.metric.direction == "higher" if rail.metric else (rail.measure or name) == "valid"
            if rail.statistic == "p95" and rail.max_worse is not None and more_is_better:
                raise ValueError(f"guardrails.{name}: max_worse under p95 compares the best answers: use the mean")
        return self
