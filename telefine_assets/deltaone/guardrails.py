"""Guardrails: bounds on something other than the score, which must hold beside the gain.

A floor is a floor: what was measured on the holdout is compared with the bound
as it is, in integers, and nothing is tested. A value that is missing where the
bound needs it breaks the guardrail.

What came of a guardrail is told at once where it tells nothing of the scores,
and once DeltaOne is reached where it might.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from telefine_assets.deltaone import wording
from telefine_assets.deltaone.records import LOWER, MEAN, UNPARSABLE, Guardrail, PairedItem, Rules
from telefine_assets.deltaone.refusals import Reason

MISSING, FAILED = "guardrail_missing", "guardrail_failed"
PRIVATE = "private_"
"""Begins the code of a guardrail that is told only once DeltaOne is reached."""

_BILLED = frozenset({"latency_ms", "cost_micros", "tokens"})
"""Measures of the model's service; they are no judgement of the answer."""


def broken(rows: Sequence[PairedItem], rules: Rules, public: bool) -> Reason | None:
    """The first guardrail, in the order of the rules, that does not hold; None when all hold.

    Args:
        rows: all rows of the comparison. They need no scores: those that both
            programs answered are measured.
        rules: their guardrails.
        public: judge those that may be told at once; else only those that may not.
    """
    return first_broken(measured(rows, rules), rules, public)


def first_broken(outcomes: Sequence[Mapping[str, Any]], rules: Rules, public: bool) -> Reason | None:
    """The same from what ``measured`` returned."""
    for rail, outcome in zip(rules.guardrails, outcomes, strict=True):
        if outcome["reads_label"] != public and not outcome["held"]:
            return _reason(rail, outcome, "" if public else PRIVATE)
    return None


def measured(rows: Sequence[PairedItem], rules: Rules) -> list[dict[str, Any]]:
    """What came of each guardrail, in the order of the rules; for the keys see ``Decision.guardrails``.

    Where the score itself needs no label, a guardrail on the answers may be the
    score under another name. ``reads_label`` is then true of it, so that it is
    not told before DeltaOne is reached.

    A question that the model refused to answer, from either program, was not
    served: it is a wrong answer, and no part of latency, tokens and cost.
    """
    answered = [row for row in rows if row.answered]
    served = [row for row in answered if not _refused(row)]
    return [
        _measured(served if rail.measure in _BILLED else answered, rail, not rules.score_reads_label)
        for rail in rules.guardrails
    ]


def _refused(row: PairedItem) -> bool:
    sides = ((row.baseline_error, row.baseline_measures), (row.candidate_error, row.candidate_measures))
    return any(error == UNPARSABLE and not measures.keys() & _BILLED for error, measures in sides)


def _measured(answered: Sequence[PairedItem], rail: Guardrail, label_free: bool) -> dict[str, Any]:
    old = _known([row.baseline_measures for row in answered], rail.measure)
    new = _known([row.candidate_measures for row in answered], rail.measure)
    lower = rail.direction == LOWER
    return {
        "name": rail.name,
        "measure": rail.measure,
        "statistic": rail.statistic,
        "baseline": _statistic(old, rail, up=not lower),
        "candidate": _statistic(new, rail, up=lower),
        "bound": wording.bound(rail),
        "held": _holds(old, new, rail),
        "reads_label": rail.reads_label or (label_free and rail.measure not in _BILLED),
    }


def _known(measures: Sequence[Mapping[str, int]], name: str) -> list[int]:
    """The values of one measure; none when any is missing."""
    return [each[name] for each in measures] if all(name in each for each in measures) else []


def _statistic(values: Sequence[int], rail: Guardrail, up: bool) -> int | None:
    """The statistic in whole units, a mean rounded up or down; None when values are missing."""
    total, n = _as_ratio(values, rail)
    if not n:
        return None
    return -(-total // n) if up else total // n


def _as_ratio(values: Sequence[int], rail: Guardrail) -> tuple[int, int]:
    """The statistic exactly: the sum and the number of values, or the 95th percentile and 1; (0, 0) for no values."""
    if rail.statistic == MEAN or not values:
        return sum(values), len(values)
    # Nearest rank: the smallest value that at least 95 % of the values do not exceed.
    return sorted(values)[-(-95 * len(values) // 100) - 1], 1


def _holds(old: Sequence[int], new: Sequence[int], rail: Guardrail) -> bool:
    total, n = _as_ratio(new, rail)
    before, known = _as_ratio(old, rail)
    if not n or (rail.max_worse is not None and not known):
        return False
    worse = total - before if rail.direction == LOWER else before - total
    return (
        (rail.at_least is None or total >= n * rail.at_least)
        and (rail.at_most is None or total <= n * rail.at_most)
        and (rail.max_worse is None or worse <= n * rail.max_worse)
    )


def _reason(rail: Guardrail, outcome: Mapping[str, Any], prefix: str) -> Reason:
    old, new = outcome["baseline"], outcome["candidate"]
    if new is None or (rail.max_worse is not None and old is None):
        side = "the candidate" if new is None else "the baseline"
        return Reason(
            prefix + MISSING,
            f"The guardrail {rail.name} cannot be judged: {rail.measure} is not known of every answer of {side}. "
            "A missing value breaks a guardrail. Have it measured (the cost needs a price of the model, a metric "
            "must judge every answer), or take the guardrail out of the settings.",
        )
    beside = "" if old is None else f" (the baseline's is {wording.amount(old, rail.measure)})"
    return Reason(
        prefix + FAILED,
        f"The guardrail {rail.name} does not hold: the candidate's {rail.statistic} of {rail.measure} is "
        f"{wording.amount(new, rail.measure)}{beside}, and it must be {outcome['bound']}. Choose a candidate that "
        "keeps the bound, or change the bound before the next look.",
    )
