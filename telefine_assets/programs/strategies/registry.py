"""The strategies by name, and the one way to run them."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from telefine_assets.programs.state import dump_state
from telefine_assets.programs.strategies import few_shot, instructing
from telefine_assets.programs.strategies.protocol import Proposal, Propose, StrategyError, Task
from telefine_assets.programs.strategies.quiet import Log, said_to
from telefine_assets.settings.compile import StrategySettings, plugins

logger = logging.getLogger(__name__)

REGISTRY: dict[str, Propose] = {
    function.__name__: function
    for function in (
        few_shot.labeled_few_shot,
        few_shot.bootstrap_few_shot,
        few_shot.bootstrap_few_shot_with_random_search,
        few_shot.knn_few_shot,
        instructing.mipro_v2,
        instructing.copro,
        instructing.simba,
        instructing.gepa,
    )
}
"""The built-in strategies; those of installed packages are found by their entry points."""


def propose(settings: StrategySettings, task: Task) -> Iterator[Proposal]:
    """The programs that a strategy makes, as it makes them.

    A program that is the student itself, or one proposed before, is left out: a
    strategy that finds nothing better yields nothing. What DSPy prints goes to the
    log. Nothing of DSPy's settings is changed where the caller goes on in between.

    Raises:
        StrategyError: when the strategy cannot run here.
        TelefineError: what the models or the metric raised while DSPy went on
            regardless; proposals made before were made without it.
    """
    steps = _function(settings.strategy)(settings, task)
    log = Log(logger, settings.strategy)
    seen = [dump_state(task.student)]
    while True:
        try:
            with task.context(), said_to(log):
                proposal = next(steps, None)
        except Exception:
            # What stopped DSPy may be no more than what became of it.
            task.check()
            raise
        task.check()
        if proposal is None:
            return
        state = dump_state(proposal.module)
        if state not in seen:
            seen.append(state)
            yield proposal


def _function(name: str) -> Propose:
    if name in REGISTRY:
        return REGISTRY[name]
    point = plugins().get(name)
    function: Propose | None = getattr(point.load(), "propose", None) if point else None
    if function is None:
        raise StrategyError(f"strategy {name!r}: no package with a function 'propose' for it is installed")
    return function
