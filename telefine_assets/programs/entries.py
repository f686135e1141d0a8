"""Who enters the tournament: yesterday's winner, and what each strategy makes of the trainset."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telefine_assets.lm.budget import STOPS
from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.choosing import Contender, failure
from telefine_assets.programs.datasets import Item
from telefine_assets.programs.held_out import HeldOut
from telefine_assets.programs.metrics import MetricError
from telefine_assets.programs.provenance import Demo, demos_of
from telefine_assets.programs.racing import GROWTH
from telefine_assets.programs.spec import ProgramError, ProgramSpec
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.strategies import Proposal, Task, estimate, propose
from telefine_assets.programs.teaching import TEACHER, Teacher, was_taught
from telefine_assets.programs.versions import Version
from telefine_assets.settings.compile import CompileSettings

if TYPE_CHECKING:
    from telefine_assets.programs.witness import Witness

logger = logging.getLogger(__name__)

PREVIOUS = "previous"


@dataclass(frozen=True)
class Earlier:
    """What earlier compiles left."""

    previous: Version | None = None
    """The latest candidate, unless it serves, or served once."""
    inherited: Sequence[Demo] = ()
    """Demos of the latest candidate and of the baseline: whoever gave them first keeps them."""
    lost: str | None = None
    """Why the latest candidate cannot be read, if so."""
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
    teacher: Teacher | None = None
    """A version of another program that bootstraps."""
    held: HeldOut | None = None
    """What another program may know, and no contender that one taught may show; None: none taught any."""


def entries(ring: Ring) -> Iterator[Contender]:
    """Contenders one by one, each as soon as it is made; one that could not be made carries its error.

    Raises:
        MetricError, or one of ``lm.budget.STOPS``: no contender's fault.
    """
    previous = ring.earlier.previous
    if ring.settings.incremental.previous and ring.earlier.lost:
        yield Contender(PREVIOUS, {}, None, error=ring.earlier.lost)
    elif ring.settings.incremental.previous and previous is not None:
        yield _previous(ring, previous)
    for place, settings in enumerate(ring.settings.contenders, 1):
        name = f"{place}-{settings.strategy}"
        ring.say(f"{name}: compiling from {len(ring.trainset)} items")
        yield from _made(ring, name, settings)


def _previous(ring: Ring, previous: Version) -> Contender:
    """The latest candidate; where code or model are others by now, what it would be today is another version."""
    contender = Contender(PREVIOUS, previous.strategy, previous.state)
    contender.version = previous if previous.was_made_with(ring.spec, ring.lm.identity) else None
    try:
        previous.module(ring.spec)
        contender.demos = demos_of(ring.spec, previous.state, ring.trainset, inherited=ring.earlier.inherited)
        _require_unseen(ring, contender)
    except ProgramError as error:
        contender.error = failure(error)
    return contender


def _made(ring: Ring, name: str, settings: Any) -> Iterator[Contender]:
    """What one strategy proposes; after an error nothing more comes of it."""
    from telefine_assets.programs.witness import Witness

    witness = Witness(ring.trainset, ring.validation)
    taught = {TEACHER: ring.teacher.identity} if ring.teacher and settings.bootstraps else {}
    made_by = settings.model_dump(mode="json") | taught
    try:
        proposals = propose(settings, _task(ring, settings, witness))
    except ProgramError as error:
        yield Contender(name, made_by, None, error=failure(error))
        return
    while True:
        try:
            with ring.lm.counting(name):
                proposal = next(proposals, None)
            if proposal is None:
                return
        except (MetricError, *STOPS):
            raise
        except Exception as error:
            logger.warning("%s failed", name, exc_info=error)
            yield Contender(name, made_by, None, error=failure(error))
            return
        yield _contender(ring, f"{name}/{proposal.name}", made_by, proposal, witness)


def _contender(ring: Ring, name: str, made_by: dict[str, Any], proposal: Proposal, witness: Witness) -> Contender:
    """A proposal with its demos traced; one with a demo of unknown origin cannot be shipped, so it does not compete."""
    contender = Contender(name, made_by, dump_state(proposal.module), claimed_ppm=proposal.claimed_ppm)
    contender.shown = [item.trace_id for item in witness.shown([*ring.trainset, *ring.validation])]
    try:
        contender.demos = demos_of(
            ring.spec, contender.state or {}, ring.trainset, witness, inherited=ring.earlier.inherited
        )
        _require_unseen(ring, contender)
    except ProgramError as error:
        contender.error = failure(error)
    return contender


def _require_unseen(ring: Ring, contender: Contender) -> None:
    """Refuse a taught contender whose demos show what is held out by now.

    Raises:
        ProgramError: when one does.
    """
    if ring.held is None or not was_taught(contender.strategy):
        return
    for name, part in (contender.state or {}).items():
        inputs = [field["name"] for field in ring.spec.signatures[name]["inputs"]]
        if any(demo.get("augmented") and ring.held.shown_by(demo, inputs) for demo in part["demos"]):
            raise ProgramError(
                f"{ring.spec.name}: a demo shows an input that is held out, which it can only have from its teacher; "
                "such a program is not shipped"
            )


def _task(ring: Ring, settings: Any, witness: Witness) -> Task:
    return Task(
        # Demos that stand in the code come from no trace: nothing that carries them could be shipped.
        student=ring.spec.build().reset_copy(),
        trainset=[item.example() for item in ring.trainset],
        valset=[item.example() for item in ring.validation],
        metric=ring.spec.metric,
        lm=ring.lm,
        # A version names its teacher only where its strategy says that it takes demos from one.
        teacher=_teacher(ring) if settings.bootstraps else None,
        teacher_lm=ring.others.get(getattr(settings, "teacher_lm", None) or ""),
        seed=ring.settings.seed,
        callbacks=(witness,),
    )


def _teacher(ring: Ring) -> Any:
    """Another program's version, or the latest candidate, if that is to teach and still fits the program.

    Raises:
        ProgramError: when the other program's version cannot teach.
    """
    if ring.teacher is not None:
        return ring.teacher.module(ring.spec, ring.held)
    previous = ring.earlier.previous if ring.settings.incremental.teacher else None
    if previous is not None and was_taught(previous.strategy):
        ring.say("the latest candidate cannot teach: another program taught it")
        return None
    try:
        return Teacher(ring.spec, previous).module(ring.spec) if previous else None
    except ProgramError as error:
        ring.say(f"the latest candidate cannot teach: {error}")
        return None


def estimated_calls(ring: Ring, rounds: Sequence[int]) -> int | None:
    """About how many language model calls a tournament makes; None where a package's strategy does not say.

    All contenders' first round, fewer in each later one, and the baseline in
    all; see ``strategies.estimate`` for what strategies ask themselves.
    """
    predictors = len(ring.spec.signatures) + ring.spec.metric.asks
    taught = max(predictors, len(ring.teacher.spec.signatures) + ring.spec.metric.asks if ring.teacher else 0)
    each = [estimate(one, len(ring.trainset), len(ring.validation), taught) for one in ring.settings.contenders]
    if any(one.calls_at_most is None or one.proposals_at_most is None for one in each):
        return None
    left, runs, before = 2 + sum(one.proposals_at_most or 0 for one in each), rounds[-1], 0
    for until in rounds:
        runs, left, before = runs + left * (until - before), -(-left * GROWTH[1] // GROWTH[0]), until
    return runs * predictors + sum(one.calls_at_most or 0 for one in each)
