"""A day's report and its record: the look is taken, or the day says why there is none."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.canonical import canonical_json
from telefine_assets.deltaone import regressions
from telefine_assets.deltaone.bench import Bench
from telefine_assets.deltaone.comparing import Compared, Outcome, rows_document, take
from telefine_assets.deltaone.decision import public_view
from telefine_assets.deltaone.holdout import Prepared, prepare
from telefine_assets.deltaone.records import PairedItem
from telefine_assets.deltaone.report import Amend, about, as_it_is, context_of, rendered, reopened
from telefine_assets.programs.datasets import dataset_digest
from telefine_assets.programs.versions import Version
from telefine_assets.traces.records import CleanedTrace

NO_CANDIDATE = "no_candidate"
TOO_MANY_UNRESOLVED = "too_many_unresolved"

SHOWN = ("delta_ppm", "baseline_ppm", "candidate_ppm", "lower_ppm", "n", "unresolved", "k")
"""What of the public result are metrics of the day's MLflow run."""


@dataclass(frozen=True)
class Report:
    """A day's report. What it shows is what may be shown while the holdout lives."""

    record: dict[str, Any]
    markdown: str
    figure: bytes | None
    html: bytes | None
    metrics: dict[str, float]


def report_day(
    bench: Bench, day: str, compiled: Mapping[str, Any], cleaned: Sequence[CleanedTrace], amend: Amend = as_it_is
) -> Report:
    """The day's record (see ``record_day``) with its pages and pictures, on which ``amend`` says what stands now."""
    return _shown(bench, record_day(bench, day, compiled, cleaned), amend)


def record_day(bench: Bench, day: str, compiled: Mapping[str, Any], cleaned: Sequence[CleanedTrace]) -> dict[str, Any]:
    """Take the day's look and record what came of it; without a candidate, say so and look at nothing.

    Args:
        bench: what the comparison is made with.
        day: the partition.
        compiled: the record of ``compiled_programs`` for the day.
        cleaned: the cleaned traces of the window.
    """
    closed = bench.looks.closed(bench.spec.name, day)
    if closed is not None:
        return _stored(bench, closed.record)
    if compiled["candidate"] is None:
        return _no_candidate(compiled) | _about(bench)
    baseline, candidate = (Version(bench.get(compiled[side])) for side in ("baseline", "candidate"))
    prepared = prepare(bench, day, cleaned, baseline, candidate)
    ended = bench.looks.concluded(prepared.request.look_key)
    if ended is not None:
        return _stored(bench, ended)
    outcome = take(bench, prepared)
    record = _record(bench, prepared, outcome)
    if isinstance(outcome.result, Compared) and _is_decided(outcome.result):
        bench.looks.conclude(prepared.request.look_key, record["reached"], bench.put(canonical_json(record)))
    return record


def _stored(bench: Bench, digest: str) -> dict[str, Any]:
    return dict(json.loads(bench.get(digest)))


def _is_decided(compared: Compared) -> bool:
    """With too many items unresolved nothing was decided: the same look may ask them again."""
    return compared.decision.code != TOO_MANY_UNRESOLVED


def _about(bench: Bench) -> dict[str, Any]:
    """What a page about the day says of the settings: those of the day, whatever they become."""
    return {"about": about(bench.spec.metric_name, bench.settings, bench.rules)}


def _no_candidate(compiled: Mapping[str, Any]) -> dict[str, Any]:
    sentence = f"No candidate to compare: {compiled['reason']}."
    return _refused(NO_CANDIDATE, sentence) | {
        "baseline": compiled["baseline"],
        "candidate": None,
        "labels": {},
        "asked_with": {},
        "regressions": None,
    }


def _refused(code: str, sentence: str) -> dict[str, Any]:
    """The part of a record that says what came of a look, where none was taken."""
    return {"reached": False, "code": code, "sentence": sentence, "public": {}, "evidence": {}, "history": []}


def _record(bench: Bench, prepared: Prepared, outcome: Outcome) -> dict[str, Any]:
    """The day's record: everything that later stages and readers need, and no score of a living holdout."""
    result = outcome.result
    if isinstance(result, Compared):
        came_of_it = _compared(bench, prepared, result)
    else:
        came_of_it = _refused(result.code, result.sentence)
    return (
        came_of_it
        | _about(bench)
        | {
            "baseline": prepared.baseline.digest,
            "candidate": prepared.candidate.digest,
            "labels": prepared.holdout.labels(),
            "asked_with": _asked_with(bench, prepared),
            "regressions": _regressions(bench, outcome.retired),
        }
    )


def _regressions(bench: Bench, retired: Sequence[PairedItem]) -> dict[str, Any] | None:
    """What the regression set shows, with the digest of all of its rows."""
    found = regressions.found(retired, bench.rules)
    return None if found is None else found | {"rows": bench.put(rows_document(retired))}


def _compared(bench: Bench, prepared: Prepared, compared: Compared) -> dict[str, Any]:
    public = public_view(compared.decision)
    evidence = _documents(bench, prepared, compared)
    return {
        "reached": compared.decision.reached,
        "code": public["code"],
        "sentence": public["sentence"],
        "public": public,
        "evidence": {name: bench.put(document) for name, document in evidence.items()},
        "history": _history(bench, prepared, compared),
    }


def _documents(bench: Bench, prepared: Prepared, compared: Compared) -> dict[str, bytes]:
    """The evidence of a look that was scored."""
    blind = hmac.new(bench.key.get_secret_value().encode(), prepared.request.look_key.encode(), "sha256").hexdigest()
    report = {
        # A result is one of few: without this, whoever reads its digest could try them all.
        "blind": blind,
        "decision": compared.decision.to_record(),
        "rules": bench.rules.to_record(),
        "look": compared.look.to_record(),
        "asked_with": _asked_with(bench, prepared),
        "metric_name": bench.spec.metric_name,
    }
    return {
        "rows.jsonl": rows_document(compared.rows),
        "report.json": canonical_json(report),
        "looks.json": canonical_json(bench.looks.extract(bench.spec.name, prepared.request.look_key)),
        "baseline.json": prepared.baseline.document,
        "candidate.json": prepared.candidate.document,
    }


def _history(bench: Bench, prepared: Prepared, compared: Compared) -> list[dict[str, object]]:
    """The epoch's looks, with what came of this one, which the ledger does not know yet."""
    *earlier, this = bench.looks.history(bench.spec.name, prepared.request.look_key)
    return [*earlier, this | {"reached": compared.decision.reached if _is_decided(compared) else None}]


def _asked_with(bench: Bench, prepared: Prepared) -> dict[str, Any]:
    """What decides the answers and their scores: models with their parameters, data, metrics, code."""
    spec = bench.spec
    metrics = {"metric": spec.metric} | {f"guardrails.{name}": metric for name, metric in spec.guardrails.items()}
    return {
        "lm": bench.lm.identity,
        "judges": {name: metric.judge_lm.identity for name, metric in metrics.items() if metric.judge_lm},
        "dataset": dataset_digest(prepared.holdout.items),
        "metric": spec.metric_digest,
        "guardrails": {name: metric.digest for name, metric in spec.guardrails.items()},
        "code": spec.code_digest,
    }


def _shown(bench: Bench, record: dict[str, Any], amend: Amend) -> Report:
    """A record as people see it."""
    context = context_of(bench.spec.name, record)
    markdown, figure, html = rendered(record, *reopened(record, bench.get, context), amend)
    public = record["public"]
    metrics = {name: float(public[name]) for name in SHOWN if public.get(name) is not None}
    return Report(record, markdown, figure, html, metrics)
