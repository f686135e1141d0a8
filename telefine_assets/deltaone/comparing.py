"""One look: refuse what cannot certify, ask both programs, take a number, score, decide.

The order is the protection. What can be known without a score is known before
the look has its number, so that a look that comes to nothing costs nothing. The
number stands in the ledger before the first item is scored, and a look that has
one is the same look when it is run again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from telefine_assets.canonical import canonical_lines
from telefine_assets.deltaone import regressions
from telefine_assets.deltaone.bench import Bench
from telefine_assets.deltaone.decision import decide, decided
from telefine_assets.deltaone.evaluation import BASELINE, CANDIDATE, Evaluation, evaluate
from telefine_assets.deltaone.guardrails import broken, measured
from telefine_assets.deltaone.holdout import Prepared
from telefine_assets.deltaone.records import Decision, Look, PairedItem, Rules
from telefine_assets.deltaone.refusals import (
    Reason,
    before_scoring,
    holdout_reused,
    same_program,
    self_labels,
    too_many_unresolved,
)
from telefine_assets.errors import TelefineError
from telefine_assets.programs.datasets import Item


@dataclass(frozen=True)
class Compared:
    """A look that was scored."""

    look: Look
    rows: list[PairedItem]
    decision: Decision


@dataclass(frozen=True)
class Outcome:
    """What came of the day's look: either it was scored, or there is a reason why it has no number."""

    result: Compared | Reason
    retired: list[PairedItem] = field(default_factory=list)
    """The rows of the regression set, if it was asked."""


def take(bench: Bench, prepared: Prepared) -> Outcome:
    """Take the look, unless something is known to stand against it before anything is scored.

    Raises:
        LedgerError: when the holdout rotated in the meantime.
        MetricError: when a metric returns what is not a score.
    """
    if reason := _unfit_programs(bench, prepared):
        return Outcome(reason)
    retired = _ask(bench, prepared, prepared.holdout.retired, "retired").scored() if prepared.holdout.retired else []
    if reason := regressions.refusal(retired, bench.rules) or _before_asking(bench, prepared):
        return Outcome(reason, retired)
    bench.looks.record(prepared.request, prepared.epoch, bench.put(prepared.holdout.document()))
    asked = _ask(bench, prepared, prepared.holdout.items, "held-out")
    told = _told_at_once(asked.unscored(), bench.rules)
    asked = asked.measured(told)
    if reason := _before_scoring(bench, prepared, asked.unscored()):
        return Outcome(reason, retired)
    begun = bench.looks.begin(prepared.request.look_key, prepared.epoch)
    if begun.k is None:
        raise TelefineError(f"{bench.spec.name}: the ledger gave the look of {prepared.request.day} no number")
    bench.say(f"look {begun.k} at the holdout: {len(asked.items):,} items")
    rows = asked.measured(bench.spec.guardrails.keys() - told).scored()
    look = prepared.look(begun.k)
    return Outcome(Compared(look, rows, decide(rows, bench.rules, look)), retired)


def _unfit_programs(bench: Bench, prepared: Prepared) -> Reason | None:
    """Whether these are two programs, and what runs is what the candidate's version names."""
    if reason := same_program(_expected_look(bench, prepared)):
        return reason
    if prepared.candidate.was_made_with(bench.spec, bench.lm.identity):
        return None
    return Reason(
        "stale_candidate",
        "The candidate was compiled with other code or for another language model than the settings have now. "
        "Compile the day again.",
    )


def _before_asking(bench: Bench, prepared: Prepared) -> Reason | None:
    """What is known of the living holdout before anything of it is asked: labels, and how many items."""
    holdout, look = prepared.holdout, _expected_look(bench, prepared)
    fresh, rules = len(holdout.items), bench.rules
    if not fresh and not holdout.used and holdout.own:
        return self_labels(holdout.own, holdout.own)
    if fresh < rules.min_items <= fresh + holdout.used:
        return holdout_reused(fresh, holdout.used, rules)
    return before_scoring(_sizes(holdout.items), [item.label_source for item in holdout.items], look, rules)


def _before_scoring(bench: Bench, prepared: Prepared, rows: Sequence[PairedItem]) -> Reason | None:
    """What is known once the programs have answered: who answered, how many are left, what reads no label."""
    answered = [row for row in rows if row.answered]
    look, rules = _expected_look(bench, prepared), bench.rules
    return (
        too_many_unresolved(len(rows), len(answered), rules)
        or before_scoring(_sizes(answered), [row.label_source for row in answered], look, rules)
        or broken(rows, rules, public=True)
    )


def _told_at_once(rows: Sequence[PairedItem], rules: Rules) -> set[str]:
    """The guardrails that may be judged and told before the look has a number."""
    return {each["name"] for each in measured(rows, rules) if not each["reads_label"]}


def _expected_look(bench: Bench, prepared: Prepared) -> Look:
    """The look under the number that it has, or would have if it began now."""
    looks, request = bench.looks, prepared.request
    return prepared.look(looks.number(request.look_key) or looks.next_k(request.program, prepared.epoch))


def _sizes(items: Sequence[Item] | Sequence[PairedItem]) -> list[int]:
    """Items in each independent group."""
    return list(Counter(item.group for item in items).values())


def _ask(bench: Bench, prepared: Prepared, items: Sequence[Item], which: str) -> Evaluation:
    modules = {
        BASELINE: prepared.baseline.module(bench.spec),
        CANDIDATE: prepared.candidate.module(bench.spec),
    }
    progress = _every_hundred(bench.say, which)
    return evaluate(bench.spec, modules, items, bench.lm, bench.settings.confidence, progress)


def _every_hundred(say: Callable[[str], None], which: str) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            say(f"{done} of {total} questions about {which} items answered")

    return progress


def rows_document(rows: Sequence[PairedItem]) -> bytes:
    """Per-item results, as evidence: one canonical line an item, sorted by item."""
    return canonical_lines(row.to_record() for row in sorted(rows, key=lambda row: row.item))


def decide_again(evidence: Mapping[str, str], get: Callable[[str], bytes]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The stored decision, and the one that the stored rows give."""
    report = json.loads(get(evidence["report.json"]))
    rows = [PairedItem.from_record(json.loads(line)) for line in get(evidence["rows.jsonl"]).splitlines()]
    again = decide(rows, Rules.from_record(report["rules"]), Look.from_record(report["look"]))
    return decided(report["decision"]), decided(again.to_record())
