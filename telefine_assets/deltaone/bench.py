"""What a comparison is made with: the program, the rule, the ledger of looks, evidence and the language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from telefine_assets.deltaone.records import HIGHER, LOWER, Guardrail, Rules
from telefine_assets.ledger.records import ClosedDay, LookRequest, RecordedLook
from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.metrics import Metric
from telefine_assets.programs.spec import ProgramSpec
from telefine_assets.settings.deltaone import DeltaOneSettings, GuardrailSettings

if TYPE_CHECKING:
    from pydantic import SecretStr


class LooksLedger(Protocol):
    """The part of ``ledger.looks.Looks`` that a comparison uses."""

    def epoch(self, program: str, look_key: str) -> tuple[int, list[str]]:
        """Holdout epoch of a look, and the item lists that retired before it."""
        ...

    def record(self, request: LookRequest, epoch: int, item_list: str) -> RecordedLook:
        """Write what is about to be compared, or return it if it stands."""
        ...

    def number(self, look_key: str) -> int | None:
        """The number of a look, or None while nothing of it was scored."""
        ...

    def next_k(self, program: str, epoch: int) -> int:
        """The number that the next look to be scored would have."""
        ...

    def begin(self, look_key: str, epoch: int) -> RecordedLook:
        """Give a look its number, immediately before it is scored."""
        ...

    def closed(self, program: str, day: str) -> ClosedDay | None:
        """The look of a day that reached DeltaOne, or None."""
        ...

    def concluded(self, look_key: str) -> str | None:
        """Digest of the record that a look ended with, or None."""
        ...

    def conclude(self, look_key: str, reached: bool, report: str) -> None:
        """Write what came of a look."""
        ...

    def extract(self, program: str, look_key: str) -> list[dict[str, object]]:
        """The epoch's looks up to this one."""
        ...

    def history(self, program: str, look_key: str) -> list[dict[str, object]]:
        """The epoch's looks up to this one, with ``k``, ``day``, ``candidate`` and ``reached`` (or None)."""
        ...


@dataclass(frozen=True)
class Bench:
    """What a comparison is made with."""

    spec: ProgramSpec
    settings: DeltaOneSettings
    looks: LooksLedger
    put: Callable[[bytes], str]
    """Keeps evidence; returns its SHA-256."""
    get: Callable[[str], bytes]
    lm: OpenLm
    say: Callable[[str], None]
    key: SecretStr
    """The split's: it chooses the items, and blinds what is stored of a look whose result is not told."""

    @cached_property
    def rules(self) -> Rules:
        """The rule of the claim."""
        return rules_of(self.settings, self.spec)


def rules_of(settings: DeltaOneSettings, spec: ProgramSpec) -> Rules:
    """The rule of the claim, from the settings and the metrics that they name.

    Raises:
        RecordError: for a guardrail that could not hold anything back.
    """
    return Rules(
        threshold_ppm=settings.threshold_ppm,
        alpha=settings.alpha,
        direction=spec.metric.direction,
        min_items=settings.min_items,
        max_unresolved_ppm=settings.max_unresolved_ppm,
        planned_discordance_ppm=settings.planned_discordance_ppm,
        target_gain_ppm=settings.target_gain_ppm,
        min_power_ppm=settings.min_power_ppm,
        permutations=settings.permutations,
        seed=settings.seed,
        guardrails=tuple(_guardrail(name, bound, spec.guardrails) for name, bound in settings.guardrails.items()),
        max_regressions=settings.max_regressions,
        score_reads_label=spec.metric.labels,
    )


def _guardrail(name: str, bound: GuardrailSettings, metrics: Mapping[str, Metric]) -> Guardrail:
    metric = metrics.get(name)
    if metric is not None:
        measure, direction, reads_label, digest = name, str(metric.direction), metric.labels, metric.digest
    else:
        measure, reads_label, digest = bound.measure or name, False, ""
        direction = HIGHER if measure == "valid" else LOWER
    return Guardrail(
        name=name,
        measure=measure,
        statistic=bound.statistic,
        direction=direction,
        at_least=bound.at_least,
        at_most=bound.at_most,
        max_worse=bound.max_worse,
        reads_label=reads_label,
        digest=digest,
    )
