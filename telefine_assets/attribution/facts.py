"""The evidence file of the weights: the facts from which anybody can recompute them.

``attribution.json`` is canonical JSON::

    {"demos":    [{"cluster", "trace_id", "quality_ppm"}, ...],
     "arrivals": [{"cluster", "trace_id", "contributor", "reason", "arrival_ms", "content",
                   "submission": null, or {"contributor", "time", "salt", "signature",
                                           "position", "received_ms"}}, ...],
     "origin":   the deployment, "program": its program; submissions are for these alone
     "trials":   null, or what the demos' coalitions scored: then the method is shapley,
     "withdrawn": [cluster, ...], ascending; only where some were: their parts are in escrow}

Rows are sorted by trace id and given once, so that the same facts are the same
bytes in whatever order they were found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from telefine_assets.attribution.arrivals import arrival_record, read_arrival, verify_arrivals
from telefine_assets.attribution.records import Fields, RecordError, load_json
from telefine_assets.attribution.shapley import METHOD as SHAPLEY
from telefine_assets.attribution.shapley import ShapleyValues, shapley_weights
from telefine_assets.attribution.submissions import Scope
from telefine_assets.attribution.trials import Trials, valued
from telefine_assets.attribution.usage import Arrival, AttributionError, UsedDemo, usage_weights
from telefine_assets.attribution.weights import FULL_PPM, WeightTable
from telefine_assets.canonical import canonical_json

FACTS_FILE = "attribution.json"


TOO_FEW_ITEMS = "too_few_items"
"""Why nobody is paid where too few validation items were judged to tell what a demo is worth."""


@dataclass(frozen=True)
class Facts:
    """What weights follow from.

    Attributes:
        demos: of the program.
        arrivals: every trace of the demos' clusters.
        scope: deployment and program, as whose the arrivals were signed.
        trials: what the demos' coalitions scored; None where demos count by use.
        withdrawn: clusters of demos whose feedback did not stand, ascending.
    """

    demos: tuple[UsedDemo, ...]
    arrivals: tuple[Arrival, ...]
    scope: Scope
    trials: Trials | None = None
    withdrawn: tuple[str, ...] = ()


def write_facts(
    demos: Iterable[UsedDemo],
    arrivals: Iterable[Arrival],
    scope: Scope,
    trials: Trials | None = None,
    withdrawn: Iterable[str] = (),
) -> bytes:
    """The evidence file for a program's demos and the arrivals of their clusters.

    Arrivals of other clusters are left out: they decide nothing here, and they
    name people who have no part in this attestation.
    """
    used = set(demos)
    clusters = {demo.cluster for demo in used}
    arrived = {arrival for arrival in arrivals if arrival.cluster in clusters}
    held = sorted(set(withdrawn))
    return canonical_json(
        ({"withdrawn": held} if held else {})
        | {
            "demos": [_demo_record(demo) for demo in sorted(used, key=lambda demo: demo.trace_id)],
            "arrivals": [arrival_record(row) for row in sorted(arrived, key=lambda row: row.trace_id)],
            "origin": scope.origin,
            "program": scope.program,
            "trials": None if trials is None else trials.to_record(),
        }
    )


def read_facts(data: bytes) -> Facts:
    """Read what ``write_facts`` wrote.

    Raises:
        RecordError: not JSON, or a field is missing, unknown or wrong.
    """
    fields = Fields(load_json(data, FACTS_FILE), FACTS_FILE)
    demos = tuple(_read_demo(row) for row in fields.objects("demos"))
    scope = Scope(fields.text("origin"), fields.text("program"))
    arrivals = tuple(read_arrival(row, scope) for row in fields.objects("arrivals"))
    trials = fields.take("trials")
    withdrawn = fields.some_texts("withdrawn")
    fields.done()
    if list(withdrawn) != sorted({demo.cluster for demo in demos} & set(withdrawn)):
        raise RecordError(f"{FACTS_FILE}.withdrawn", "expected clusters of the demos, ascending, each once")
    return Facts(demos, arrivals, scope, None if trials is None else Trials.from_record(trials), withdrawn)


def recompute_weights(data: bytes) -> WeightTable:
    """The weights that the facts in an evidence file give.

    Raises:
        RecordError: the file is no such file.
        AttributionError: its facts contradict each other.
        SubmissionRefused: somebody did not sign what he is said to have signed.
    """
    return weights_of(read_facts(data))


def weights_of(facts: Facts) -> WeightTable:
    """The weights that the facts give; every signature among them is checked again.

    Raises:
        AttributionError: they contradict each other.
        SubmissionRefused: a submission does not hold for its trace.
    """
    verify_arrivals(facts.arrivals, facts.scope)
    if facts.trials is None:
        return usage_weights(facts.demos, facts.arrivals, facts.withdrawn)
    values = values_of(facts)
    if values is None:
        return WeightTable(SHAPLEY, (), (), TOO_FEW_ITEMS)
    return shapley_weights(values, facts.demos, facts.arrivals, facts.trials.rules, facts.withdrawn).table


def values_of(facts: Facts) -> ShapleyValues | None:
    """What each cluster is worth; None where demos count by use, or too few items were judged.

    Raises:
        AttributionError: the trials are of other clusters than the demos.
    """
    if facts.trials is None:
        return None
    if facts.trials.players != tuple(sorted({demo.cluster for demo in facts.demos})):
        raise AttributionError("trials: must be of exactly the demos' clusters. Try this program's own demos.")
    return valued(facts.trials)


def _demo_record(demo: UsedDemo) -> dict[str, Any]:
    return {"cluster": demo.cluster, "trace_id": demo.trace_id, "quality_ppm": demo.quality_ppm}


def _read_demo(row: Fields) -> UsedDemo:
    demo = UsedDemo(row.text("cluster"), row.text("trace_id"), row.integer("quality_ppm", 0, FULL_PPM))
    row.done()
    return demo
