"""Several strategies compete under one gate.

Every contender, the baseline among them, answers the same validation items in
the same order and is scored by us to full precision. What an optimiser says of
its own program decides nothing: on average a random search flatters its winner
by five points.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from telefine_assets.lm.budget import STOPS, BudgetSpent, DeadlinePassed, Spent
from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.choosing import (
    BASELINE,
    Contender,
    Standing,
    TournamentError,
    choose,
    failure,
    standing,
)
from telefine_assets.programs.datasets import Item
from telefine_assets.programs.metrics import MetricError
from telefine_assets.programs.nearest import shows, wrapped
from telefine_assets.programs.racing import drop, rounds
from telefine_assets.programs.scoring import score_program
from telefine_assets.programs.spec import ProgramSpec
from telefine_assets.programs.state import load_state
from telefine_assets.programs.versions import Version
from telefine_assets.settings.compile import CompileSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a tournament has come."""

    doing: str
    contenders: int
    round_items: int
    best: str
    best_ppm: int
    spent: Spent
    left: Mapping[str, float]
    """Of each cap that is set: calls, tokens, cost_micros, seconds."""

    def __str__(self) -> str:
        """One line for a log."""
        parts = [self.doing, f"{self.contenders} contenders", f"best {self.best} {self.best_ppm / 10_000:.1f} %"]
        parts.append(f"{self.spent.calls:,} calls, {self.spent.remembered:,} remembered")
        parts += [f"{left:,.0f} {cap} left" for cap, left in self.left.items()]
        return "; ".join(parts)


Watch = Callable[[Progress], None]


def _unwatched(progress: Progress) -> None:
    """Nobody looks."""


@dataclass(frozen=True)
class Tournament:
    """How it ended."""

    winner: Contender
    standings: list[Standing]
    ended_early: str | None
    """Why not everything was tried, if so."""

    @property
    def improved(self) -> bool:
        """Whether something beat the baseline on validation."""
        return self.winner.name != BASELINE


@dataclass(frozen=True)
class Gate:
    """What all contenders are measured by."""

    spec: ProgramSpec
    validation: Sequence[Item]
    settings: CompileSettings
    lm: OpenLm
    watch: Watch = _unwatched

    @property
    def rounds(self) -> list[int]:
        """How many items have been asked after each round."""
        first = self.settings.racing.first_items if self.settings.racing.enabled else len(self.validation)
        return rounds(len(self.validation), first)

    def ask(self, contender: Contender, until: int) -> None:
        """Have a contender answer the items up to number ``until``."""
        module = wrapped(load_state(self.spec, contender.state or {}), contender.strategy)
        missing = self.validation[len(contender.answers) : until]
        with self.lm.counting(contender.name):
            answers = score_program(module, missing, self.spec.metric, self.lm)
        for each in (self.lm, self.spec.metric.judge_lm):
            if each is not None:
                each.check()
        contender.answers += answers
        if all(answer.score_ppm is None for answer in contender.answers):
            contender.error = f"none of its answers could be scored: {contender.answers[0].error}"

    def tell(self, what: str, field: Sequence[Contender], items: int) -> None:
        """Report how far it has come."""
        scored = [standing(each, []) for each in field if each.running and each.answers]
        best = max(scored, key=lambda each: each.mean_ppm or 0)
        budget = self.lm.budget
        self.watch(Progress(what, len(field), items, best.name, best.mean_ppm or 0, budget.spent, budget.left()))


def compete(gate: Gate, baseline: Version, entries: Iterator[Contender]) -> Tournament:
    """Score all ``entries`` as they come, in growing rounds, and choose.

    When the budget or the time is spent, what was scored so far decides.

    Raises:
        TournamentError: when no item was answered for all contenders, or every entry failed.
        MetricError: when the metric returns what is not a score.
        Unreachable: when the language model did not answer; run again, nothing is asked twice.
    """
    field = [Contender(BASELINE, baseline.strategy, baseline.state)]
    early: str | None = None
    try:
        _asked(gate, field[0], gate.rounds[0])
        for entry in entries:
            _enter(gate, field, entry)
        _race(gate, field)
    except (BudgetSpent, DeadlinePassed) as error:
        early = str(error)
    _all_failed(field)
    return _decided(gate, field, early)


def _enter(gate: Gate, field: list[Contender], entry: Contender) -> None:
    """A contender's first round."""
    same = (entry.state, shows(entry.strategy))
    twin = next((each for each in field if each.running and (each.state, shows(each.strategy)) == same), None)
    field.append(entry)
    if entry.error is None and twin is not None:
        entry.dropped = f"the same program as {twin.name}"
    elif entry.error is None:
        _asked(gate, entry, gate.rounds[0])
    gate.tell(f"{entry.name}: {entry.error or entry.dropped or 'entered'}", field, gate.rounds[0])


def _asked(gate: Gate, contender: Contender, until: int) -> None:
    """One whose program breaks does not take the others with it."""
    try:
        gate.ask(contender, until)
    except (MetricError, *STOPS):
        raise
    except Exception as error:
        logger.warning("%s failed", contender.name, exc_info=error)
        contender.error = failure(error)
    if contender.name == BASELINE:
        _answered(contender)


def _answered(baseline: Contender) -> None:
    if baseline.error is not None:
        raise TournamentError(f"the program that serves cannot be scored, so nothing can beat it: {baseline.error}")


def _race(gate: Gate, field: Sequence[Contender]) -> None:
    """The rounds after the first."""
    for before, until in pairwise(gate.rounds):
        drop([each for each in field if each.running], before)
        running = [each for each in field if each.running]
        if len(running) == 1:
            return
        for each in running:
            _asked(gate, each, until)
        gate.tell(f"{len(running)} contenders left after {until} items", field, until)


def _all_failed(field: Sequence[Contender]) -> None:
    entries = field[1:]
    if entries and all(each.error for each in entries):
        said = "; ".join(f"{each.name}: {each.error}" for each in entries)
        raise TournamentError(f"every strategy failed, nothing is changed: {said}")


def _decided(gate: Gate, field: Sequence[Contender], early: str | None) -> Tournament:
    """Choose by the items that all who were not dropped have been asked."""
    for each in field:
        if each.running and not each.answers:
            each.dropped = "the budget was spent before it was asked"
    finalists = [each for each in field if each.running]
    if not finalists:
        raise TournamentError(f"nothing was scored: {early}")
    winner = choose(finalists, gate.settings.noise_percent)
    return Tournament(winner, [standing(each, finalists) for each in field], early)
