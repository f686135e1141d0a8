"""The language models, as a Dagster resource."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from telefine_assets.errors import TelefineError
from telefine_assets.observing.observer import waiting_for_turn, watch_of
from telefine_assets.resources.quiet import QuietResource
from telefine_assets.settings.addresses import has_password
from telefine_assets.settings.lm import BudgetSettings, LmSettings
from telefine_assets.settings.schema import ProgramSettings, Settings

if TYPE_CHECKING:
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.records import Work
    from telefine_assets.lm.budget import Budget
    from telefine_assets.lm.opening import OpenLm
    from telefine_assets.programs.compiling import Models
    from telefine_assets.programs.metrics import Metric
    from telefine_assets.programs.spec import ProgramSpec
    from telefine_assets.settings.metrics import AnyMetric

MAIN = "lm"


class LmResource(QuietResource):
    """The models of a deployment: ``lm``, which programs run on, and those of ``lms`` by name.

    Keys, and addresses with a password, come from the environment when a run starts, and are not shown.
    """

    models: dict[str, dict[str, Any]]
    """Settings by name, without keys."""
    key_variables: dict[str, str]
    """Where the keys stand in the environment. They are kept nowhere: a resource is shown, dumped and pickled."""
    address_variables: dict[str, str] = Field({})
    """Where those addresses stand that hold a password: they too are kept nowhere."""

    @classmethod
    def of(cls, settings: Settings) -> LmResource:
        """The resource for these settings."""
        groups = {MAIN: settings.lm} | {f"lms.{name}": lm for name, lm in settings.lms.items()}
        dumped = {
            name: lm.model_dump(mode="json", exclude={"api_key"}, exclude_none=True) for name, lm in groups.items()
        }
        keyed = {name: _variable(name, "api_key") for name, lm in groups.items() if lm.api_key}
        closed = [name for name, lm in groups.items() if lm.api_base and has_password(lm.api_base)]
        for name in closed:
            del dumped[name]["api_base"]
        addresses = {name: _variable(name, "api_base") for name in closed}
        return cls(models=dumped, key_variables=keyed, address_variables=addresses)

    def settings(self, name: str | None = None) -> LmSettings:
        """The settings of a model again, as the lm package wants them.

        Raises:
            TelefineError: when ``lms`` has no model of that name, or its key or address is no longer in
                the environment.
        """
        group = MAIN if name is None else f"lms.{name}"
        if group not in self.models:
            raise TelefineError(f"no language model {name!r} in the settings: add it under 'lms'")
        variables = {"api_key": self.key_variables.get(group), "api_base": self.address_variables.get(group)}
        found = {name: _from_environment(group, variable) for name, variable in variables.items() if variable}
        return LmSettings.model_validate({**self.models[group], **found})

    def budget(self, limits: BudgetSettings) -> Budget:
        """A budget that begins now, for all models that one piece of work opens."""
        from telefine_assets.lm.budget import Budget

        return Budget(limits)

    @contextmanager
    def open(
        self, ledger: Ledger, budget: Budget, say: Callable[[str], None], name: str | None = None
    ) -> Iterator[OpenLm]:
        """A model, with the ledger as the journal of its answers: nothing is asked twice.

        ``say`` takes a line where the model does not answer.
        """
        from telefine_assets.ledger.answers import Answers
        from telefine_assets.lm.opening import open_lm

        with open_lm(self.settings(name), Answers(ledger), budget, watch_of(name or MAIN), say) as lm:
            yield lm

    @contextmanager
    def program(
        self,
        work: Work,
        settings: ProgramSettings,
        ledger: Ledger,
        say: Callable[[str], None],
        limits: BudgetSettings | None = None,
    ) -> Iterator[tuple[ProgramSpec, Models]]:
        """A program whose metrics can ask their judges, and all models that its settings name, under one budget.

        ``say`` takes lines for those who look on: that it waits for its turn, or for a model that does not answer.

        Waits for its turn at each of the models; the budget's time begins after that. However the work ends, the
        ledger is told what it came to.
        """
        from telefine_assets.ledger.turns import turn
        from telefine_assets.programs.compiling import Models
        from telefine_assets.programs.spec import load_spec

        spec, names = load_spec(work.program, settings), sorted({*settings.models_asked.values()})
        with ExitStack() as opened:
            with waiting_for_turn():
                # All in one order, so that nobody waits for one who waits for him.
                for each in (None, *names):
                    seats = self.settings(each).runs_at_once
                    opened.enter_context(turn(ledger, f"asking {each or MAIN}", seats, say))
            budget = self.budget(limits or BudgetSettings())
            lm = opened.enter_context(self.open(ledger, budget, say))
            others = {each: opened.enter_context(self.open(ledger, budget, say, each)) for each in names}

            def bound(metric: Metric, written: AnyMetric | None) -> Metric:
                return metric.bound(others.get(getattr(written, "lm", None) or "", lm))

            rails = settings.deltaone.guardrails
            guardrails = {rail: bound(metric, rails[rail].metric) for rail, metric in spec.guardrails.items()}
            spec = replace(spec, metric=bound(spec.metric, settings.metric), guardrails=guardrails)
            models, began = Models(lm, others), budget.clock()
            try:
                yield spec, models
            finally:
                _tell(ledger, work, models, budget.clock() - began)

    def identity(self) -> dict[str, str]:
        """What decides the answers of the model that programs run on."""
        from telefine_assets.lm.opening import identity_of

        return identity_of(self.settings())


def _tell(ledger: Ledger, work: Work, models: Models, seconds: float) -> None:
    from telefine_assets.ledger.records import Spending
    from telefine_assets.ledger.spending import Spendings

    spent = models.lm.budget.spent
    if not spent.calls and not spent.remembered:
        return
    took = round(seconds * 1000)
    Spendings(ledger).add(Spending(work, spent.calls, spent.remembered, spent.tokens, spent.cost_micros, took))


def _variable(group: str, name: str) -> str:
    return f"TELEFINE_{group}__{name}".replace(".", "__").upper()


def _from_environment(group: str, variable: str) -> str:
    found = os.environ.get(variable)
    if not found:
        raise TelefineError(f"{group}: set {variable} in the environment of the run, as when the settings were loaded")
    return found
