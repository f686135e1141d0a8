"""The rule as a checklist, from the public record of a day alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from telefine_assets.deltaone.decision import NOT_REACHED

HELD, FAILED, NOT_LOOKED_AT = "held", "failed", "not looked at"

_STEPS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "There is a candidate that beat the program in use on the validation items.",
        frozenset({"no_candidate"}),
    ),
    (
        "The candidate is another program than the one in use.",
        frozenset({"same_program"}),
    ),
    (
        "What is right comes from people, code or a metric, and not from the program's own answers.",
        frozenset({"self_labels", "unknown_labels"}),
    ),
    (
        "The held-out items are fresh: no earlier success has used them up.",
        frozenset({"holdout_reused"}),
    ),
    (
        "There are enough of them, from enough sources, to show a gain at this look.",
        frozenset({"no_items", "too_few_items", "too_few_groups"}),
    ),
    (
        "On items of earlier, retired holdouts the candidate keeps what worked.",
        frozenset({"too_many_regressions"}),
    ),
    (
        "Nearly all items were answered on both sides.",
        frozenset({"too_many_unresolved"}),
    ),
    (
        "The guardrails that read no label hold.",
        frozenset({"guardrail_missing", "guardrail_failed"}),
    ),
    (
        "Every item has one pair of scores that make sense.",
        frozenset({"duplicate_items", "score_out_of_range", "inconsistent_scores"}),
    ),
    (
        "The gain is large enough, chance does not explain it, and all else that reads labels holds.",
        frozenset({NOT_REACHED}),
    ),
)


@dataclass(frozen=True)
class Step:
    """One line of the checklist: ``held``, ``failed`` or ``not looked at``."""

    state: str
    says: str


def checklist(record: Mapping[str, Any]) -> list[Step]:
    """The rule in the order in which it is looked at, up to where it stopped.

    Reasons that rest on scores are one line: which of them it was would tell
    something of a living holdout. A line that stopped the rule twice, before and after
    the items were asked, stands where it is looked at first.

    Args:
        record: what ``report_day`` stores.
    """
    stopped = next((at for at, (_, codes) in enumerate(_STEPS) if record["code"] in codes), -1)
    if record["reached"]:
        stopped = len(_STEPS)
    return [Step(_state(at, stopped), says) for at, (says, _) in enumerate(_STEPS)]


def _state(at: int, stopped: int) -> str:
    if at < stopped:
        return HELD
    return FAILED if at == stopped else NOT_LOOKED_AT
