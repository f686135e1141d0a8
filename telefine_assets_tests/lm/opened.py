"""Language models with a journal, opened as a new process would open them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dspy

from telefine_assets.ledger.answers import Answers
from telefine_assets.ledger.connection import Ledger
from telefine_assets.lm.budget import Budget
from telefine_assets.lm.opening import OpenLm, open_lm
from telefine_assets.settings.lm import BudgetSettings
from telefine_assets_tests.knn_lm import KnnLm, lm_settings
from telefine_assets_tests.programs.tickets import build


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@contextmanager
def journaled(url: str, knn: KnnLm, budget: Budget | dict | None = None, **changes: Any) -> Iterator[OpenLm]:
    """The stand-in with the journal at ``url``; ``budget`` may be written as in the settings."""
    if isinstance(budget, dict):
        budget = Budget(BudgetSettings.model_validate(budget))
    ledger = Ledger(url)
    try:
        with open_lm(lm_settings(knn, **changes), Answers(ledger), budget) as lm:
            yield lm
    finally:
        ledger.close()


def ask(lm: OpenLm, text: str = "the invoice", **sample: Any) -> str:
    """The team of a ticket; ``sample`` is what DSPy's optimisers change of a model."""
    with lm.context(), dspy.context(lm=lm.lm.copy(**sample) if sample else lm.lm):
        return str(build()(ticket=text).team)
