"""Traces, assessments and settings for the tests of this folder."""

from dataclasses import asdict
from typing import Any

from telefine_assets.settings import AuditSettings, CleaningSettings, OutcomeSettings, SplitSettings
from telefine_assets.traces.cleaning import DropReport, Fields, clean
from telefine_assets.traces.records import Assessment, CleanedTrace, Trace, json_text

DAY = "2026-11-20"
FIELDS = Fields(("ticket",), ("team",))
ADA = "0x52908400098527886E0F7030069857D2E4169EE7"
BEN = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
RATER = "desk"
SETTINGS = CleaningSettings(
    outcome=OutcomeSettings(feedback="helpful", low=0, high=1, accept_at=0.8),
    expectations={"team": "right_team"},
    audit=AuditSettings(rater=RATER, min_checked=4, max_wrong_percent=34),
)
SPLIT = SplitSettings(key="a secret")


def feedback(value: Any, source: str = "ann", name: str = "helpful", at: int = 1, valid: bool = True) -> Assessment:
    text = value if isinstance(value, str) and value == "NaN" else json_text(value)
    return Assessment(name, "feedback", text, "HUMAN", source, at, valid)


def expectation(
    value: Any, source: str = "ann", name: str = "right_team", at: int = 1, valid: bool = True
) -> Assessment:
    return Assessment(name, "expectation", json_text(value), "HUMAN", source, at, valid)


def trace(
    number: int = 1,
    *said: Assessment,
    status: str = "OK",
    inputs: Any = "",
    outputs: Any = "",
    contributor: str | None = ADA,
    at: int | None = None,
) -> Trace:
    """A trace that passes if something is said of it; ``inputs=None`` and ``outputs=None`` mean none."""
    inputs = {"ticket": f"ticket {number}"} if inputs == "" else inputs
    outputs = {"team": "billing"} if outputs == "" else outputs
    return Trace(
        trace_id=f"tr-{number}",
        request_time_ms=1_000 + number if at is None else at,
        duration_ms=5,
        status=status,
        inputs=None if inputs is None else json_text(inputs),
        outputs=None if outputs is None else json_text(outputs),
        error=None,
        session=None,
        tags=json_text({} if contributor is None else {"telefine.contributor": contributor}),
        assessments=json_text(sorted((asdict(each) for each in said), key=json_text)),
    )


def cleaned(*traces: Trace, settings: CleaningSettings = SETTINGS) -> tuple[list[CleanedTrace], DropReport]:
    return clean(traces, DAY, FIELDS, settings, SPLIT)


def only(*traces: Trace, settings: CleaningSettings = SETTINGS) -> CleanedTrace:
    """The one trace that was kept."""
    kept, _ = cleaned(*traces, settings=settings)
    (one,) = kept
    return one


def why(one: Trace, settings: CleaningSettings = SETTINGS) -> str | None:
    """The reason for which a trace is dropped."""
    return cleaned(one, settings=settings)[1].drops.get(one.trace_id)
