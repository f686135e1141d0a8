"""One day's weights: from the candidate's demos and the traces of the window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from telefine_assets.attribution.facts import FACTS_FILE, recompute_weights, write_facts
from telefine_assets.attribution.usage import Arrival, UsedDemo
from telefine_assets.attribution.weights import WeightTable
from telefine_assets.traces.records import CleanedTrace


@dataclass(frozen=True)
class Weighed:
    """Weights, and the evidence file that they follow from."""

    table: WeightTable
    facts: bytes
    given: dict[str, int]
    """Cleaned traces of the window by wallet, used or not."""

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form, without the evidence."""
        return {"weights": self.table.to_record(), "given": self.given}


def weigh(demos: Iterable[Mapping[str, Any]], cleaned: Iterable[CleanedTrace]) -> Weighed:
    """Weigh the contributors of a candidate.

    Args:
        demos: records of ``programs.provenance.Demo``.
        cleaned: the cleaned traces of the window, copies included.
    """
    used = [UsedDemo(demo["cluster"], demo["trace_id"], demo["quality_ppm"]) for demo in demos]
    arrivals = []
    given: dict[str, int] = {}
    for trace in cleaned:
        arrivals.append(
            Arrival(trace.cluster, trace.trace_id, trace.contributor, trace.contributor_reason, trace.arrival_ms)
        )
        payee = trace.contributor or f"unresolved:{trace.contributor_reason}"
        given[payee] = given.get(payee, 0) + 1
    facts = write_facts(used, arrivals)
    # From the bytes that are kept, so that what a verifier recomputes is what was decided.
    return Weighed(recompute_weights(facts), facts, dict(sorted(given.items())))


def weigh_day(
    compiled: Mapping[str, Any], cleaned: Iterable[CleanedTrace], put: Callable[[bytes], str]
) -> dict[str, Any]:
    """Weigh the contributors of a day's candidate and keep the facts as evidence; returns the stage's record."""
    weighed = weigh(compiled["demos"], cleaned)
    return {
        "candidate": compiled["candidate"],
        **weighed.to_record(),
        "evidence": {FACTS_FILE: put(weighed.facts)},
    }
