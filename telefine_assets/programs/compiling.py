"""One day's compile: from cleaned traces to a candidate, or to the reason why there is none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.canonical import canonical_json, canonical_lines
from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.datasets import Item, dataset_digest, items_of
from telefine_assets.programs.provenance import Demo, demos_of
from telefine_assets.programs.spec import ProgramSpec
from telefine_assets.programs.tournament import Say, Standing, Tournament, compete
from telefine_assets.programs.versions import Version, make_version
from telefine_assets.settings import CompileSettings
from telefine_assets.traces.records import CleanedTrace

logger = logging.getLogger(__name__)

CANDIDATE = "candidate"
BASELINE_KEPT = "baseline_kept"
TOO_FEW = "too_few_items"


@dataclass(frozen=True)
class Compiled:
    """What a day's compile came to."""

    outcome: str
    """``candidate``, ``baseline_kept`` or ``too_few_items``."""
    reason: str
    baseline: Version
    candidate: Version | None
    trainset: list[Item]
    validation: list[Item]
    tournament: Tournament | None
    demos: list[Demo]

    @property
    def versions(self) -> list[Version]:
        """The baseline and, if there is one, the candidate."""
        return [self.baseline, *([self.candidate] if self.candidate else [])]

    @property
    def standings(self) -> list[Standing]:
        """How the contenders did, or nothing when no tournament was held."""
        return self.tournament.standings if self.tournament else []

    def to_record(self, lm: Mapping[str, str]) -> dict[str, Any]:
        """Canonical JSON form; ``lm`` is the identity of the language model."""
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "baseline": self.baseline.digest,
            "candidate": self.candidate.digest if self.candidate else None,
            "strategy": self.tournament.winner.strategy if self.tournament else None,
            "trainset": {"digest": dataset_digest(self.trainset), "n": len(self.trainset)},
            "validation": {"digest": dataset_digest(self.validation), "n": len(self.validation)},
            "standings": [each.to_record() for each in self.standings],
            "demos": [demo.to_record() for demo in self.demos],
            "lm": dict(lm),
        }

    def demos_document(self) -> bytes:
        """The demos and their traces, as evidence."""
        return canonical_json([demo.to_record() for demo in self.demos])

    def trainset_document(self) -> bytes:
        """What was learnt from, as evidence: ids, digests and labels' sources, one line an item."""
        return canonical_lines(
            {
                "side": side,
                "cluster": item.cluster,
                "content": item.content,
                "trace_id": item.trace_id,
                "trace_digest": item.trace_digest,
                "label_source": item.label_source,
                "contributor": item.contributor,
            }
            for side, items in (("train", self.trainset), ("validation", self.validation))
            for item in items
        )


def compile_day(
    spec: ProgramSpec,
    cleaned: Sequence[CleanedTrace],
    baseline: Version,
    settings: CompileSettings,
    lm: OpenLm,
    say: Say = logger.info,
) -> Compiled:
    """Compile from the cleaned traces of the window; holdout traces are never touched.

    Raises:
        TournamentError: when the language model answered no item for every contender.
        ProgramError: when a demo of the winner comes from no trace.
    """
    trainset = items_of(cleaned, "train", settings.max_train, settings.seed)
    validation = items_of(cleaned, "validation", settings.max_validation, settings.seed)

    def ended(outcome: str, reason: str, tournament: Tournament | None = None, **found: Any) -> Compiled:
        found = {"candidate": None, "demos": []} | found
        return Compiled(outcome, reason, baseline, found["candidate"], trainset, validation, tournament, found["demos"])

    for name, items, needed in (
        ("train", trainset, settings.min_train),
        ("validation", validation, settings.min_validation),
    ):
        if len(items) < needed:
            return ended(TOO_FEW, f"{len(items)} of {needed} {name} items so far")
    tournament = compete(spec, baseline.state, settings.strategies, trainset, validation, lm, say)
    winner = tournament.winner
    if not tournament.improved or winner.state is None:
        return ended(BASELINE_KEPT, "no strategy beat the baseline on the validation items", tournament)
    demos = demos_of(spec, winner.state, trainset)
    candidate = make_version(spec, winner.state, winner.strategy, dataset_digest(trainset), lm.identity)
    return ended(CANDIDATE, f"{winner.name} won on validation", tournament, candidate=candidate, demos=demos)


def compile_record(
    spec: ProgramSpec,
    cleaned: Sequence[CleanedTrace],
    baseline: Version,
    settings: CompileSettings,
    lm: OpenLm,
    put: Callable[[bytes], str],
    say: Say = logger.info,
) -> dict[str, Any]:
    """Compile a day and keep its programs, demos and trainset as evidence; returns the stage's record."""
    compiled = compile_day(spec, cleaned, baseline, settings, lm, say)
    for version in compiled.versions:
        put(version.document)
    evidence = {"demos.json": put(compiled.demos_document()), "trainset.jsonl": put(compiled.trainset_document())}
    return {**compiled.to_record(lm.identity), "evidence": evidence}


def validation_scores(record: Mapping[str, Any]) -> dict[str, float]:
    """Each contender's share of validation items answered rightly, by metric name; none for one that failed."""
    standings = [each for each in record["standings"] if each["mean_ppm"] is not None]
    return {f"validation/{each['name']}": each["mean_ppm"] / 1e6 for each in standings}
