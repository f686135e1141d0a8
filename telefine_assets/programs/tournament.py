"""Several strategies compete under one gate.

Every contender, the baseline among them, answers the same validation items and
is scored by us to full precision. What an optimiser says of its own program
decides nothing: on average a random search flatters its winner by five points.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.errors import TelefineError
from telefine_assets.lm.opening import BudgetSpent, OpenLm
from telefine_assets.programs.datasets import Item
from telefine_assets.programs.metrics import MetricError
from telefine_assets.programs.scoring import Answer, score_program
from telefine_assets.programs.spec import ProgramSpec
from telefine_assets.programs.state import dump_state, load_state
from telefine_assets.programs.strategies import Task, run_strategy
from telefine_assets.settings import StrategySettings

logger = logging.getLogger(__name__)
Say = Callable[[str], None]

BASELINE = "baseline"


class TournamentError(TelefineError):
    """No contender could be scored; the champion stays."""


@dataclass(frozen=True)
class Contender:
    """A program in the tournament."""

    name: str
    strategy: dict[str, Any]
    state: dict[str, Any] | None
    """None when compiling it failed."""
    answers: list[Answer]
    error: str | None = None

    @property
    def demos(self) -> int:
        """How many demos its prompts carry: what a call of it costs."""
        return sum(len(part["demos"]) for part in (self.state or {}).values())


@dataclass(frozen=True)
class Standing:
    """A contender's result over the items that every contender got an answer to."""

    name: str
    demos: int
    sum_ppm: int
    n: int
    error: str | None

    @property
    def scored(self) -> bool:
        """Whether it was compiled and scored."""
        return self.error is None and self.n > 0

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form."""
        return {**vars(self), "mean_ppm": self.sum_ppm // self.n if self.scored else None}


@dataclass(frozen=True)
class Tournament:
    """How it ended."""

    winner: Contender
    standings: list[Standing]

    @property
    def improved(self) -> bool:
        """Whether something beat the baseline on validation."""
        return self.winner.name != BASELINE


def compete(
    spec: ProgramSpec,
    baseline: dict[str, Any],
    strategies: Sequence[StrategySettings],
    trainset: Sequence[Item],
    validation: Sequence[Item],
    lm: OpenLm,
    say: Say = logger.info,
) -> Tournament:
    """Compile by every strategy, score all on ``validation``, and choose.

    The winner has the highest score; ties go to the baseline, then to fewer
    demos, then to the earlier entry. A strategy that fails is
    recorded with its error and the others go on.

    Raises:
        TournamentError: when no item was answered for all contenders.
        BudgetSpent: when more calls are wanted than the budget allows.
    """
    contenders = [_scored(spec, BASELINE, {"strategy": BASELINE}, baseline, validation, lm, say)]
    for position, settings in enumerate(strategies):
        name = f"{position + 1}-{settings.strategy}"
        say(f"{name}: compiling from {len(trainset)} items")
        try:
            state = _compiled(spec, settings, trainset, validation, lm)
            contender = _scored(spec, name, settings.model_dump(), state, validation, lm, say)
        except (MetricError, BudgetSpent):
            raise
        except Exception as error:
            logger.warning("%s failed", name, exc_info=error)
            lm.check_budget()
            contenders.append(Contender(name, settings.model_dump(), None, [], f"{type(error).__name__}: {error}"))
            continue
        contenders.append(contender)
    return choose(contenders)


def choose(contenders: Sequence[Contender]) -> Tournament:
    """Rank contenders by the items that all of them have an answer to.

    Raises:
        TournamentError: when there is no such item.
    """
    entered = [contender for contender in contenders if contender.error is None]
    columns = zip(*(contender.answers for contender in entered), strict=True)
    common = [at for at, column in enumerate(columns) if all(answer.score_ppm is not None for answer in column)]
    if not common:
        raise TournamentError(
            "no validation item was answered for every contender; check that the language model answers, then run again"
        )
    sums = {each.name: sum(each.answers[at].score_ppm or 0 for at in common) for each in entered}
    # min takes the first of equals: the earlier entry.
    winner = min(entered, key=lambda each: (-sums[each.name], each.name != BASELINE, each.demos))
    standings = [
        Standing(each.name, each.demos, sums.get(each.name, 0), len(common), each.error) for each in contenders
    ]
    return Tournament(winner, standings)


def _compiled(
    spec: ProgramSpec,
    settings: StrategySettings,
    trainset: Sequence[Item],
    validation: Sequence[Item],
    lm: OpenLm,
) -> dict[str, Any]:
    task = Task(
        student=spec.build(),
        trainset=[item.example() for item in trainset],
        valset=[item.example() for item in validation],
        metric=spec.metric,
        lm=lm,
    )
    return dump_state(run_strategy(settings, task))


def _scored(
    spec: ProgramSpec,
    name: str,
    strategy: dict[str, Any],
    state: dict[str, Any],
    validation: Sequence[Item],
    lm: OpenLm,
    say: Say,
) -> Contender:
    answers = score_program(load_state(spec, state), validation, spec.metric, lm)
    lm.check_budget()
    contender = Contender(name, strategy, state, answers)
    right = sum(answer.score_ppm or 0 for answer in answers)
    say(f"{name}: {right / 10_000 / max(len(answers), 1):.1f} % of {len(answers)} validation items")
    return contender
