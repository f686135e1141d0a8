"""The evidence file of the weights: the facts from which anybody can recompute them.

``attribution.json`` is canonical JSON::

    {"method": "usage",
     "demos":    [{"cluster", "trace_id", "quality_ppm"}, ...],
     "arrivals": [{"cluster", "trace_id", "contributor", "reason", "arrival_ms"}, ...]}

Rows are sorted by trace id and given once, so that the same facts are the same
bytes in whatever order they were found.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from telefine_assets.attribution.records import Fields, load_json
from telefine_assets.attribution.usage import METHOD, Arrival, UsedDemo, usage_weights
from telefine_assets.attribution.weights import FULL_PPM, WeightTable
from telefine_assets.canonical import canonical_json

FACTS_FILE = "attribution.json"

# Times are JSON integers here; canonical JSON refuses those beyond 2**53.
_LAST_MS = 2**53 - 1


def write_facts(demos: Iterable[UsedDemo], arrivals: Iterable[Arrival]) -> bytes:
    """The evidence file for a program's demos and the arrivals of their clusters.

    Arrivals of other clusters are left out: they decide nothing here, and they
    name people who have no part in this attestation.
    """
    used = set(demos)
    clusters = {demo.cluster for demo in used}
    arrived = {arrival for arrival in arrivals if arrival.cluster in clusters}
    return canonical_json(
        {
            "method": METHOD,
            "demos": [_demo_record(demo) for demo in sorted(used, key=lambda demo: demo.trace_id)],
            "arrivals": [_arrival_record(row) for row in sorted(arrived, key=lambda row: row.trace_id)],
        }
    )


def read_facts(data: bytes) -> tuple[tuple[UsedDemo, ...], tuple[Arrival, ...]]:
    """Read what ``write_facts`` wrote.

    Raises:
        RecordError: not JSON, or a field is missing, unknown or wrong.
    """
    fields = Fields(load_json(data, FACTS_FILE), FACTS_FILE)
    fields.constant("method", METHOD)
    demos = tuple(_read_demo(row) for row in fields.objects("demos"))
    arrivals = tuple(_read_arrival(row) for row in fields.objects("arrivals"))
    fields.done()
    return demos, arrivals


def recompute_weights(data: bytes) -> WeightTable:
    """The weights that the facts in an evidence file give.

    Raises:
        RecordError: the file is no such file.
        AttributionError: its facts contradict each other.
    """
    return usage_weights(*read_facts(data))


def _demo_record(demo: UsedDemo) -> dict[str, Any]:
    return {"cluster": demo.cluster, "trace_id": demo.trace_id, "quality_ppm": demo.quality_ppm}


def _arrival_record(arrival: Arrival) -> dict[str, Any]:
    return {
        "cluster": arrival.cluster,
        "trace_id": arrival.trace_id,
        "contributor": arrival.contributor,
        "reason": arrival.reason,
        "arrival_ms": arrival.arrival_ms,
    }


def _read_demo(row: Fields) -> UsedDemo:
    demo = UsedDemo(row.text("cluster"), row.text("trace_id"), row.integer("quality_ppm", 0, FULL_PPM))
    row.done()
    return demo


def _read_arrival(row: Fields) -> Arrival:
    arrival = Arrival(
        cluster=row.text("cluster"),
        trace_id=row.text("trace_id"),
        contributor=row.text_or_none("contributor"),
        reason=row.text_or_none("reason"),
        arrival_ms=row.integer("arrival_ms", -_LAST_MS, _LAST_MS),
    )
    row.done()
    return arrival
