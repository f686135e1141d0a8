"""One day's look: record it, score both programs, decide.

The order is the protection: the look stands in the ledger before the first item
is scored, and a look that was recorded is the same look when it is run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from telefine_assets.canonical import canonical_json, canonical_lines, digest_of
from telefine_assets.deltaone.decision import decide, decided, public_view
from telefine_assets.deltaone.evaluation import paired
from telefine_assets.deltaone.figures import forest_plot
from telefine_assets.deltaone.records import Decision, Look, PairedItem, Rules
from telefine_assets.deltaone.report import ReportContext, markdown
from telefine_assets.ledger.records import ClosedDay, LookRequest, RecordedLook
from telefine_assets.lm.opening import OpenLm
from telefine_assets.programs.datasets import Item, dataset_digest, items_of
from telefine_assets.programs.spec import ProgramSpec
from telefine_assets.programs.versions import Version
from telefine_assets.settings import DeltaOneSettings
from telefine_assets.traces.records import CleanedTrace

if TYPE_CHECKING:
    from telefine_assets.traces.cleaning.annotations import FieldTypes

NO_CANDIDATE = "no_candidate"
TOO_FEW = "too_few_items"
TOO_MANY_UNRESOLVED = "too_many_unresolved"


class LooksLedger(Protocol):
    """The part of ``ledger.looks.Looks`` that a comparison uses."""

    def epoch(self, program: str, look_key: str) -> tuple[int, list[str]]:
        """Holdout epoch of a look, and the item lists that retired before it."""
        ...

    def record(self, request: LookRequest, epoch: int, item_list: str) -> RecordedLook:
        """Write what is about to be compared, or return it if it stands."""
        ...

    def next_k(self, program: str, epoch: int) -> int:
        """The number that the next look to be scored would have."""
        ...

    def begin(self, look_key: str, epoch: int) -> RecordedLook:
        """Give a look its number, immediately before it is scored."""
        ...

    def closed(self, program: str, day: str) -> ClosedDay | None:
        """The look of a day that reached DeltaOne, or None."""
        ...

    def concluded(self, look_key: str) -> str | None:
        """Digest of the record that a look ended with, or None."""
        ...

    def conclude(self, look_key: str, reached: bool, report: str) -> None:
        """Write what came of a look."""
        ...

    def extract(self, program: str, look_key: str) -> list[dict[str, object]]:
        """The epoch's looks up to this one."""
        ...

    def history(self, program: str, look_key: str) -> list[dict[str, object]]:
        """The epoch's looks up to this one, with ``k``, ``day``, ``candidate`` and ``reached`` (or None)."""
        ...


@dataclass(frozen=True)
class Bench:
    """What a comparison is made with."""

    spec: ProgramSpec
    settings: DeltaOneSettings
    looks: LooksLedger
    put: Callable[[bytes], str]
    """Keeps evidence; returns its SHA-256."""
    get: Callable[[str], bytes]
    lm: OpenLm
    say: Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """A look that could be taken."""

    request: LookRequest
    epoch: int
    items: list[Item]


@dataclass(frozen=True)
class Comparison:
    """A look and what came of it."""

    recorded: RecordedLook
    look: Look
    rows: list[PairedItem]
    decision: Decision

    def rows_document(self) -> bytes:
        """Per-item results, as evidence: one canonical line an item, sorted by item."""
        return canonical_lines(row.to_record() for row in sorted(self.rows, key=lambda row: row.item))

    def report_document(self, rules: Rules) -> bytes:
        """Decision, rules and look, as evidence."""
        return canonical_json(
            {"decision": self.decision.to_record(), "rules": rules.to_record(), "look": self.look.to_record()}
        )


@dataclass(frozen=True)
class Report:
    """A day's report. What it shows is what may be shown while the holdout lives."""

    record: dict[str, Any]
    markdown: str
    figure: bytes | None
    metrics: dict[str, float]


def rules_of(settings: DeltaOneSettings) -> Rules:
    """The rule of the claim, from the settings."""
    return Rules(
        threshold_ppm=settings.threshold_ppm,
        alpha=settings.alpha,
        min_items=settings.min_items,
        max_unresolved_ppm=settings.max_unresolved_ppm,
        planned_discordance_ppm=settings.planned_discordance_ppm,
        target_gain_ppm=settings.target_gain_ppm,
        min_power_ppm=settings.min_power_ppm,
        permutations=settings.permutations,
        seed=settings.seed,
        max_regressions=settings.max_regressions,
    )


def holdout_of(
    cleaned: Sequence[CleanedTrace],
    settings: DeltaOneSettings,
    retired: Container[str],
    types: FieldTypes | None = None,
) -> list[Item]:
    """The holdout items of the window that have not retired, at most ``max_items``, with the program's types.

    Only items with an expectation: against its own accepted outputs the
    baseline would agree with itself.
    """
    labelled = [trace for trace in cleaned if trace.label_source.startswith("expectation:")]
    return items_of(labelled, "holdout", settings.max_items, settings.seed, without=retired, types=types)


def report_day(bench: Bench, day: str, compiled: Mapping[str, Any], cleaned: Sequence[CleanedTrace]) -> Report:
    """Take the day's look and report it; without a candidate, say so and look at nothing.

    Args:
        bench: what the comparison is made with.
        day: the partition.
        compiled: the record of ``compiled_programs`` for the day.
        cleaned: the cleaned traces of the window.
    """
    spec, looks = bench.spec, bench.looks
    closed = looks.closed(spec.name, day)
    if closed is not None:
        return _shown(bench, json.loads(bench.get(closed.record)))
    if compiled["candidate"] is None:
        return _no_look(NO_CANDIDATE, f"No candidate to compare: {compiled['reason']}.")
    baseline, candidate = (Version(bench.get(compiled[side])) for side in ("baseline", "candidate"))
    prepared = prepare(bench, day, cleaned, baseline, candidate)
    ended = looks.concluded(prepared.request.look_key)
    if ended is not None:
        return _shown(bench, json.loads(bench.get(ended)))
    if len(prepared.items) < bench.settings.min_items:
        # Known before anything is asked: no look is spent on it.
        have, need = len(prepared.items), bench.settings.min_items
        return _no_look(TOO_FEW, f"{have} of the {need} held-out items that a look needs: wait for more corrections.")
    compared = compare(bench, prepared, baseline, candidate)
    record = _record(bench, compared, baseline, candidate)
    # With too many items unresolved nothing was decided: the same look may ask them again.
    if compared.decision.code != TOO_MANY_UNRESOLVED:
        looks.conclude(prepared.request.look_key, record["reached"], bench.put(canonical_json(record)))
    return _shown(bench, record)


def _record(bench: Bench, compared: Comparison, baseline: Version, candidate: Version) -> dict[str, Any]:
    extract = bench.looks.extract(bench.spec.name, compared.recorded.look_key)
    evidence = {
        "rows.jsonl": bench.put(compared.rows_document()),
        "report.json": bench.put(compared.report_document(rules_of(bench.settings))),
        "looks.json": bench.put(canonical_json(extract)),
        "baseline.json": baseline.digest,
        "candidate.json": candidate.digest,
    }
    public = public_view(compared.decision)
    return {
        "reached": compared.decision.reached,
        "code": public["code"],
        "sentence": public["sentence"],
        "candidate": candidate.digest,
        "public": public,
        "evidence": evidence,
    }


def _shown(bench: Bench, record: dict[str, Any]) -> Report:
    """A record with its Markdown, figure and numbers, from the evidence."""
    report = json.loads(bench.get(record["evidence"]["report.json"]))
    rows = [
        PairedItem.from_record(json.loads(line)) for line in bench.get(record["evidence"]["rows.jsonl"]).splitlines()
    ]
    decision, look = Decision.from_record(report["decision"]), Look.from_record(report["look"])
    context = ReportContext(bench.spec.name, bench.spec.metric_name, look, rows)
    shown = ("delta_ppm", "baseline_ppm", "candidate_ppm", "lower_ppm", "n", "unresolved", "k")
    metrics = {name: float(record["public"][name]) for name in shown if record["public"].get(name) is not None}
    return Report(record, markdown(decision, context), forest_plot(decision), metrics)


def prepare(bench: Bench, day: str, cleaned: Sequence[CleanedTrace], baseline: Version, candidate: Version) -> Prepared:
    """Find what the day's look would be at: items that have not retired. Nothing is asked or recorded."""
    spec, settings = bench.spec, bench.settings
    look_key = digest_of(
        {
            "program": spec.name,
            "day": day,
            "holdout": dataset_digest(holdout_of(cleaned, settings, ())),
            "baseline": baseline.digest,
            "candidate": candidate.digest,
            "metric": spec.metric_digest,
            "lm": bench.lm.identity,
            "rules": rules_of(settings).to_record(),
        }
    )
    epoch, retired_lists = bench.looks.epoch(spec.name, look_key)
    retired = {cluster for digest in retired_lists for cluster in json.loads(bench.get(digest))}
    request = LookRequest(
        spec.name, day, baseline.digest, candidate.digest, spec.metric_digest, settings.alpha, look_key
    )
    return Prepared(request, epoch, holdout_of(cleaned, settings, retired, spec.types))


def compare(bench: Bench, prepared: Prepared, baseline: Version, candidate: Version) -> Comparison:
    """Record the look, then score both programs on its items, then decide."""
    spec, items = bench.spec, prepared.items
    item_list = bench.put(canonical_json(sorted(item.cluster for item in items)))
    bench.looks.record(prepared.request, prepared.epoch, item_list)
    recorded = bench.looks.begin(prepared.request.look_key, prepared.epoch)
    number = recorded.k or 0
    bench.say(f"look {number} at the holdout: {len(items)} items")
    rows = paired(
        baseline.module(spec), candidate.module(spec), items, spec.metric, bench.lm, _every_hundred(bench.say)
    )
    look = Look(number, recorded.item_list, baseline.digest, candidate.digest, spec.metric_digest)
    return Comparison(recorded, look, rows, decide(rows, rules_of(bench.settings), look))


def _no_look(code: str, sentence: str) -> Report:
    record = {"reached": False, "code": code, "sentence": sentence, "public": {}, "evidence": {}, "candidate": None}
    return Report(record, sentence, None, {})


def decide_again(evidence: Mapping[str, str], get: Callable[[str], bytes]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The stored decision, and the one that the stored rows give."""
    report = json.loads(get(evidence["report.json"]))
    rows = [PairedItem.from_record(json.loads(line)) for line in get(evidence["rows.jsonl"]).splitlines()]
    again = decide(rows, Rules.from_record(report["rules"]), Look.from_record(report["look"]))
    return decided(report["decision"]), decided(again.to_record())


def _every_hundred(say: Callable[[str], None]) -> Callable[[str, int, int], None]:
    def progress(side: str, done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            say(f"{side}: {done} of {total} holdout items answered")

    return progress
