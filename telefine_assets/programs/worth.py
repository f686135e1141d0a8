"""What a version's demos are worth: the version with only some of them answers the validation items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.datasets import Item, dataset_digest, items_of
from telefine_assets.programs.nearest import wrapped
from telefine_assets.programs.scoring import score_program
from telefine_assets.programs.spec import ProgramError, ProgramSpec
from telefine_assets.programs.state import load_state
from telefine_assets.programs.versions import Version
from telefine_assets.settings.compile import CompileSettings
from telefine_assets.traces.records import CleanedTrace

if TYPE_CHECKING:
    from pydantic import SecretStr

LABEL = "worth of the demos"
"""What the language model's answers are counted under."""


def validation_of(
    compiled: Mapping[str, Any],
    cleaned: Sequence[CleanedTrace],
    spec: ProgramSpec,
    settings: CompileSettings,
    key: SecretStr,
) -> list[Item]:
    """The validation items that a candidate was chosen by.

    Args:
        compiled: the record of ``compiled_programs``.
        cleaned: the cleaned traces of its window.
        spec: the program.
        settings: as they were when it was compiled.
        key: the split's.

    Raises:
        ProgramError: when the traces, the settings or the key have changed since.
    """
    items = items_of(cleaned, "validation", settings.max_validation, settings.seed, key, types=spec.types)
    if dataset_digest(items) != compiled["validation"]["digest"]:
        raise ProgramError(
            f"{spec.name}: the validation items are no longer those that the candidate was chosen by: "
            "materialise compiled_programs of this day again"
        )
    return items


@dataclass(frozen=True)
class DemoTrials:
    """Has a version answer with only some of its demos."""

    spec: ProgramSpec
    version: Version
    demos: Sequence[Mapping[str, Any]]
    """Records of ``programs.provenance.Demo``, one for each demo of the version's state."""
    items: Sequence[Item]
    lm: OpenLm

    def __post_init__(self) -> None:
        if not self.version.was_made_with(self.spec, self.lm.identity):
            raise ProgramError(
                f"{self.spec.name}: the code or the language model is no longer what version "
                f"{self.version.digest[:12]} was made with: materialise compiled_programs of this day again"
            )

    def scores(self, clusters: frozenset[str]) -> list[int | None]:
        """The items' scores (ppm, in the metric's good direction) with the demos of ``clusters`` alone.

        None is an answer that the metric could not judge.

        Raises:
            Unreachable: a question got no answer; run again, nothing is asked twice.
        """
        module = wrapped(load_state(self.spec, self.state(clusters)), self.version.strategy)
        with self.lm.counting(LABEL):
            answers = score_program(module, self.items, self.spec.metric, self.lm)
        for each in (self.lm, self.spec.metric.judge_lm):
            if each is not None:
                each.check()
        return [answer.score_ppm for answer in answers]

    def state(self, clusters: frozenset[str]) -> dict[str, Any]:
        """The version's state without the demos of other clusters; the rest keep their order."""
        cluster_at = {(demo["predictor"], demo["position"]): demo["cluster"] for demo in self.demos}
        return {
            name: {
                **part,
                "demos": [demo for at, demo in enumerate(part["demos"]) if cluster_at[name, at] in clusters],
            }
            for name, part in self.version.state.items()
        }
