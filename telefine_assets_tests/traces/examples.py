"""Traces, assessments and settings for the tests of this folder."""

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa

from telefine_assets.settings.schema import SplitSettings
from telefine_assets.settings.traces import (
    AuditSettings,
    CleaningSettings,
    NearDuplicateSettings,
    OutcomeSettings,
    OutlierSettings,
)
from telefine_assets.traces.cleaning.pipeline import CleanedDay, clean_day
from telefine_assets.traces.cleaning.report import DropReport
from telefine_assets.traces.fields import Fields
from telefine_assets.traces.records import (
    Assessment,
    CleanedTrace,
    Trace,
    json_text,
    row_digest,
    table_to_cleaned,
    trace_schema,
)

DAY = "2026-11-20"
FIELDS = Fields(("ticket",), ("team",))
ADA = "0x52908400098527886E0F7030069857D2E4169EE7"
BEN = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
RATER = "desk"
HELPFUL = OutcomeSettings(feedback="helpful")
SETTINGS = CleaningSettings(
    outcomes=(HELPFUL,),
    accept_outputs_at=0.8,
    expectations={"team": "right_team"},
    audit=AuditSettings(rater=RATER, min_checked=4, max_wrong_percent=34),
    near_duplicates=NearDuplicateSettings(enabled=False),
    outliers=OutlierSettings(method="off"),
)
SPLIT = SplitSettings(key="a secret")


def settings_with(**changes: Any) -> CleaningSettings:
    """The settings of these tests, changed and checked again."""
    return CleaningSettings.model_validate(
        {**{name: getattr(SETTINGS, name) for name in SETTINGS.model_fields_set}, **changes}
    )


def feedback(
    value: Any,
    source: str | None = "ann",
    name: str = "helpful",
    at: int = 1,
    valid: bool = True,
    kind: str = "HUMAN",
    assessment_id: str | None = None,
) -> Assessment:
    """What somebody said of a trace; ``Text`` is stored as it stands, all else as JSON."""
    return Assessment(name, "feedback", _stored(value), kind, source, at, valid, assessment_id)


def expectation(
    value: Any,
    source: str | None = "ann",
    name: str = "right_team",
    at: int = 1,
    valid: bool = True,
    kind: str = "HUMAN",
    assessment_id: str | None = None,
) -> Assessment:
    """What somebody says the right output is."""
    return Assessment(name, "expectation", _stored(value), kind, source, at, valid, assessment_id)


class Text(str):
    """Text that is stored as it is, whatever JSON thinks of it."""


def _stored(value: Any) -> str | None:
    return str(value) if isinstance(value, Text) else json_text(value)


def trace(
    number: int = 1,
    *said: Assessment,
    status: str = "OK",
    inputs: Any = "",
    outputs: Any = "",
    contributor: str | None = ADA,
    at: int | None = None,
    tags: dict[str, Any] | None = None,
    **changes: Any,
) -> Trace:
    """A trace that passes if something is said of it; ``inputs=None`` and ``outputs=None`` mean none."""
    inputs = {"ticket": f"ticket {number}"} if inputs == "" else inputs
    outputs = {"team": "billing"} if outputs == "" else outputs
    named = {} if contributor is None else {"telefine.contributor": contributor}
    return sealed(
        Trace(
            trace_id=f"tr-{number}",
            request_time_ms=1_000 + number if at is None else at,
            duration_ms=5,
            status=status,
            inputs=None if inputs is None else _stored(inputs),
            outputs=None if outputs is None else _stored(outputs),
            error=None,
            session=None,
            version=None,
            tokens=None,
            tags=json_text({**named, **(tags or {})}),
            assessments=json.dumps([asdict(each) for each in said]),
            spans=None,
            fingerprint="",
            digest="",
        ),
        **changes,
    )


def sealed(one: Trace, **changes: Any) -> Trace:
    """The trace, changed, with the digests that belong to it."""
    changed = replace(one, **changes)
    values = {name: value for name, value in asdict(changed).items() if name not in ("fingerprint", "digest")}
    seen = (changed.status, changed.tags, changed.assessments)
    return replace(changed, fingerprint=row_digest(seen), digest=row_digest(values.values()))


def batches_of(traces: Iterable[Trace], size: int = 7) -> list[pa.RecordBatch]:
    """The traces as a source gives them, few at a time."""
    rows = [asdict(each) for each in traces]
    return pa.Table.from_pylist(rows, trace_schema()).to_batches(max_chunksize=size)


def clean(*traces: Trace, settings: CleaningSettings = SETTINGS, fields: Fields = FIELDS, **more: Any) -> CleanedDay:
    """A day of these traces, cleaned."""
    return clean_day(batches_of(traces), DAY, fields, settings, SPLIT, **more)


def cleaned(
    *traces: Trace, settings: CleaningSettings = SETTINGS, fields: Fields = FIELDS
) -> tuple[list[CleanedTrace], DropReport]:
    """What is kept of a day, and what became of the rest."""
    day = clean(*traces, settings=settings, fields=fields)
    return table_to_cleaned(day.table), day.report


def only(*traces: Trace, settings: CleaningSettings = SETTINGS, fields: Fields = FIELDS) -> CleanedTrace:
    """The one trace that was kept."""
    kept, _ = cleaned(*traces, settings=settings, fields=fields)
    (one,) = kept
    return one


def why(one: Trace, settings: CleaningSettings = SETTINGS, fields: Fields = FIELDS) -> str | None:
    """The reason for which a trace is dropped."""
    return cleaned(one, settings=settings, fields=fields)[1].drops.get(one.trace_id)
