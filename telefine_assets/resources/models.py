"""The language models, as a Dagster resource."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from telefine_assets.errors import TelefineError
from telefine_assets.settings import ProgramSettings, Settings
from telefine_assets.settings_lm import BudgetSettings, LmSettings

if TYPE_CHECKING:
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.lm.budget import Budget
    from telefine_assets.lm.opening import OpenLm
    from telefine_assets.programs.compiling import Models
    from telefine_assets.programs.spec import ProgramSpec

MAIN = "lm"


class LmResource(dg.ConfigurableResource):
    """The models of a deployment: ``lm``, which programs run on, and those of ``lms`` by name.

    Keys come from the environment when a run starts, and are not shown.
    """

    models: dict[str, dict[str, Any]]
    """Settings by name, without keys."""
    api_keys: dict[str, str]

    @classmethod
    def of(cls, settings: Settings) -> LmResource:
        """The resource for these settings."""
        groups = {MAIN: settings.lm} | {f"lms.{name}": lm for name, lm in settings.lms.items()}
        dumped = {
            name: lm.model_dump(mode="json", exclude={"api_key"}, exclude_none=True) for name, lm in groups.items()
        }
        variables = {name: f"TELEFINE_{name}__API_KEY".replace(".", "__").upper() for name in groups}
        keys: dict[str, Any] = {name: dg.EnvVar(variables[name]) for name, lm in groups.items() if lm.api_key}
        return cls(models=dumped, api_keys=keys)

    def settings(self, name: str | None = None) -> LmSettings:
        """The settings of a model again, as the lm package wants them.

        Raises:
            TelefineError: when ``lms`` has no model of that name.
        """
        group = MAIN if name is None else f"lms.{name}"
        if group not in self.models:
            raise TelefineError(f"no language model {name!r} in the settings: add it under 'lms'")
        return LmSettings.model_validate({**self.models[group], "api_key": self.api_keys.get(group)})

    def budget(self, limits: BudgetSettings) -> Budget:
        """A budget that begins now, for all models that one piece of work opens."""
        from telefine_assets.lm.budget import Budget

        return Budget(limits)

    @contextmanager
    def open(self, ledger: Ledger, budget: Budget | None = None, name: str | None = None) -> Iterator[OpenLm]:
        """A model, with the ledger as the journal of its answers: nothing is asked twice."""
        from telefine_assets.ledger.answers import Answers
        from telefine_assets.lm.opening import open_lm

        with open_lm(self.settings(name), Answers(ledger), budget) as lm:
            yield lm

    @contextmanager
    def program(
        self, name: str, settings: ProgramSettings, ledger: Ledger, limits: BudgetSettings | None = None
    ) -> Iterator[tuple[ProgramSpec, Models]]:
        """A program whose metric can ask its judge, and all models that its settings name, under one budget."""
        from telefine_assets.programs.compiling import Models
        from telefine_assets.programs.spec import load_spec

        spec, budget = load_spec(name, settings), self.budget(limits or BudgetSettings())
        with ExitStack() as opened:
            lm = opened.enter_context(self.open(ledger, budget))
            names = sorted({*settings.models_asked.values()})
            others = {each: opened.enter_context(self.open(ledger, budget, each)) for each in names}
            judge = others.get(getattr(settings.metric, "lm", None) or "", lm)
            yield replace(spec, metric=spec.metric.bound(judge)), Models(lm, others)

    def identity(self) -> dict[str, str]:
        """What decides the answers of the model that programs run on."""
        from telefine_assets.lm.opening import identity_of

        return identity_of(self.settings())
