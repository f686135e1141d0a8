"""Who enters the tournament: yesterday's winner, and what each strategy makes of the trainset."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telefine_assets.lm.budget import STOPS
from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.choosing import Contender
from telefine_assets.programs.datasets import Item
from telefine_assets.programs.metrics import MetricError
from telefine_assets.programs.provenance import Demo, demos_of
from telefine_assets.programs.racing import GROWTH
from telefine_assets.programs.spec import ProgramError, ProgramSpec
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.strategies import Proposal, Task, estimate, propose
from telefine_assets.programs.versions import Version
from telefine_assets.settings_compile import CompileSettings

if TYPE_CHECKING:
    from telefine_assets.programs.witness import Witness

logger = logging.getLogger(__name__)

PREVIOUS = "previous"


@dataclass(frozen=True)
class Previous:
    """The winner of an earlier compile, with what is known of its demos."""

    version: Version
    demos: Sequence[Demo] = ()


@dataclass(frozen=True)
class Earlier:
    """What earlier compiles left."""

    previous: Previous | None = None
    """The latest candidate, where it is not the baseline."""
    inherited: Sequence[Demo] = ()
    """The baseline's demos, whose traces may have left the window."""
    trained_on: frozenset[str] = frozenset()
    """Clusters that the latest compile learnt from."""


@dataclass(frozen=True)
class Ring:
    """What strategies are given to make programs of."""

    spec: ProgramSpec
    settings: CompileSettings
    trainset: Sequence[Item]
    validation: Sequence[Item]
    lm: OpenLm
    others: Mapping[str, OpenLm] = field(default_factory=dict)
    """Further language models of the settings, by name: teachers."""
    earlier: Earlier = Earlier()
    say: Callable[[str], None] = logger.info


def entries(ring: Ring) -> Iterator[Contender]:
    """Contenders one by one, each as soon as it is made; one that could not be made carries its error.

    Raises:
        MetricError, or one of ``lm.budget.STOPS``: no contender's fault.
    """
    previous = ring.earlier.previous
    if previous is not None and ring.settings.incremental.previous:
        yield _previous(ring, previous)
    for place, settings in enumerate(ring.settings.contenders, 1):
        name = f"{place}-{settings.strategy}"
        ring.say(f"{name}: compiling from {len(ring.trainset)} items")
        yield from _made(ring, name, settings)


def _previous(ring: Ring, previous: Previous) -> Contender:
    strategy = previous.version.strategy
    contender = Contender(PREVIOUS, strategy, previous.version.state, version=previous.version)
    try:
        previous.version.module(ring.spec)
        contender.demos = demos_of(ring.spec, previous.version.state, ring.trainset, inherited=previous.demos)
    except ProgramError as error:
        contender.error = f"{type(error).__name__}: {error}"
    return contender


def _made(ring: Ring, name: str, settings: Any) -> Iterator[Contender]:
    """What one strategy proposes; after an error nothing more comes of it."""
    from telefine_assets.programs.witness import Witness

    witness = Witness(ring.trainset, ring.validation)
    proposals = propose(settings, _task(ring, settings, witness))
    while True:
        try:
            with ring.lm.counting(name):
                proposal = next(proposals, None)
            if proposal is None:
                return
            contender = _contender(ring, name, settings, proposal, witness)
        except (MetricError, *STOPS):
            raise
        except Exception as error:
            logger.warning("%s failed", name, exc_info=error)
            yield Contender(name, settings.model_dump(mode="json"), None, error=f"{type(error).__name__}: {error}")
            return
        yield contender


def _contender(ring: Ring, name: str, settings: Any, proposal: Proposal, witness: Witness) -> Contender:
    """A proposal with its demos traced; one with a demo of unknown origin cannot be shipped, so it does not compete."""
    state = dump_state(proposal.module)
    return Contender(
        name=f"{name}/{proposal.name}" if proposal.name else name,
        strategy=settings.model_dump(mode="json"),
        state=state,
        demos=demos_of(ring.spec, state, ring.trainset, witness, inherited=ring.earlier.inherited),
        shown=[item.trace_id for item in witness.shown([*ring.trainset, *ring.validation])],
        claimed_ppm=proposal.claimed_ppm,
    )


def _task(ring: Ring, settings: Any, witness: Witness) -> Task:
    previous = ring.earlier.previous if ring.settings.incremental.teacher else None
    return Task(
        # Demos that stand in the code come from no trace: nothing that carries them could be shipped.
        student=ring.spec.build().reset_copy(),
        trainset=[item.example() for item in ring.trainset],
        valset=[item.example() for item in ring.validation],
        metric=ring.spec.metric,
        lm=ring.lm,
        teacher=previous.version.module(ring.spec) if previous else None,
        teacher_lm=ring.others.get(getattr(settings, "teacher_lm", None) or ""),
        seed=ring.settings.seed,
        callbacks=(witness,),
    )


def calls_at_most(ring: Ring, rounds: Sequence[int]) -> int | None:
    """Language model calls that a tournament will hardly exceed; None where a package's strategy does not say.

    All contenders' first round, fewer in each later one, and the baseline in
    all; see ``strategies.estimate`` for what strategies ask themselves.
    """
    predictors = len(ring.spec.signatures)
    each = [estimate(one, len(ring.trainset), len(ring.validation), predictors) for one in ring.settings.contenders]
    if any(one.calls_at_most is None or one.proposals_at_most is None for one in each):
        return None
    left, runs, before = 1 + sum(one.proposals_at_most or 0 for one in each), rounds[-1], 0
    for until in rounds:
        runs, left, before = runs + left * (until - before), -(-left * GROWTH[1] // GROWTH[0]), until
    return runs * predictors + sum(one.calls_at_most or 0 for one in each)
