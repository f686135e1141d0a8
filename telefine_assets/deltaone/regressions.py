"""The certified regression set: items of earlier epochs, on which a candidate should not do worse than what serves.

These items have retired. They certify nothing any more, so that all that is
found on them may be shown: it tells nothing of the living holdout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from telefine_assets.deltaone import wording
from telefine_assets.deltaone.pairs import gain_of, regressed
from telefine_assets.deltaone.records import PairedItem, Rules
from telefine_assets.deltaone.refusals import Reason, too_many_unresolved
from telefine_assets.deltaone.statistics import mcnemar_p
from telefine_assets.pages.markdown import code_span
from telefine_assets.pages.page import quoted

LISTED = 50
"""Most items that a record lists; its evidence has them all."""
_DIGITS, _CELL = 12, 120


def refusal(rows: Sequence[PairedItem], rules: Rules) -> Reason | None:
    """Why the regression set forbids the look, if the rules have a limit and it does."""
    if rules.max_regressions is None or not rows:
        return None
    resolved = sum(row.resolved for row in rows)
    worse = len(regressed(rows, rules.direction))
    if worse <= rules.max_regressions:
        return too_many_unresolved(len(rows), resolved, rules)
    return Reason(
        "too_many_regressions",
        f"The candidate is worse than the program that serves on {wording.count(worse, 'item')} of the "
        f"{len(rows):,} on which earlier versions were certified; the rules allow {rules.max_regressions:,}. "
        "No look was spent. Choose a candidate that keeps what was gained, or raise max_regressions.",
    )


def found(rows: Sequence[PairedItem], rules: Rules) -> dict[str, Any] | None:
    """What the regression set shows, as a record; None while nothing has retired.

    ``p_value`` is of the exact one-sided McNemar test that the candidate is worse:
    small when losses outnumber wins by more than chance would have it.
    """
    if not rows:
        return None
    worse = regressed(rows, rules.direction)
    wins = sum(gain_of(row, rules.direction) > 0 for row in rows if row.resolved)
    return {
        "asked": len(rows),
        "regressed": [_shown(row) for row in worse[:LISTED]],
        "count": len(worse),
        "p_value": wording.p_text(mcnemar_p(len(worse), wins)),
        "wins": wins,
        "losses": len(worse),
    }


def _shown(row: PairedItem) -> dict[str, Any]:
    return {
        "item": row.item,
        "inputs": row.inputs,
        "label": row.label,
        "baseline_output": row.baseline_output,
        "candidate_output": row.candidate_output,
    }


def item_cells(item: Mapping[str, Any]) -> tuple[str, ...]:
    """A regressed item of a record for a row of a table: digest, question, label, both answers."""
    texts = (item[name] for name in ("inputs", "label", "baseline_output", "candidate_output"))
    return (item["item"][:_DIGITS], *(code_span(quoted(text, _CELL)) for text in texts))
