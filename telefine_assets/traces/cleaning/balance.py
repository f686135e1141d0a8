"""No category outweighs the others in the trainset: caps that drop, and weights."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.settings.traces import BalanceSettings
from telefine_assets.traces.cleaning.outcomes import PPM


@dataclass(frozen=True)
class Balanced:
    """What balance decided on the train side of a day."""

    over: Sequence[int]
    """Rows that are too many."""
    report: Mapping[str, Any]


def balanced(
    rows: Sequence[int], categories: Mapping[int, str], clusters: Mapping[int, str], settings: BalanceSettings, key: str
) -> Balanced:
    """Decide which of the train side's rows, given in the order of arrival, are too many.

    Caps count content clusters, and a cluster stays or goes as a whole: it
    belongs to the category of its first trace, as later stages learn from that
    one. A keyed hash of the cluster chooses, so that nobody can word an input
    so that it stays, and neither the order nor the hour of arrival matters.
    """
    category_of: dict[str, str] = {}
    for row in rows:
        category_of.setdefault(clusters[row], categories[row])
    members: dict[str, list[str]] = {}
    for cluster, category in category_of.items():
        members.setdefault(category, []).append(cluster)
    kept: set[str] = set()
    report: dict[str, Any] = {}
    for category, found in sorted(members.items()):
        cap = settings.caps.get(category, settings.max_per_day)
        kept.update(sorted(found, key=lambda cluster: _rank(cluster, key))[:cap])
        report[category] = {
            "clusters": len(found),
            "kept": len(found) if cap is None else min(cap, len(found)),
            "weight_ppm": weight_ppm(category, settings),
            **({} if cap is None else {"cap": cap}),
        }
    return Balanced([row for row in rows if clusters[row] not in kept], {"by": settings.by, "categories": report})


def weight_ppm(category: str, settings: BalanceSettings) -> int:
    """The factor on the quality of a category's traces."""
    return round(settings.weights.get(category, 1.0) * PPM)


def _rank(cluster: str, key: str) -> bytes:
    return hmac.new(key.encode(), b"balance:" + cluster.encode(), hashlib.sha256).digest()
