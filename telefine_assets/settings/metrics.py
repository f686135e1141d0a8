"""How a program's answers are judged: ``programs.X.metric``."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from telefine_assets.settings.group import Group, ImportPath, Name


def _quoted(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError("write it in quotes: tolerances are strings, so that no digit is lost")
    return value


Tolerance = Annotated[
    str,
    Field(pattern=r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$"),
    BeforeValidator(_quoted, json_schema_input_type=str),
]
OutputNames = Annotated[
    tuple[str, ...] | None,
    Field(min_length=1, description="The outputs that count; every labelled one when absent."),
]


Direction = Literal["higher", "lower"]
"""Which scores are better."""


class _Metric(Group):
    """What all metrics share."""

    name: str = Field(description="The metric's name.")

    @property
    def label(self) -> str:
        """What a report calls it."""
        return self.name

    @property
    def arguments(self) -> dict[str, Any]:
        """What the metric's function is called with, by keyword; JSON values."""
        return self.model_dump(mode="json", exclude={"name"})


class _Comparing(_Metric):
    """What the metrics share that compare an answer with its label."""

    direction: ClassVar[Direction] = "higher"
    labels: ClassVar[bool] = True

    @model_validator(mode="before")
    @classmethod
    def _compares(cls, value: Any) -> Any:
        if isinstance(value, dict) and (said := {"direction", "labels"} & value.keys()):
            raise ValueError(
                f"compares with the label, and a higher score is better: leave out {' and '.join(sorted(said))}"
            )
        return value


class _Judging(_Metric):
    """What the metrics share that know by themselves what is good."""

    direction: Direction = Field("higher", description="Which scores are better: 'lower' for a loss.")
    labels: bool = Field(
        True, description="False for a metric that scores any output: it is handed no label, and items need none."
    )


class ExactMatch(_Comparing):
    """Right when every output equals its label."""

    name: Literal["exact_match"] = "exact_match"
    fields: OutputNames = None
    case_sensitive: bool = Field(False, description="Whether case counts.")


class F1(_Comparing):
    """The words that answer and label share; the mean over outputs."""

    name: Literal["f1"] = "f1"
    fields: OutputNames = None


class Contains(_Comparing):
    """Right when every label stands in its output as whole words."""

    name: Literal["contains"] = "contains"
    fields: OutputNames = None
    case_sensitive: bool = Field(False, description="Whether case counts.")


class Numeric(_Comparing):
    """Right when the number is near enough: within one of the two tolerances."""

    name: Literal["numeric"] = "numeric"
    field: str | None = Field(None, description="The output that holds the number; may be absent if there is one.")
    absolute: Tolerance = Field("0", description="In the number's own unit.")
    relative: Tolerance = Field("0", description="Share of the label's size.")


class JsonMatch(_Comparing):
    """Compares structures: objects, lists and what stands in them."""

    name: Literal["json_match"] = "json_match"
    fields: OutputNames = None
    mode: Literal["exact", "subset", "share"] = Field(
        "exact", description="Equal; everything expected is there; or the share of values that agree."
    )
    ordered: bool = Field(True, description="Whether the order of lists counts.")
    case_sensitive: bool = Field(False, description="Whether case counts.")


class LmJudge(_Judging):
    """Asks a language model whether the answer is right."""

    name: Literal["lm_judge"] = "lm_judge"
    instructions: str = Field(min_length=1, max_length=10_000, description="What makes an answer right.")
    lm: Name | None = Field(None, description="A name in `lms`; the program's own model when absent.")
    fields: OutputNames = None
    scale: Literal["yes_no", "one_to_five"] = Field("yes_no", description="What the judge may answer.")
    reasons: bool = Field(True, description="Ask for the reason first: better verdicts, and feedback for GEPA.")
    temperature: float = Field(0.0, ge=0, le=2, description="For models that take no other than their own.")

    @property
    def arguments(self) -> dict[str, Any]:
        """Without the judge's name (the judge itself is bound, and known by its identity) and the direction."""
        return self.model_dump(mode="json", exclude={"name", "lm", "direction"})


class Function(_Judging):
    """A function of one's own."""

    name: Literal["function"] = "function"
    path: ImportPath = Field(description="'package.module:function', called as (example, prediction, trace=None).")
    options: dict[str, JsonValue] = Field({}, description="Further arguments, by keyword.")
    lm: Name | None = Field(None, description="A name in `lms`: the model that its DSPy modules ask, if it has any.")

    @property
    def label(self) -> str:
        """Its import path."""
        return self.path

    @property
    def arguments(self) -> dict[str, Any]:
        """What the settings say, and nothing else."""
        return dict(self.options)


AnyMetric = ExactMatch | F1 | Contains | Numeric | JsonMatch | LmJudge | Function
METRIC_NAMES = tuple(kind.model_fields["name"].default for kind in AnyMetric.__args__)


def _spelled_out(value: Any) -> Any:
    """A bare name or import path as the mapping that it stands for."""
    if not isinstance(value, str):
        return value
    if ":" in value:
        return {"name": "function", "path": value}
    if value not in METRIC_NAMES:
        raise ValueError(
            f"is no metric; there are: {', '.join(METRIC_NAMES)}; or write an import path, 'package.module:function'"
        )
    return {"name": value}


MetricSettings = Annotated[
    AnyMetric,
    Field(discriminator="name"),
    BeforeValidator(_spelled_out, json_schema_input_type=str | AnyMetric),
]
"""A metric's name, its import path, or a mapping with its ``name`` and options."""
