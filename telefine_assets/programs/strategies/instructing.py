"""Strategies that write instructions: DSPy's optimisers, run under Telefine's model, seed and metric.

Each names the model that proposes (``teacher_lm``, else the program's own), is given
the validation set where it takes one, and yields its best programs with the score
that it claims for them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import Any

from telefine_assets.programs.state import dump_state
from telefine_assets.programs.strategies.estimating import chosen_by_size
from telefine_assets.programs.strategies.protocol import Proposal, StrategyError, Task
from telefine_assets.settings.compile import CoproSettings, GepaSettings, MiproV2Settings, SimbaSettings

# DSPy gives up after so many answers that could not be parsed. What could not be asked is found by Task.check.
_ERRORS = 1_000_000


def mipro_v2(settings: MiproV2Settings, task: Task) -> Iterator[Proposal]:
    """Instructions and demos chosen together by Bayesian search. Source: ``dspy.MIPROv2``.

    Raises:
        StrategyError: when optuna is not installed.
    """
    if find_spec("optuna") is None:
        raise StrategyError("strategy 'mipro_v2' needs optuna: pip install 'telefine-assets[optimisers]'")
    import dspy

    optimiser = dspy.MIPROv2(
        metric=task.scorer(),
        prompt_model=_proposing_model(task),
        teacher_settings=_teacher_settings(task),
        max_bootstrapped_demos=settings.max_bootstrapped_demos,
        max_labeled_demos=settings.max_labeled_demos,
        auto=None,
        num_candidates=settings.instructions,
        num_threads=task.lm.calls_in_flight,
        seed=task.seed,
    )
    learnt, chosen_by = _sides(task)
    with _proposing(task):
        best = optimiser.compile(
            task.student,
            trainset=learnt,
            teacher=task.teacher,
            valset=chosen_by,
            num_trials=settings.trials,
            minibatch=settings.minibatch < len(chosen_by),
            minibatch_size=settings.minibatch,
        )
    yield from _best(task, best.candidate_programs, settings.candidates, 10_000)


def copro(settings: CoproSettings, task: Task) -> Iterator[Proposal]:
    """Instructions rewritten again and again by what earlier ones scored. Source: ``dspy.COPRO``.

    It scores on training items; which ones, the seed decides.
    """
    import dspy

    scored = _sample(task, settings.max_scored)
    optimiser = dspy.COPRO(
        prompt_model=_proposing_model(task), metric=task.scorer(), breadth=settings.breadth, depth=settings.depth
    )
    options = {"num_threads": task.lm.calls_in_flight, "display_progress": False}
    with _proposing(task):
        best = optimiser.compile(task.student, trainset=scored, eval_kwargs=options)
    yield from _best(task, best.candidate_programs, settings.candidates, 10_000)


def simba(settings: SimbaSettings, task: Task) -> Iterator[Proposal]:
    """Demos and rules learnt where answers differ most between tries. Source: ``dspy.SIMBA``.

    It chooses by training items; which ones, the seed decides.
    """
    import dspy

    scorer = task.scorer()

    def metric(example: Any, prediction: Any) -> float:
        # It also asks for the score of a program that broke.
        return 0.0 if prediction is None else scorer(example, prediction)

    learnt = _sample(task, settings.max_scored)
    optimiser = dspy.SIMBA(
        metric=metric,
        bsize=min(settings.batch, len(learnt)),
        num_candidates=settings.tries,
        max_steps=settings.steps,
        max_demos=settings.max_demos,
        prompt_model=_proposing_model(task),
        num_threads=task.lm.calls_in_flight,
        demo_input_field_maxlen=0,  # a demo whose inputs were cut would lead to no trace
    )
    with _proposing(task):
        best = optimiser.compile(task.student, trainset=learnt, seed=task.seed)
    yield from _best(task, best.candidate_programs, settings.candidates, 1_000_000)


def gepa(settings: GepaSettings, task: Task) -> Iterator[Proposal]:
    """Instructions rewritten by reflection on what went wrong; a Pareto front of them.

    Source: ``dspy.GEPA``. It keeps no files: without a log directory it writes none,
    and a run that was stopped goes on from the journal of answers, not from a pickle.
    """
    import dspy

    optimiser = dspy.GEPA(
        metric=task.scorer(feedback=True),
        max_metric_calls=settings.max_metric_calls,
        reflection_minibatch_size=settings.minibatch,
        reflection_lm=_proposing_model(task),
        num_threads=task.lm.calls_in_flight,
        log_dir=None,
        track_stats=True,
        seed=task.seed,
    )
    learnt, chosen_by = _sides(task)
    with _proposing(task):
        best = optimiser.compile(task.student, trainset=learnt, valset=chosen_by)
    found = best.detailed_results
    pairs = zip(found.val_aggregate_scores, found.candidates, strict=True)
    scored = [{"score": score, "program": program} for score, program in pairs]
    ranked = sorted(scored, key=lambda each: -each["score"])
    yield from _best(task, ranked, settings.candidates, 1_000_000)


def _best(task: Task, ranked: Iterable[dict[str, Any]], count: int, ppm_per_point: int) -> Iterator[Proposal]:
    """The first ``count`` different programs of DSPy's list, best first, up to the student: it is no proposal."""
    student = dump_state(task.student)
    seen: list[dict[str, Any]] = []
    for each in ranked:
        state = dump_state(each["program"])
        if state == student or len(seen) == count:
            return
        if state not in seen:
            seen.append(state)
            yield Proposal(str(len(seen)), each["program"], round(float(each["score"]) * ppm_per_point))


def _sample(task: Task, most: int) -> list[Any]:
    """Training items in an order that the seed decides, ``most`` of them."""
    return random.Random(task.seed).sample(list(task.trainset), min(most, len(task.trainset)))  # noqa: S311


def _sides(task: Task) -> tuple[list[Any], list[Any]]:
    """Training items to learn from, and others to choose by.

    The validation items are the tournament's: whoever had chosen by them would
    be judged by what it knows.
    """
    shuffled = _sample(task, len(task.trainset))
    chosen_by = chosen_by_size(len(shuffled))
    return shuffled[chosen_by:], shuffled[:chosen_by]


def _proposing_model(task: Task) -> Any:
    """The ``dspy.LM`` that writes instructions."""
    return (task.teacher_lm or task.lm).lm


def _teacher_settings(task: Task) -> dict[str, Any]:
    return {"lm": task.teacher_lm.lm, "adapter": task.teacher_lm.adapter} if task.teacher_lm else {}


def _proposing(task: Task) -> Any:
    """DSPy that does not give up, with an adapter that suits each model that is asked."""
    import dspy

    settings: dict[str, Any] = {"max_errors": _ERRORS}
    if task.teacher_lm is not None:
        from telefine_assets.programs.strategies.adapting import ByModel

        settings["adapter"] = ByModel(task.lm, task.teacher_lm)
    return dspy.context(**settings)
