"""One day's compile: from cleaned traces to a candidate, or to the reason why there is none."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from telefine_assets.canonical import canonical_json, canonical_lines
from telefine_assets.errors import TelefineError
from telefine_assets.lm.budget import Spent
from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.choosing import Standing
from telefine_assets.programs.datasets import Item, dataset_digest, items_of
from telefine_assets.programs.entries import Earlier, Ring, entries, estimated_calls
from telefine_assets.programs.held_out import HeldOut
from telefine_assets.programs.provenance import Demo
from telefine_assets.programs.spec import ProgramSpec
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.teaching import Teacher, was_taught
from telefine_assets.programs.tournament import Gate, Tournament, Watch, compete
from telefine_assets.programs.versions import Version, make_version
from telefine_assets.settings.compile import CompileSettings
from telefine_assets.settings.traces import NearDuplicateSettings
from telefine_assets.traces.records import CleanedTrace

if TYPE_CHECKING:
    from pydantic import SecretStr

logger = logging.getLogger(__name__)

CANDIDATE = "candidate"
BASELINE_KEPT = "baseline_kept"
TOO_FEW = "too_few_items"

Say = Callable[[str], None]
NOTHING_EARLIER = Earlier()
SAME_BY_DEFAULT = NearDuplicateSettings()


@dataclass(frozen=True)
class Models:
    """The language models of a compile."""

    lm: OpenLm
    """What programs run on."""
    others: Mapping[str, OpenLm] = field(default_factory=dict)
    """Further ones by name: teachers, judges."""

    def spent_by(self) -> dict[str, Spent]:
        """What was spent on which contender, by all of them; the parts sum to what the budget counted."""
        total: dict[str, Spent] = {}
        for each in (self.lm, *self.others.values()):
            for label, spent in each.spent_by().items():
                total[label] = total.get(label, Spent()) + spent
        return total


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
    teacher: Teacher | None = None
    """The version of another program that taught the contenders."""

    @property
    def versions(self) -> list[Version]:
        """The baseline and, if there is one, the candidate."""
        return [self.baseline, *([self.candidate] if self.candidate else [])]

    @property
    def demos(self) -> list[Demo]:
        """The candidate's demos, each with its trace."""
        return self.tournament.winner.demos if self.tournament and self.candidate else []

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
            "teacher": self.teacher.to_record() if self.teacher else None,
            "winner": self.tournament.winner.name if self.tournament else None,
            "strategy": self.tournament.winner.strategy if self.tournament else None,
            "trainset": {"digest": dataset_digest(self.trainset), "n": len(self.trainset)},
            "validation": {"digest": dataset_digest(self.validation), "n": len(self.validation)},
            "standings": [each.to_record() for each in self.standings],
            "demos": [demo.to_record() for demo in self.demos],
            "shown": self.tournament.winner.shown if self.tournament and self.candidate else [],
            "lm": dict(lm),
        }

    def demos_document(self) -> bytes:
        """The demos and their traces, as evidence."""
        return canonical_json([demo.to_record() for demo in self.demos])

    def trainset_document(self) -> bytes:
        """What was learnt from, as evidence: ids, digests and labels' sources, one line an item.

        Demos of earlier versions may come from items that have left the window; of
        these no more is known than what the demo's own record says.
        """
        here = {item.trace_id for item in self.trainset}
        gone = {demo.trace_id: demo for demo in self.demos if demo.trace_id not in here}
        inherited = canonical_lines(
            {
                "side": "inherited",
                "cluster": demo.cluster,
                "content": demo.content,
                "group": None,
                "trace_id": demo.trace_id,
                "trace_digest": demo.trace_digest,
                "label_source": None,
                "contributor": demo.contributor,
            }
            for demo in gone.values()
        )
        return inherited + canonical_lines(
            {
                "side": side,
                "cluster": item.cluster,
                "content": item.content,
                "group": item.group,
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
    key: SecretStr,
    models: Models,
    earlier: Earlier = NOTHING_EARLIER,
    say: Say = logger.info,
    watch: Watch | None = None,
    teacher: Teacher | None = None,
    near: NearDuplicateSettings = SAME_BY_DEFAULT,
) -> Compiled:
    """Compile from the cleaned traces of the window; holdout traces are never touched.

    Args:
        spec: the program.
        cleaned: of the whole window.
        baseline: the version that serves.
        settings: what competes, and what it may cost.
        key: the split's; it chooses the items where there are more than the settings take.
        models: the language models in use.
        earlier: what earlier compiles left.
        say: takes a line of the log.
        watch: takes the progress while contenders are made and asked.
        teacher: the version of another program that bootstraps demos.
        near: which inputs are near-copies, so that none of a held-out one comes with the teacher.

    Raises:
        TournamentError: when nothing could be scored, or every strategy failed.
        Unreachable: when the language model did not answer; run again, nothing is asked twice.
    """
    trainset = items_of(cleaned, "train", settings.max_train, settings.seed, key, types=spec.types)
    if settings.incremental.new_first:
        trainset.sort(key=lambda item: item.cluster in earlier.trained_on)
    validation = items_of(cleaned, "validation", settings.max_validation, settings.seed, key, types=spec.types)
    sides = Compiled(TOO_FEW, "", baseline, None, trainset, validation, None, teacher)
    for name, items, needed in (
        ("train", trainset, settings.min_train),
        ("validation", validation, settings.min_validation),
    ):
        if len(items) < needed:
            return replace(sides, reason=f"{len(items)} of {needed} {name} items so far")
    gate = Gate(spec, validation, settings, models.lm, watch or (lambda progress: None))
    taught = teacher is not None or (earlier.previous is not None and was_taught(earlier.previous.strategy))
    held = HeldOut(cleaned, dump_state(spec.build().reset_copy()), near) if taught else None
    ring = Ring(spec, settings, trainset, validation, models.lm, models.others, earlier, say, teacher, held)
    say(_estimated(estimated_calls(ring, gate.rounds), settings))
    tournament = compete(gate, baseline, entries(ring))
    return _concluded(sides, spec, tournament, models)


def _concluded(sides: Compiled, spec: ProgramSpec, tournament: Tournament, models: Models) -> Compiled:
    winner, early = tournament.winner, tournament.ended_early
    ended = f" ({early})" if early else ""
    if not tournament.improved:
        reason = f"no contender beat the baseline on the validation items beyond noise{ended}"
        return replace(sides, outcome=BASELINE_KEPT, reason=reason, tournament=tournament)
    trained_on = dataset_digest(sides.trainset)
    candidate = winner.version or make_version(
        spec, winner.state or {}, winner.strategy, trained_on, models.lm.identity
    )
    reason = f"{winner.name} won on validation{ended}"
    return replace(sides, outcome=CANDIDATE, reason=reason, candidate=candidate, tournament=tournament)


def _estimated(calls: int | None, settings: CompileSettings) -> str:
    """What the log says before the first call."""
    limits = settings.budget.model_dump(exclude_none=True)
    capped = ", ".join(f"{name} {limit}" for name, limit in limits.items()) or "no cap"
    return f"estimate: about {calls:,} language model calls ({capped})" if calls is not None else f"budget: {capped}"


def compile_record(compiled: Compiled, lm: Mapping[str, str], put: Callable[[bytes], str]) -> dict[str, Any]:
    """Keep a compile's programs, demos and trainset as evidence; returns the stage's record."""
    for version in [*compiled.versions, *([compiled.teacher.version] if compiled.teacher else [])]:
        put(version.document)
    evidence = {"demos.json": put(compiled.demos_document()), "trainset.jsonl": put(compiled.trainset_document())}
    return {**compiled.to_record(lm), "evidence": evidence}


def earlier_of(
    records: Sequence[Mapping[str, Any]],
    baseline: Version,
    evidence: Callable[[str], bytes],
    served: Container[str] = (),
) -> Earlier:
    """What the compiles before this day left.

    A version that ``served`` before the baseline does not compete again: it was
    beaten, or rolled back. The latest candidate is not needed: where its
    evidence is lost, it is only left out.

    Args:
        records: of the days before, the latest first.
        baseline: the version that serves.
        evidence: stored bytes by their digest.
        served: digests of all versions that were promoted.
    """
    candidates = [record for record in records if record["candidate"] is not None]
    of_baseline = [record for record in candidates if record["candidate"] == baseline.digest]
    demos = [Demo(**demo) for record in of_baseline[:1] for demo in record["demos"]]
    if not candidates:
        return Earlier()
    latest = candidates[0]
    inherited = [*demos, *(Demo(**demo) for demo in latest["demos"])]
    known = latest["candidate"] == baseline.digest or latest["candidate"] in served
    try:
        lines = evidence(latest["evidence"]["trainset.jsonl"]).splitlines()
        trained_on = frozenset(line["cluster"] for line in map(json.loads, lines) if line["side"] == "train")
        previous = None if known else Version(evidence(latest["candidate"]))
    except TelefineError as error:
        return Earlier(inherited=inherited, lost=str(error))
    return Earlier(previous, inherited, None, trained_on)


def validation_scores(record: Mapping[str, Any]) -> dict[str, float]:
    """Each contender's share of validation items answered rightly, by metric name; none for one that failed."""
    standings = [each for each in record["standings"] if each["mean_ppm"] is not None]
    return {f"validation/{each['name']}": each["mean_ppm"] / 1e6 for each in standings}
