"""What a look may be at: held-out items whose labels are fit for it, and that no earlier epoch looked at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from telefine_assets.canonical import canonical_json, digest_of, sha256_hex
from telefine_assets.deltaone.bench import Bench
from telefine_assets.deltaone.groups import joined
from telefine_assets.deltaone.records import Look
from telefine_assets.ledger.records import LookRequest
from telefine_assets.programs.datasets import Item, dataset_digest, items_of
from telefine_assets.programs.spec import ProgramSpec
from telefine_assets.programs.versions import Version
from telefine_assets.settings.deltaone import DeltaOneSettings
from telefine_assets.traces.records import CleanedTrace

if TYPE_CHECKING:
    from pydantic import SecretStr

EXPECTED = "expectation:"


@dataclass(frozen=True)
class Holdout:
    """The held-out side of a window."""

    items: list[Item]
    """Those that a look may be at, at most ``max_items``."""
    retired: list[Item]
    """Those of earlier epochs, at most ``regression_items``: what they show tells nothing of the others."""
    used: int
    """How many of the window have retired, whether in ``retired`` or not."""
    own: int
    """How many were left out because their only label is the program's own."""

    def document(self) -> bytes:
        """Which items are looked at, as evidence: the canonical list of their clusters."""
        return canonical_json(sorted(item.cluster for item in self.items))

    def labels(self) -> dict[str, int]:
        """How many labels come from each kind of source."""
        return dict(sorted(Counter(_kind(item.label_source) for item in self.items).items()))


@dataclass(frozen=True)
class Prepared:
    """A look that could be taken."""

    request: LookRequest
    epoch: int
    baseline: Version
    candidate: Version
    holdout: Holdout

    def look(self, number: int) -> Look:
        """The look under ``number``."""
        digest = sha256_hex(self.holdout.document())
        return Look(number, digest, self.baseline.digest, self.candidate.digest, self.request.metric)


def holdout_of(
    cleaned: Sequence[CleanedTrace],
    spec: ProgramSpec,
    settings: DeltaOneSettings,
    key: SecretStr,
    retired: Container[str] = (),
) -> Holdout:
    """The held-out side of the window, each item with the program's types.

    Where the metric or a guardrail reads labels, only items with an expectation
    count: against its own accepted outputs the baseline would agree with itself.
    Where none does, all count, and none has a label.

    Args:
        cleaned: the cleaned traces of the window.
        spec: the program.
        settings: how many items, and what makes them independent.
        key: the split's; it chooses the items where there are more than the settings take.
        retired: clusters that were looked at in earlier epochs.
    """
    held = [trace for trace in cleaned if trace.split == "holdout"]
    fit, judge = fit_to_compare(held, spec)

    def chosen(traces: list[CleanedTrace], limit: int) -> list[Item]:
        items = items_of(traces, "holdout", limit, settings.seed, key, types=spec.types, judge=judge)
        return _clustered(items) if settings.cluster_by == "contributor" else items

    fresh = [trace for trace in fit if trace.cluster not in retired]
    old = [trace for trace in fit if trace.cluster in retired]
    return Holdout(
        items=chosen(fresh, settings.max_items),
        retired=chosen(old, settings.regression_items),
        used=len({trace.cluster for trace in old}),
        own=len({trace.cluster for trace in held} - {trace.cluster for trace in fit}),
    )


def fit_to_compare(held: list[CleanedTrace], spec: ProgramSpec) -> tuple[list[CleanedTrace], str | None]:
    """The traces that may be compared on, and the metric's name where none has a label."""
    if spec.metric.labels or any(metric.labels for metric in spec.guardrails.values()):
        return [trace for trace in held if trace.label_source.startswith(EXPECTED)], None
    return held, spec.metric_name


def _everything(bench: Bench, cleaned: Sequence[CleanedTrace]) -> str:
    """Digest of all that a look could be at, whatever has retired and whatever the limits leave out."""
    fit, judge = fit_to_compare([trace for trace in cleaned if trace.split == "holdout"], bench.spec)
    return dataset_digest(items_of(fit, "holdout", len(fit), bench.settings.seed, bench.key, judge=judge))


def prepare(bench: Bench, day: str, cleaned: Sequence[CleanedTrace], baseline: Version, candidate: Version) -> Prepared:
    """Find what the day's look would be at: items that have not retired. Nothing is asked or recorded."""
    spec, settings = bench.spec, bench.settings
    look_key = digest_of(
        {
            "program": spec.name,
            "day": day,
            "holdout": _everything(bench, cleaned),
            "code": spec.code_digest,
            "baseline": baseline.digest,
            "candidate": candidate.digest,
            "metric": spec.metric_digest,
            "lm": bench.lm.identity,
            "rules": bench.rules.to_record(),
            "choice": [settings.max_items, settings.cluster_by, settings.confidence],
        }
    )
    epoch, lists = bench.looks.epoch(spec.name, look_key)
    retired = {cluster for digest in lists for cluster in json.loads(bench.get(digest))}
    request = LookRequest(
        spec.name, day, baseline.digest, candidate.digest, spec.metric_digest, settings.alpha, look_key
    )
    return Prepared(request, epoch, baseline, candidate, holdout_of(cleaned, spec, settings, bench.key, retired))


def _clustered(items: list[Item]) -> list[Item]:
    groups = joined([item.group for item in items], [item.contributor for item in items])
    return [replace(item, group=group) for item, group in zip(items, groups, strict=True)]


def _kind(source: str) -> str:
    """``expectation:HUMAN:ann`` is of kind ``expectation:HUMAN``; a metric's name stands as it is."""
    return source if source.startswith("metric:") else ":".join(source.split(":")[:2])
