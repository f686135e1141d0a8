"""What metrics say of the days that were made: traces by what became of them, outcomes, contributors.

A day is made again when feedback comes late, so these are gauges and no counters. A record can be large,
since it names every trace that was dropped: it is read once, and only its numbers are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client.core import GaugeMetricFamily as Measured
from prometheus_client.core import Metric

from telefine_assets.store.records import RecordStore

if TYPE_CHECKING:
    from telefine_assets.api.deployment import Deployment

PPM = 1_000_000
_WITH_OUTCOME = ("compiled_programs", "attestations", "champions", "contributor_payouts")
_NUMBERS = ("traces_in", "kept", "dropped", "outcome")
_ALL_DAYS, _NEWEST = "all", "newest"
_HOUR = 3600.0


@dataclass(frozen=True)
class Days:
    """What the records of one program say.

    Attributes:
        loaded: traces, for all days and for the newest.
        kept: those of them that may be learnt from.
        dropped: the others, by rule.
        outcomes: days by stage and outcome.
        scores: of the newest compile, by contender's place (``baseline``, ``best``), as a ratio.
        contributors: to whom the newest candidate's weights go.
        escrow: the part of them that goes to nobody, as a ratio.
    """

    loaded: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    dropped: dict[tuple[str, str], int] = field(default_factory=dict)
    outcomes: dict[tuple[str, str], int] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    contributors: int | None = None
    escrow: float | None = None


class DaysReader:
    """Reads the days of one deployment, each again only when its record is another."""

    def __init__(self, here: Deployment, monotonic: Callable[[], float]) -> None:
        """Read those of ``here``; ``monotonic`` is a clock that only goes forward, in seconds."""
        self._here, self._monotonic = here, monotonic
        self._local, self._store = "://" not in here.files.uri, RecordStore(here.files)
        self._known: dict[tuple[str, str, str], tuple[Hashable, dict[str, Any]]] = {}

    def read(self) -> dict[str, Days]:
        """What the records of every program say."""
        return {program: self._read(program) for program in self._here.settings.programs}

    def _read(self, program: str) -> Days:
        found = Days()
        reports = [report for report in self._numbers(program, "cleaned_traces") if "traces_in" in report]
        for span, chosen in ((_ALL_DAYS, reports), (_NEWEST, reports[-1:])):
            found.loaded[span] = sum(each["traces_in"] for each in chosen)
            found.kept[span] = sum(each["kept"] for each in chosen)
            dropped: Counter[str] = sum((Counter(each["dropped"]) for each in chosen), Counter())
            found.dropped.update({(span, rule): count for rule, count in dropped.items()})
        for stage in _WITH_OUTCOME:
            counts = Counter(each.get("outcome", "unknown") for each in self._numbers(program, stage))
            found.outcomes.update({(stage, outcome): count for outcome, count in counts.items()})
        return _with_newest(self._here, program, found)

    def _numbers(self, program: str, stage: str) -> list[dict[str, Any]]:
        """Of every day, oldest first."""
        days = self._here.records.days(program, stage)
        return [self._of_day((program, stage, day), day == days[-1]) for day in days]

    def _of_day(self, what: tuple[str, str, str], newest: bool) -> dict[str, Any]:
        stamp = self._stamp(what, newest)
        known = self._known.get(what)
        if known is None or known[0] != stamp:
            record = self._store.find(*what) or {}
            known = self._known[what] = stamp, {name: record[name] for name in _NUMBERS if name in record}
        return known[1]

    def _stamp(self, what: tuple[str, str, str], newest: bool) -> Hashable:
        """Changes when the record does; in an object store, which does not say so cheaply, now and then."""
        if self._local:
            return self._here.records.stamp_of(*what)
        return self._monotonic() if newest else self._monotonic() // _HOUR


def _with_newest(here: Deployment, program: str, found: Days) -> Days:
    compiled = _newest(here, program, "compiled_programs").get("standings") or []
    scores = {each.get("name"): each["mean_ppm"] / PPM for each in compiled if each.get("mean_ppm") is not None}
    if "baseline" in scores:
        found.scores["baseline"] = scores["baseline"]
    if scores:
        found.scores["best"] = max(scores.values())
    weights = _newest(here, program, "contributor_weights").get("weights")
    if not weights:
        return found
    held = sum(each["weight_ppm"] for each in weights["escrow"]) / PPM
    return Days(**{**vars(found), "contributors": len(weights["lines"]), "escrow": held})


def _newest(here: Deployment, program: str, stage: str) -> dict[str, Any]:
    days = here.records.days(program, stage)
    return (here.records.find(program, stage, days[-1]) or {}) if days else {}


def days_families(found: dict[str, Days]) -> Iterable[Metric]:
    """The families of metrics."""
    return [*_of_traces(found), *_of_outcomes(found), *_of_candidates(found)]


def _of_traces(found: dict[str, Days]) -> Iterable[Metric]:
    labels = ["program", "days"]
    loaded = Measured(
        "telefine_traces", "Traces that were loaded and judged, of all days and the newest.", labels=labels
    )
    kept = Measured("telefine_traces_kept", "Loaded traces that may be learnt from.", labels=labels)
    dropped = Measured("telefine_traces_dropped", "Loaded traces that may not, by rule.", labels=[*labels, "rule"])
    for program, days in found.items():
        for span, count in days.loaded.items():
            loaded.add_metric([program, span], count)
            kept.add_metric([program, span], days.kept[span])
        for (span, rule), count in days.dropped.items():
            dropped.add_metric([program, span, rule], count)
    return loaded, kept, dropped


def _of_outcomes(found: dict[str, Days]) -> Iterable[Metric]:
    outcomes = Measured(
        "telefine_stage_outcomes", "Days by what came of a stage.", labels=["program", "stage", "outcome"]
    )
    for program, days in found.items():
        for (stage, outcome), count in days.outcomes.items():
            outcomes.add_metric([program, stage, outcome], count)
    return [outcomes]


def _of_candidates(found: dict[str, Days]) -> Iterable[Metric]:
    score = Measured(
        "telefine_compile_score_ratio",
        "Mean validation score of the newest compile. No evidence of a gain: the best of many is lucky.",
        labels=["program", "contender"],
    )
    people = Measured("telefine_weighted_contributors", "Wallets in the newest weights.", labels=["program"])
    escrow = Measured("telefine_weights_escrow_ratio", "Part of the newest weights in escrow.", labels=["program"])
    for program, days in found.items():
        for contender, value in days.scores.items():
            score.add_metric([program, contender], value)
        if days.contributors is not None and days.escrow is not None:
            people.add_metric([program], days.contributors)
            escrow.add_metric([program], days.escrow)
    return score, people, escrow
