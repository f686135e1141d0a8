"""What became of a day's traces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from telefine_assets.traces.cleaning.audit import Checked
from telefine_assets.traces.cleaning.rules import RULES

SAMPLE: Final = 5
NOBODY: Final = "(none)"


@dataclass(frozen=True)
class DropReport:
    """What became of a day's traces: ``traces_in = kept + sum(dropped)``."""

    traces_in: int
    kept: int
    dropped: Mapping[str, int]
    """Rule -> number of traces, in the order of the rules."""
    samples: Mapping[str, Sequence[str]]
    """The first trace ids, up to five, for each rule."""
    drops: Mapping[str, str] = field(repr=False)
    """Every dropped trace id with its rule."""
    audit: Mapping[str, Checked]
    """For each contributor (the wallet, or the tag that names none), what the trusted rater found."""
    careless: Sequence[str]
    """Contributors whose unchecked labels were dropped."""
    values_ignored: Mapping[str, Mapping[str, int]]
    """Feedback -> why values said nothing -> how many."""
    values_clipped: Mapping[str, int]
    """Feedback -> how many values were moved to the nearer end of the range."""
    scales: Sequence[Mapping[str, Any]]
    """For each outcome, what its values were normalised by: see ``scale.explain``."""
    flagged: Mapping[str, int]
    """What is odd -> number of kept traces."""
    outliers: Mapping[str, Any]
    """Thresholds, medians and deviations that traces were judged by."""
    balance: Mapping[str, Any] | None
    """The train side's categories, with clusters and caps."""
    splits: Mapping[str, int]
    """Side -> number of kept traces."""
    contributors: Mapping[str, Mapping[str, Any]] = field(repr=False)
    """Wallet, tag or ``(none)`` -> traces given, kept, and dropped by rule."""
    absent: Sequence[str] = ()
    """A sentence for each name in the settings under which nothing was said of any trace, while under others it was."""

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form."""
        return {
            "traces_in": self.traces_in,
            "kept": self.kept,
            "dropped": dict(self.dropped),
            "samples": {rule: list(ids) for rule, ids in self.samples.items()},
            "drops": dict(self.drops),
            "audit": {who: {"checked": each.checked, "wrong": each.wrong} for who, each in self.audit.items()},
            "careless": list(self.careless),
            "values_ignored": {name: dict(counts) for name, counts in self.values_ignored.items()},
            "values_clipped": dict(self.values_clipped),
            "scales": [dict(scale) for scale in self.scales],
            "flagged": dict(self.flagged),
            "outliers": dict(self.outliers),
            "balance": None if self.balance is None else dict(self.balance),
            "splits": dict(self.splits),
            "contributors": {who: dict(each) for who, each in self.contributors.items()},
            "absent": list(self.absent),
        }


def drops_by_rule(ids: Sequence[str], rules: Sequence[str | None]) -> dict[str, Any]:
    """The report's counts, samples and drops."""
    by_rule: dict[str, list[str]] = {}
    for trace_id, rule in zip(ids, rules, strict=True):
        if rule is not None:
            by_rule.setdefault(rule, []).append(trace_id)
    ordered = {rule: by_rule[rule] for rule in RULES if rule in by_rule}
    return {
        "traces_in": len(ids),
        "kept": len(ids) - sum(map(len, by_rule.values())),
        "dropped": {rule: len(found) for rule, found in ordered.items()},
        "samples": {rule: found[:SAMPLE] for rule, found in ordered.items()},
        "drops": {trace_id: rule for trace_id, rule in zip(ids, rules, strict=True) if rule is not None},
    }


def by_contributor(who: Sequence[str | None], rules: Sequence[str | None]) -> dict[str, dict[str, Any]]:
    """What became of the traces of each contributor."""
    found: dict[str, Counter[str | None]] = {}
    for name, rule in zip(who, rules, strict=True):
        found.setdefault(name or NOBODY, Counter())[rule] += 1
    return {
        name: {
            "given": counts.total(),
            "kept": counts[None],
            "dropped": {rule: counts[rule] for rule in RULES if counts[rule]},
        }
        for name, counts in sorted(found.items())
    }
