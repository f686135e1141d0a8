"""Settings of a compile: which strategies compete, and how much they may learn from.

A strategy is named by ``strategy``; its other keys are its own. Besides the built-in
ones there are those of installed packages: an entry point in the group
``telefine.strategies`` whose name is the strategy's, and whose object has a
``Settings`` class (a subclass of ``StrategySettings``) and a function
``propose(settings, task)`` (see ``programs.strategies.protocol``).
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, PlainValidator, SerializeAsAny, model_validator

from telefine_assets.settings.group import Group, Name
from telefine_assets.settings.lm import BudgetSettings

ENTRY_POINTS = "telefine.strategies"
PPM = 1_000_000


class StrategySettings(Group):
    """What all entries of a tournament have in common."""

    bootstraps: ClassVar[bool] = False
    """Whether it takes demos from a teacher's answers (``Task.teacher``)."""
    strategy: str = Field(description="The strategy's name.")


class LabeledFewShotSettings(StrategySettings):
    """Demos as they are labelled."""

    strategy: Literal["labeled_few_shot"] = "labeled_few_shot"
    max_labeled_demos: int = Field(8, ge=1, le=64, description="Demos in a prompt.")


class _Taught(StrategySettings):
    """Strategies that another model may help with."""

    teacher_lm: str | None = Field(
        None, description="Name of a model in 'lms' that bootstraps or proposes; the program's own when absent."
    )


class _Bootstrapping(_Taught):
    bootstraps = True
    max_bootstrapped_demos: int = Field(4, ge=1, le=64, description="Most demos that the program answered itself.")
    max_labeled_demos: int = Field(8, ge=0, le=64, description="Most demos in all; bootstrapped ones come first.")
    max_rounds: int = Field(1, ge=1, le=5, description="Attempts at each training item.")
    bootstrap_threshold_ppm: int = Field(
        PPM, ge=1, le=PPM, description="The score from which an answer may become a demo."
    )


class BootstrapFewShotSettings(_Bootstrapping):
    """Demos that the program itself answers rightly, filled up with labelled ones."""

    strategy: Literal["bootstrap_few_shot"] = "bootstrap_few_shot"


class RandomSearchSettings(_Bootstrapping):
    """Several bootstrapped programs from shuffled trainsets."""

    strategy: Literal["bootstrap_few_shot_with_random_search"] = "bootstrap_few_shot_with_random_search"
    candidates: int = Field(8, ge=1, le=64, description="Shuffled ones; labels only and unshuffled are added.")


class KnnFewShotSettings(_Taught):
    """For each call the demos that are nearest to its inputs."""

    bootstraps = True
    strategy: Literal["knn_few_shot"] = "knn_few_shot"
    k: int = Field(4, ge=1, le=64, description="Demos in a prompt.")
    max_pool: int = Field(200, ge=1, le=2_000, description="Demos to choose from.")
    max_bootstrapped_demos: int = Field(0, ge=0, le=500, description="How many of the pool are bootstrapped.")
    bootstrap_threshold_ppm: int = Field(
        PPM, ge=1, le=PPM, description="The score from which an answer may become a demo."
    )


class _Instructing(_Taught):
    candidates: int = Field(1, ge=1, le=8, description="How many of its best programs enter the tournament.")


class MiproV2Settings(_Instructing):
    """Instructions and demos chosen together by Bayesian search."""

    bootstraps = True
    strategy: Literal["mipro_v2"] = "mipro_v2"
    instructions: int = Field(6, ge=3, le=32, description="Instructions, and sets of demos, to choose among.")
    trials: int = Field(12, ge=1, le=200, description="Combinations that are tried.")
    minibatch: int = Field(35, ge=1, le=1_000, description="Validation items in a trial.")
    max_bootstrapped_demos: int = Field(4, ge=0, le=64, description="Most demos that the program answered itself.")
    max_labeled_demos: int = Field(4, ge=0, le=64, description="Most demos as they are labelled.")


class CoproSettings(_Instructing):
    """Instructions rewritten again and again by what earlier ones scored."""

    strategy: Literal["copro"] = "copro"
    breadth: int = Field(5, ge=2, le=32, description="Instructions in a round.")
    depth: int = Field(2, ge=1, le=10, description="Rounds.")
    max_scored: int = Field(100, ge=1, le=1_000, description="Training items that an instruction is scored on.")


class SimbaSettings(_Instructing):
    """Demos and rules learnt where answers differ most between tries."""

    strategy: Literal["simba"] = "simba"
    steps: int = Field(6, ge=1, le=32, description="Rounds of learning.")
    tries: int = Field(4, ge=2, le=16, description="Tries at each item of a step, and programs that come of it.")
    batch: int = Field(24, ge=2, le=256, description="Training items in a step.")
    max_demos: int = Field(4, ge=0, le=64, description="Most demos in a prompt.")
    max_scored: int = Field(100, ge=2, le=1_000, description="Training items learnt from and chosen by.")


class GepaSettings(_Instructing):
    """Instructions rewritten by reflection on what went wrong; a Pareto front of them."""

    strategy: Literal["gepa"] = "gepa"
    max_metric_calls: int = Field(600, ge=1, le=100_000, description="Answers that it may look at.")
    minibatch: int = Field(3, ge=1, le=64, description="Answers in a reflection.")


BuiltIn = Annotated[
    LabeledFewShotSettings
    | BootstrapFewShotSettings
    | RandomSearchSettings
    | KnnFewShotSettings
    | MiproV2Settings
    | CoproSettings
    | SimbaSettings
    | GepaSettings,
    Field(discriminator="strategy"),
]
BUILT_IN: dict[str, type[StrategySettings]] = {
    each.model_fields["strategy"].default: each
    for each in (
        LabeledFewShotSettings,
        BootstrapFewShotSettings,
        RandomSearchSettings,
        KnnFewShotSettings,
        MiproV2Settings,
        CoproSettings,
        SimbaSettings,
        GepaSettings,
    )
}


def plugins() -> dict[str, EntryPoint]:
    """Strategies of installed packages, by name; a built-in name cannot be taken."""
    return {each.name: each for each in entry_points(group=ENTRY_POINTS) if each.name not in BUILT_IN}


def _settings_class(name: str) -> type[StrategySettings]:
    """The settings class of a strategy.

    Raises:
        ValueError: when there is no such strategy, listing those there are, or a package's is no such class.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    found = plugins()
    if name not in found:
        from_packages = ", ".join(sorted(found)) or "none"
        raise ValueError(
            f"no strategy {name!r}; there are: {', '.join(BUILT_IN)}; from installed packages: {from_packages}"
        )
    point = found[name]
    try:
        chosen = point.load().Settings
    except (ImportError, AttributeError) as error:
        raise ValueError(f"strategy {name!r}: its entry point {point.value} cannot be used: {error}") from error
    if not (isinstance(chosen, type) and issubclass(chosen, StrategySettings)):
        raise ValueError(f"strategy {name!r}: Settings of {point.value} must be a subclass of StrategySettings")
    return chosen


def _entry(value: Any) -> StrategySettings:
    """An entry of ``strategies``, as the settings of the strategy that it names."""
    if isinstance(value, StrategySettings):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("strategy"), str):
        raise ValueError(f"must be a group with a 'strategy': {', '.join(BUILT_IN)}")
    return _settings_class(value["strategy"]).model_validate(value)


AnyStrategy = Annotated[SerializeAsAny[StrategySettings], PlainValidator(_entry, json_schema_input_type=BuiltIn)]


def _not_empty(entries: tuple[StrategySettings, ...]) -> tuple[StrategySettings, ...]:
    if not entries:
        raise ValueError("must name at least one strategy")
    return entries


PRESETS: dict[str, tuple[StrategySettings, ...]] = {
    "light": (LabeledFewShotSettings(), BootstrapFewShotSettings()),
    "medium": (
        LabeledFewShotSettings(),
        LabeledFewShotSettings(max_labeled_demos=16),
        RandomSearchSettings(),
        KnnFewShotSettings(),
    ),
    "heavy": (
        LabeledFewShotSettings(max_labeled_demos=16),
        RandomSearchSettings(candidates=16),
        KnnFewShotSettings(k=8),
        MiproV2Settings(candidates=2),
        SimbaSettings(candidates=2),
        GepaSettings(candidates=2),
    ),
}
"""What competes by name: ``light`` without a proposing model and a few dozen calls to compile, ``medium``
demos chosen by search (hundreds), ``heavy`` instructions too (thousands; wants a model that follows them)."""


class RacingSettings(Group):
    """Whether contenders that can hardly win any more are asked all validation items."""

    enabled: bool = Field(True, description="False asks every contender everything.")
    first_items: int = Field(16, ge=2, description="Items of the first round; after it there are more for fewer.")


class IncrementalSettings(Group):
    """What a compile takes from the latest candidate before it."""

    previous: bool = Field(True, description="It competes again.")
    teacher: bool = Field(False, description="It bootstraps today's demos, instead of the first version.")
    new_first: bool = Field(False, description="Items that it did not learn from come first in the trainset.")


class CompileSettings(Group):
    """When and how a candidate is made. Either ``preset`` or ``strategies`` says what competes, never both."""

    lookback_days: int = Field(30, ge=1, le=3650, description="The window: so many days, the compile's own included.")
    min_train: int = Field(20, ge=1, description="With fewer train items in the window nothing is compiled.")
    min_validation: int = Field(20, ge=1, description="With fewer validation items nothing is compiled.")
    max_train: int = Field(500, ge=1, description="Most train items; which ones, a keyed hash says.")
    max_validation: int = Field(300, ge=1, description="Most validation items.")
    budget: BudgetSettings = BudgetSettings()
    seed: int = Field(0, ge=0, description="Of everything that is drawn at random.")
    teacher_program: Name | None = Field(
        None, description="Another program of this deployment: what serves of it bootstraps demos."
    )
    preset: Literal["light", "medium", "heavy"] | None = Field(None, description="A set of strategies by name.")
    strategies: Annotated[tuple[AnyStrategy, ...], AfterValidator(_not_empty)] | None = Field(
        None, description="What competes, each with its own keys."
    )

    racing: RacingSettings = RacingSettings()
    noise_percent: int = Field(
        20, ge=1, le=50, description="A lead that equals would have with this chance or more is no lead."
    )
    incremental: IncrementalSettings = IncrementalSettings()

    @model_validator(mode="after")
    def _one_choice(self) -> CompileSettings:
        if (self.preset is None) == (self.strategies is None):
            given = "both are given" if self.preset else "neither is"
            raise ValueError(f"give either preset ({', '.join(PRESETS)}) or strategies: {given}")
        return self

    @model_validator(mode="after")
    def _one_teacher(self) -> CompileSettings:
        if self.teacher_program is None:
            return self
        if self.incremental.teacher:
            raise ValueError("give either teacher_program or incremental.teacher: only one can teach")
        if not any(each.bootstraps for each in self.contenders):
            raise ValueError(
                "teacher_program: no strategy here bootstraps demos; add bootstrap_few_shot, or leave it out"
            )
        return self

    @property
    def contenders(self) -> tuple[StrategySettings, ...]:
        """The strategies that compete: those listed, or the preset's."""
        return self.strategies or PRESETS[str(self.preset)]
