"""An agent with tools: how long a delivery takes, from two tools that it has to call one after the other."""

from __future__ import annotations

import dspy

PLACES = {
    "Bergen": (60.39, 5.32), "Berlin": (52.52, 13.40), "Gdansk": (54.35, 18.65), "Hamburg": (53.55, 9.99),
    "Lund": (55.70, 13.19), "Oslo": (59.91, 10.75), "Riga": (56.95, 24.11), "Turku": (60.45, 22.27),
}  # fmt: skip
SPEEDS = {"van": 80, "truck": 60, "train": 100}


def distance_km(start: str, end: str) -> int:
    """Kilometres by road between two places."""
    (a, b), (c, d) = PLACES[start], PLACES[end]
    return round(((111 * (a - c)) ** 2 + (63 * (b - d)) ** 2) ** 0.5 * 1.3)


def travel_hours(kilometres: int, vehicle: str) -> float:
    """Hours on the way, breaks included; the vehicle is a van, a truck or a train."""
    hours = kilometres / SPEEDS[vehicle]
    return round(hours + 0.75 * (hours // 4.5 if vehicle != "train" else 0), 1)


class Delivery(dspy.Signature):
    """Say how many hours the delivery is on its way."""

    question: str = dspy.InputField()
    hours: float = dspy.OutputField()


def build() -> dspy.Module:
    """The first version: ReAct with two tools."""
    return dspy.ReAct(Delivery, tools=[distance_km, travel_hours], max_iters=4)
