"""From logged traces to traces that may be learnt from, with a count and a sample for every drop.

Rules are tried in the order of :data:`RULES`; the first that objects names the
reason. What is kept carries its outcome, its label with the label's source, its
contributor, its content cluster and its split.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from telefine_assets.attribution.addresses import resolve_contributor
from telefine_assets.settings import AuditSettings, CleaningSettings, OutcomeSettings, SplitSettings
from telefine_assets.traces.clusters import cluster_of, normalised, split_of
from telefine_assets.traces.records import Assessment, CleanedTrace, Trace, json_text

PPM = 1_000_000
_SAMPLE = 5


@dataclass(frozen=True)
class Fields:
    """The program's input and output fields, in the signature's order."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Label:
    """Right output values, and who says so."""

    values: dict[str, Any]
    source: str
    """``expectation:<who>`` or ``output:<feedback>``."""
    quality_ppm: int
    audited: bool
    """Whether the trusted rater gave all of it."""


@dataclass(frozen=True)
class Checked:
    """What the trusted rater found about one contributor's labels."""

    checked: int
    wrong: int

    def careless(self, audit: AuditSettings | None) -> bool:
        """Whether so many of enough checked labels were wrong that the others cannot be trusted."""
        if audit is None or self.checked < audit.min_checked:
            return False
        return self.wrong * 100 > audit.max_wrong_percent * self.checked


@dataclass(frozen=True)
class DropReport:
    """What became of a day's traces: ``traces_in = kept + sum(dropped)``."""

    traces_in: int
    kept: int
    dropped: Mapping[str, int]
    samples: Mapping[str, Sequence[str]]
    """Up to five trace ids for each reason."""
    drops: Mapping[str, str] = field(repr=False)
    """Every dropped trace id with its reason."""
    audit: Mapping[str, Checked]
    """For each contributor (the wallet, or the tag that names none), what the trusted rater found."""
    careless: Sequence[str]
    """Contributors whose unchecked labels were dropped."""

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form."""
        return {
            "traces_in": self.traces_in,
            "kept": self.kept,
            "dropped": dict(self.dropped),
            "samples": {reason: list(ids) for reason, ids in self.samples.items()},
            "drops": dict(self.drops),
            "audit": {tag: {"checked": each.checked, "wrong": each.wrong} for tag, each in self.audit.items()},
            "careless": list(self.careless),
        }


@dataclass(frozen=True)
class _Candidate:
    trace: Trace
    inputs: Any
    outputs: Any
    score_ppm: int | None
    label: Label | None
    contributor: str | None
    fields: Fields
    settings: CleaningSettings
    careless: frozenset[str]


def _failed(each: _Candidate) -> bool:
    return each.trace.status != "OK"


def _inputs_missing(each: _Candidate) -> bool:
    return not isinstance(each.inputs, dict) or any(name not in each.inputs for name in each.fields.inputs)


def _inputs_empty(each: _Candidate) -> bool:
    values = (each.inputs[name] for name in each.fields.inputs)
    return any(value is None or (isinstance(value, str) and not value.strip()) for value in values)


def _inputs_too_long(each: _Candidate) -> bool:
    return len(each.trace.inputs or "") > each.settings.max_input_characters


def _outputs_missing(each: _Candidate) -> bool:
    return not isinstance(each.outputs, dict) or any(each.outputs.get(name) is None for name in each.fields.outputs)


def _unlabelled(each: _Candidate) -> bool:
    return each.label is None


def _untrusted_label(each: _Candidate) -> bool:
    return each.label is not None and not each.label.audited and _who(each.contributor) in each.careless


RULES: Mapping[str, Callable[[_Candidate], bool]] = {
    "failed": _failed,
    "inputs_missing": _inputs_missing,
    "inputs_empty": _inputs_empty,
    "inputs_too_long": _inputs_too_long,
    "outputs_missing": _outputs_missing,
    "unlabelled": _unlabelled,
    "untrusted_label": _untrusted_label,
}
"""Each rule says whether it objects to a trace. They are tried in this order."""


def clean(
    traces: Iterable[Trace], day: str, fields: Fields, settings: CleaningSettings, split: SplitSettings
) -> tuple[list[CleanedTrace], DropReport]:
    """Clean one day.

    Copies of an input stay, each with its contributor and time of arrival, so
    that the first one can be credited; a later stage learns from one trace of
    each cluster. The order of ``traces`` is irrelevant.
    """
    ordered = sorted(traces, key=lambda trace: (trace.request_time_ms, trace.trace_id))
    audit = audited(ordered, fields, settings)
    careless = frozenset(name for name, checked in audit.items() if checked.careless(settings.audit))
    kept: list[CleanedTrace] = []
    drops: dict[str, str] = {}
    for trace in ordered:
        candidate = _candidate(trace, fields, settings, careless)
        reason = next((name for name, objects in RULES.items() if objects(candidate)), None)
        if reason is None:
            kept.append(_keep(candidate, day, split))
        else:
            drops[trace.trace_id] = reason
    counts = Counter(drops.values())
    samples = {
        reason: [trace_id for trace_id, why in drops.items() if why == reason][:_SAMPLE] for reason in sorted(counts)
    }
    dropped = {name: counts[name] for name in sorted(counts)}
    return kept, DropReport(len(ordered), len(kept), dropped, samples, drops, audit, tuple(sorted(careless)))


def audited(traces: Iterable[Trace], fields: Fields, settings: CleaningSettings) -> dict[str, Checked]:
    """For each contributor: how many labels the trusted rater checked, and how many were wrong.

    A wallet is one contributor in whatever spelling it is tagged. Labels are
    compared without case and white space, which no metric should hang on.
    """
    if settings.audit is None:
        return {}
    result: dict[str, Checked] = {}
    for trace in traces:
        who = _who(trace.tag(settings.contributor_tag))
        said = [each for each in trace.assessed() if each.valid and each.kind == "expectation"]
        for name in fields.outputs:
            about = [each for each in said if each.name == settings.expectations.get(name)]
            rater = [each for each in about if each.source_id == settings.audit.rater]
            others = [each for each in about if each.source_id != settings.audit.rater]
            if who and rater and others:
                given, right = (normalised(_parsed(_latest(each).value)) for each in (others, rater))
                before, wrong = result.get(who, Checked(0, 0)), given != right
                result[who] = Checked(before.checked + 1, before.wrong + wrong)
    return dict(sorted(result.items()))


def _who(tag: str | None) -> str | None:
    """The wallet that a tag names, or the tag."""
    return resolve_contributor(tag).address or tag


def outcome_ppm(assessed: Sequence[Assessment], settings: OutcomeSettings | None) -> int | None:
    """The outcome on its declared range, in ppm; the mean of all raters.

    Booleans count as the ends of the range. What is not a finite number within
    the range says nothing: it is passed over, and with nothing left the outcome
    is None, which is not zero.
    """
    if settings is None:
        return None
    values = []
    for assessment in assessed:
        if assessment.kind != "feedback" or assessment.name != settings.feedback:
            continue
        value = _parsed(assessment.value)
        if isinstance(value, bool):
            value = settings.high if value else settings.low
        if isinstance(value, (int, float)) and settings.low <= value <= settings.high:
            values.append(round((value - settings.low) * PPM / (settings.high - settings.low)))
    return sum(values) // len(values) if values else None


def label_of(
    assessed: Sequence[Assessment], outputs: Any, score_ppm: int | None, fields: Fields, settings: CleaningSettings
) -> Label | None:
    """What the right output is, and who says so; None when nobody does.

    Expectations decide: the trusted rater's before others', the latest of
    several. Without them, an output whose outcome reached ``accept_at`` is a
    label, but one from the program itself: it may be learnt from, and never
    certifies.
    """
    rater = settings.audit.rater if settings.audit else None
    values: dict[str, Any] = {}
    sources: set[str] = set()
    checked = True
    for name in fields.outputs:
        wanted = settings.expectations.get(name)
        said = [each for each in assessed if each.kind == "expectation" and each.name == wanted]
        if said:
            last = _latest([each for each in said if each.source_id == rater] or said)
            values[name] = _parsed(last.value)
            sources.add(f"{last.source_type}:{last.source_id}")
            checked = checked and last.source_id == rater
    if len(values) == len(fields.outputs):
        return Label(values, "expectation:" + ",".join(sorted(sources)), PPM, checked)
    outcome = settings.outcome
    if outcome is None or outcome.accept_at is None or score_ppm is None or not isinstance(outputs, dict):
        return None
    needed = round((outcome.accept_at - outcome.low) * PPM / (outcome.high - outcome.low))
    if score_ppm < needed or not set(fields.outputs) <= set(outputs):
        return None
    return Label({name: outputs[name] for name in fields.outputs}, f"output:{outcome.feedback}", score_ppm, False)


def _latest(assessments: Sequence[Assessment]) -> Assessment:
    return max(assessments, key=lambda each: (each.create_time_ms, each.value))


def _candidate(trace: Trace, fields: Fields, settings: CleaningSettings, careless: frozenset[str]) -> _Candidate:
    assessed = [assessment for assessment in trace.assessed() if assessment.valid]
    outputs = _parsed(trace.outputs)
    score = outcome_ppm(assessed, settings.outcome)
    return _Candidate(
        trace=trace,
        inputs=_parsed(trace.inputs),
        outputs=outputs,
        score_ppm=score,
        label=label_of(assessed, outputs, score, fields, settings),
        contributor=trace.tag(settings.contributor_tag),
        fields=fields,
        settings=settings,
        careless=careless,
    )


def _keep(each: _Candidate, day: str, split: SplitSettings) -> CleanedTrace:
    if each.label is None:
        raise ValueError("a trace without a label passed the rules")
    inputs = {name: each.inputs[name] for name in each.fields.inputs}
    cluster = cluster_of(inputs)
    contributor = resolve_contributor(each.contributor)
    key = split.key.get_secret_value()
    return CleanedTrace(
        trace_id=each.trace.trace_id,
        trace_digest=each.trace.digest,
        day=day,
        arrival_ms=each.trace.request_time_ms,
        inputs=json_text(inputs),
        label=json_text(each.label.values),
        label_source=each.label.source,
        score_ppm=each.score_ppm,
        quality_ppm=each.label.quality_ppm,
        contributor=contributor.address,
        contributor_reason=None if contributor.reason is None else str(contributor.reason),
        cluster=cluster,
        split=split_of(cluster, key, split.validation_percent, split.holdout_percent),
    )


def _parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)
