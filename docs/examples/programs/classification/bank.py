"""Classification: which queue a customer's message to a bank belongs to."""

from __future__ import annotations

from typing import Literal

import dspy

Queue = Literal["cards", "transfers", "fraud", "other"]


class Sort(dspy.Signature):
    """Choose the queue of the bank's support desk that answers the message."""

    message: str = dspy.InputField()
    queue: Queue = dspy.OutputField()


def build() -> dspy.Module:
    """The first version: one prediction, and nothing learnt yet."""
    return dspy.Predict(Sort)
