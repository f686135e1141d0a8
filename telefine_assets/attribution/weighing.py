"""One day's weights: from the candidate's demos and the traces of the window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from telefine_assets.attribution.arrivals import Register
from telefine_assets.attribution.facts import FACTS_FILE, Facts, read_facts, values_of, weights_of, write_facts
from telefine_assets.attribution.trials import Trials
from telefine_assets.attribution.usage import UsedDemo
from telefine_assets.attribution.weights import WeightTable
from telefine_assets.traces.records import CleanedTrace


@dataclass(frozen=True)
class Weighed:
    """Weights, and the evidence file that they follow from."""

    table: WeightTable
    facts: bytes
    given: dict[str, int]
    """Cleaned traces of the window by wallet, used or not."""
    worth: list[dict[str, Any]] | None
    """Of each cluster, where what demos are worth was tried: ``value_ppm`` and ``error_ppm``, means over the items."""

    def to_record(self) -> dict[str, Any]:
        """Canonical JSON form, without the evidence."""
        return {"weights": self.table.to_record(), "given": self.given, "worth": self.worth}


def weigh(
    demos: Iterable[Mapping[str, Any]],
    cleaned: Iterable[CleanedTrace],
    register: Register,
    trials: Trials | None = None,
) -> Weighed:
    """Weigh the contributors of a candidate.

    Args:
        demos: records of ``programs.provenance.Demo``.
        cleaned: the cleaned traces of the window, copies included.
        register: where submissions are looked up.
        trials: what the demos' coalitions scored; None where demos count by use.
    """
    used = [UsedDemo(demo["cluster"], demo["trace_id"], demo["quality_ppm"]) for demo in demos]
    clusters = {demo.cluster for demo in used}
    concerned = []
    given: dict[str, int] = {}
    for trace in cleaned:
        if trace.cluster in clusters:
            concerned.append(trace)
        payee = trace.contributor or f"unresolved:{trace.contributor_reason}"
        given[payee] = given.get(payee, 0) + 1
    facts = write_facts(used, register.arrivals(concerned), register.scope, trials)
    # From the bytes that are kept, so that what a verifier recomputes is what was decided.
    kept = read_facts(facts)
    return Weighed(weights_of(kept), facts, dict(sorted(given.items())), _worth(kept))


def _worth(facts: Facts) -> list[dict[str, Any]] | None:
    values = values_of(facts)
    if values is None or facts.trials is None:
        return None
    items = len(facts.trials.judged)
    return [
        {"cluster": line.cluster, "value_ppm": line.value_ppm // items, "error_ppm": -(-line.error_ppm // items)}
        for line in values.lines
    ]


def weigh_day(
    compiled: Mapping[str, Any],
    cleaned: Iterable[CleanedTrace],
    put: Callable[[bytes], str],
    register: Register,
    trials: Trials | None = None,
) -> dict[str, Any]:
    """Weigh the contributors of a day's candidate and keep the facts as evidence; returns the stage's record."""
    weighed = weigh(compiled["demos"], cleaned, register, trials)
    return {
        "candidate": compiled["candidate"],
        **weighed.to_record(),
        "evidence": {FACTS_FILE: put(weighed.facts)},
    }
