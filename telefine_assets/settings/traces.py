"""Settings of the first two stages: which traces are read, and what a trace must have to be used."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from telefine_assets.settings.group import Group, Share

Finite = Annotated[float, Field(allow_inf_nan=False)]
SourceType = Literal["HUMAN", "LLM_JUDGE", "CODE"]


class OutcomeFilter(Group):
    """Only traces with a valid feedback of this name in this range."""

    feedback: str = Field(description="Name of the MLflow feedback.")
    at_least: float | None = Field(None, description="Least value.")
    at_most: float | None = Field(None, description="Greatest value.")

    @model_validator(mode="after")
    def _bounded(self) -> OutcomeFilter:
        if self.at_least is None and self.at_most is None:
            raise ValueError("name at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least must not be above at_most")
        return self


class TraceFilters(Group):
    """Which traces are loaded at all. Everything that is named must hold."""

    statuses: tuple[Literal["OK", "ERROR", "IN_PROGRESS", "STATE_UNSPECIFIED"], ...] = Field(
        (), description="MLflow's status; any when empty."
    )
    tags: dict[str, str] = Field(default_factory=dict, description="Tags with exactly these values.")
    versions: tuple[str, ...] = Field((), description="Program versions; see version_key.")
    outcome: OutcomeFilter | None = None


class TracesSettings(Group):
    """Which of MLflow's traces are this program's production traces."""

    files: str | None = Field(
        None, description="Parquet or JSONL files (an fsspec URI, globs allowed) to read instead of MLflow."
    )
    filters: TraceFilters = TraceFilters()
    version_key: str = Field("mlflow.modelId", description="Tag or trace metadata that names the program's version.")
    from_runs: Literal["skip", "keep"] = Field(
        "skip", description="Traces made inside an MLflow run are evaluations, not production, unless you say so."
    )
    spans: Literal["none", "all"] = Field("none", description="Keep the inner spans too (tools, predictors).")


class OutcomeSettings(Group):
    """A feedback that says how well a trace turned out, and how its values are read.

    ``kind`` says what a value may be: ``number`` (within ``low`` and ``high``),
    ``boolean`` (true, false), ``pass_fail`` (also the words pass, fail, yes, no),
    ``stars`` (1 to 5 unless ``low`` and ``high`` say otherwise) or ``category``
    (one of ``categories``, each with its number).
    """

    feedback: str = Field(description="Name of the MLflow feedback.")
    kind: Literal["number", "boolean", "pass_fail", "stars", "category"] = Field(
        "number", description="What a value may be."
    )
    low: Finite = Field(0.0, description="One end of the range.")
    high: Finite = Field(1.0, description="The other end.")
    direction: Literal["higher", "lower"] = Field("higher", description="Which end of the range is the good one.")
    categories: dict[str, Finite] = Field(default_factory=dict, description="Each category's number (kind: category).")
    sources: tuple[SourceType, ...] = Field((), description="Who may say it; anyone when empty.")
    raters: Literal["mean", "median", "lowest", "highest", "latest", "majority"] = Field(
        "mean", description="How several raters of one trace are combined."
    )
    weight: int = Field(1, ge=1, le=1_000_000, description="Of this feedback beside the others.")
    missing: Literal["unscored", "drop", "impute"] = Field(
        "unscored", description="What becomes of a trace without it: no score, dropped, or the value of `impute`."
    )
    impute: Finite | Literal["mean", "median"] | None = Field(
        None, description="A value on the feedback's own scale, or the day's mean or median."
    )
    out_of_range: Literal["ignore", "clip", "drop"] = Field(
        "ignore", description="What becomes of a value outside of low and high; drop drops the trace."
    )

    @model_validator(mode="before")
    @classmethod
    def _five_stars(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("kind") == "stars":
            return {"low": 1.0, "high": 5.0, **values}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> OutcomeSettings:
        if not self.low < self.high:
            raise ValueError("low must be below high")
        if (self.kind == "category") != bool(self.categories):
            raise ValueError("categories belong to kind: category, which needs them")
        if any(not self.low <= value <= self.high for value in self.categories.values()):
            raise ValueError("the categories' numbers must lie between low and high")
        if (self.missing == "impute") != (self.impute is not None):
            raise ValueError("impute belongs to missing: impute, which needs it")
        if isinstance(self.impute, float) and not self.low <= self.impute <= self.high:
            raise ValueError("impute must lie between low and high")
        return self


class AuditSettings(Group):
    """A trusted rater who checks part of the labels; who is found careless is not learnt from."""

    rater: str = Field(description="The source id under which the rater's expectations are logged.")
    source_type: SourceType = Field("HUMAN", description="The rater's expectations must come with this type too.")
    min_checked: int = Field(4, ge=1, description="With fewer checked labels nobody is judged.")
    max_wrong_percent: int = Field(
        34, ge=0, le=99, description="Beyond this share of wrong labels one is not learnt from."
    )
    lookback_days: int = Field(30, ge=1, le=3650, description="Days of which findings are added up, the day included.")


class OutlierSettings(Group):
    """What is far from a day's other traces. Nothing is judged on fewer than ``min_traces``."""

    method: Literal["off", "mad", "isolation_forest"] = Field(
        "mad", description="Distance from the median in median absolute deviations, or an isolation forest."
    )
    action: Literal["flag", "drop"] = Field("flag", description="What becomes of an outlier.")
    features: tuple[Literal["latency", "tokens", "input_length", "output_length"], ...] = Field(
        ("latency", "tokens", "input_length", "output_length"), description="What is looked at."
    )
    threshold: float = Field(8.0, gt=0, description="Robust z-score (0.6745 (x - median) / MAD) from which one is far.")
    contamination: float = Field(0.01, gt=0, le=0.5, description="Isolation forest: the share taken for anomalous.")
    min_traces: int = Field(50, ge=2, description="A day with fewer is not judged.")
    max_disagreement: Share | None = Field(None, description="Largest spread between raters of one trace, 0 to 1.")
    max_output_share: Share | None = Field(
        None, description="Free-text outputs: the largest share of a day's traces that one answer may have."
    )


class NearDuplicateSettings(Group):
    """Inputs that say nearly the same belong to one content cluster."""

    enabled: bool = Field(True, description="False joins equal inputs alone.")
    similarity_percent: int = Field(85, ge=60, le=100, description="Jaccard similarity of the inputs' shingles.")
    lookback_days: int = Field(365, ge=0, le=3650, description="How far back earlier inputs are remembered.")


class BalanceSettings(Group):
    """No category outweighs the others in the trainset; validation and holdout stay as production is."""

    by: str = Field(
        pattern=r"^(label|field|tag):.+$|^version$", description="label:NAME, field:NAME, tag:NAME, version."
    )
    max_per_day: int | None = Field(None, ge=1, description="The most that any category may have on a day.")
    caps: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="The same for single categories; goes before max_per_day."
    )
    weights: dict[str, Share] = Field(
        default_factory=dict, description="Factors on the quality of a category's traces."
    )


class CleaningSettings(Group):
    """What a trace must have to be used."""

    statuses: tuple[Literal["OK", "ERROR"], ...] = Field(
        ("OK",), min_length=1, description="Statuses that may be used."
    )
    outcomes: tuple[OutcomeSettings, ...] = Field((), description="Feedbacks that say how a trace turned out.")
    normalise: Literal["range", "rank", "zscore"] = Field(
        "range", description="How values of different feedbacks come to one scale from 0 to 1."
    )
    accept_outputs_at: Share | None = Field(None, description="An output scored so or better serves as a label.")
    quality: tuple[tuple[Share, Share], ...] = Field(
        ((0.0, 0.0), (1.0, 1.0)), description="Curve from an output's score to its worth: points, joined by lines."
    )
    expectations: dict[str, str] = Field(
        default_factory=dict,
        description="Output field -> name of the MLflow expectation with its right value.",
    )
    audit: AuditSettings | None = None
    outliers: OutlierSettings = OutlierSettings()
    near_duplicates: NearDuplicateSettings = NearDuplicateSettings()
    balance: BalanceSettings | None = None
    max_input_characters: int = Field(20_000, ge=1, description="Longer inputs are dropped.")
    contributor_tag: str = Field("telefine.contributor", description="The tag that names the contributor's wallet.")
    submission_tag: str = Field("telefine.submission", description="The contributor's signed submission.")

    @model_validator(mode="after")
    def _consistent(self) -> CleaningSettings:
        names = [outcome.feedback for outcome in self.outcomes]
        if len(names) != len(set(names)):
            raise ValueError("outcomes: each feedback may stand there once")
        if self.accept_outputs_at is not None and not self.outcomes:
            raise ValueError("accept_outputs_at needs an outcome that scores outputs")
        at = [point[0] for point in self.quality]
        if len(at) < 2 or at[0] != 0 or at[-1] != 1 or any(a >= b for a, b in pairwise(at)):
            raise ValueError("quality: the curve's points must go up from score 0 to score 1")
        return self
