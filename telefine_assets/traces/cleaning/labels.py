"""What the right output of a trace is, and who says so."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.settings.traces import AuditSettings, CleaningSettings
from telefine_assets.traces.cleaning.annotations import FieldTypes
from telefine_assets.traces.cleaning.reading import read_said
from telefine_assets.traces.fields import Fields
from telefine_assets.traces.records import Assessment


@dataclass(frozen=True, slots=True)
class Label:
    """Right output values, and who says so."""

    values: dict[str, Any]
    source: str
    """``expectation:<who>`` or ``output:<feedback>``."""
    audited: bool
    """Whether the trusted rater gave all of it."""


def is_rater(assessment: Assessment, audit: AuditSettings | None) -> bool:
    """Whether the trusted rater said it: the source id alone could be anybody's, or a judge's."""
    if audit is None:
        return False
    return assessment.source_id == audit.rater and assessment.source_type == audit.source_type


def latest(assessments: Iterable[Assessment]) -> Assessment:
    """The last word; two of one moment have an order too, so that the order of rows does not decide."""
    return max(assessments, key=lambda each: (each.create_time_ms, each.assessment_id or "", each.value or ""))


def expectations_on(
    assessed: Sequence[Assessment], name: str, settings: CleaningSettings, types: FieldTypes
) -> list[tuple[Assessment, Any]]:
    """The expectations that say what an output field should be, with their values.

    One without a value says nothing, except where the field may be none (see ``FieldTypes.expected``); NaN is no
    right answer.
    """
    wanted = settings.expectations.get(name)
    if wanted is None:
        return []
    about = [each for each in assessed if each.kind == "expectation" and each.name == wanted]
    read = [(each, types.expected(name, read_said(each.value))) for each in about]
    return [(each, value) for each, value in read if not types.lacks(name, value) and not _is_no_number(value)]


def takes_null(settings: CleaningSettings, types: FieldTypes) -> frozenset[str]:
    """The expectations that may say null: MLflow has it as a text, which all their output fields read as null."""
    named = settings.expectations.items()
    return frozenset(wanted for _, wanted in named if all(types.reads_null(of) for of, each in named if each == wanted))


def expected_label(about: Mapping[str, Sequence[tuple[Assessment, Any]]], audit: AuditSettings | None) -> Label | None:
    """The label that expectations give, if they say all of it.

    For each output field the trusted rater's word goes before others', and
    the latest of several counts. ``about`` has the expectations by field.
    """
    if not all(about.values()):
        return None
    values: dict[str, Any] = {}
    sources: set[str] = set()
    audited = True
    for name, said in about.items():
        by_rater = [each for each, _ in said if is_rater(each, audit)]
        last = latest(by_rater or [each for each, _ in said])
        values[name] = next(value for each, value in said if each is last)
        sources.add(f"{last.source_type}:{last.source_id}")
        audited = audited and bool(by_rater)
    return Label(values, "expectation:" + ",".join(sorted(sources)), audited)


def output_label(outputs: Any, fields: Fields, scored_by: Iterable[str]) -> Label:
    """The program's own output as a label; its values may yet turn out to be missing or wrong."""
    found = outputs if isinstance(outputs, dict) else {}
    values = {name: found[name] for name in fields.outputs if name in found}
    return Label(values, "output:" + "+".join(scored_by), audited=False)


def _is_no_number(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
