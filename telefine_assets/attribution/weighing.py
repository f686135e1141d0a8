"""One day's weights: from the candidate's demos and the traces of the window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from telefine_assets.attribution.addresses import Unresolved
from telefine_assets.attribution.arrivals import Register
from telefine_assets.attribution.facts import FACTS_FILE, Facts, read_facts, values_of, weights_of, write_facts
from telefine_assets.attribution.trials import Trials
from telefine_assets.attribution.usage import UNSIGNED, UsedDemo
from telefine_assets.attribution.weights import WeightTable
from telefine_assets.errors import TelefineError
from telefine_assets.settings.attribution import AttributionSettings
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


@dataclass(frozen=True)
class _Gone:
    """The trace of an inherited demo that has left the window: before all that are in it."""

    trace_id: str
    cluster: str
    content: str
    contributor: str | None
    contributor_reason: str | None
    arrival_ms: int = 0

    @classmethod
    def of(cls, demo: Mapping[str, Any]) -> _Gone:
        who = demo["contributor"]
        return cls(demo["trace_id"], demo["cluster"], demo["content"], who, None if who else str(Unresolved.MISSING))


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
    demos = list(demos)
    used = [UsedDemo(demo["cluster"], demo["trace_id"], demo["quality_ppm"]) for demo in demos]
    shown = {demo.trace_id: demo.cluster for demo in used}
    clusters = set(shown.values())
    concerned = []
    given: dict[str, int] = {}
    for trace in cleaned:
        # An id that stands for another content by now is not the demo's trace any more.
        if trace.cluster in clusters and shown.get(trace.trace_id, trace.cluster) == trace.cluster:
            concerned.append(trace)
        payee = trace.contributor or f"unresolved:{trace.contributor_reason}"
        given[payee] = given.get(payee, 0) + 1
    seen = {trace.trace_id for trace in concerned}
    gone = {demo["trace_id"]: _Gone.of(demo) for demo in demos if demo["trace_id"] not in seen}
    facts = write_facts(used, register.arrivals([*concerned, *gone.values()]), register.scope, trials)
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


class FactsRefused(TelefineError):
    """Stored facts are not what they were made from."""


def check_facts(facts: Facts, register: Register, settings: AttributionSettings, again: bool = False) -> None:
    """Refuse facts that a changed store would have signed: they must be what log and settings say.

    Args:
        facts: as stored.
        register: of the ledger.
        settings: how the program weighs.
        again: of an attestation that is issued again. What was logged since the first has no part in it; that
            none is missing of what had one is seen by the first's facts (``attestation.reissued``).

    Raises:
        FactsRefused: naming what differs.
    """
    contents = {each.content for each in facts.arrivals if each.content is not None}
    logged = set(register.signed(contents))
    stated = {(each.content, each.submission) for each in facts.arrivals if each.submission is not None}
    if not stated <= logged or (logged - stated and not again):
        raise FactsRefused(
            f"{FACTS_FILE}: has {len(stated)} submissions, the log has {len(logged)} for these contents, and they are "
            "not the same: materialise contributor_weights again"
        )
    reasons = {each.reason for each in facts.arrivals if each.submission is None}
    if (None if settings.unsigned == "escrow" else UNSIGNED) in reasons:
        raise FactsRefused(
            f"{FACTS_FILE}: attribution.unsigned = {settings.unsigned!r}, and it says otherwise: set it back, or "
            "materialise contributor_weights again"
        )
    wanted = None
    if settings.method == "shapley" and facts.demos:
        wanted = (settings.shapley.coalitions, settings.shapley.seed)
    found = (facts.trials.rules.budget, facts.trials.rules.seed) if facts.trials else None
    if found != wanted:
        raise FactsRefused(
            f"{FACTS_FILE}: was made with coalitions and seed {found or 'of no trials'}, attribution says "
            f"{wanted or 'usage'}: set attribution back, or materialise contributor_weights again"
        )


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
