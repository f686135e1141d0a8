"""Extraction with typed outputs: what a customer orders, and how soon it is needed."""

from __future__ import annotations

from typing import Literal

import dspy
from pydantic import BaseModel, Field


class Order(BaseModel):
    """One line of an order."""

    product: str = Field(description="singular, lower case")
    quantity: int = Field(ge=1)
    unit: Literal["piece", "box", "pallet"]


class Read(dspy.Signature):
    """Read the order in a customer's mail."""

    mail: str = dspy.InputField()
    order: Order = dspy.OutputField()
    urgency: Literal["today", "this_week", "whenever"] = dspy.OutputField()


class ReadMail(dspy.Module):
    """A module of one's own around one prediction."""

    def __init__(self) -> None:
        super().__init__()
        self.read = dspy.Predict(Read)

    def forward(self, mail: str) -> dspy.Prediction:
        """The order in a mail, and its urgency."""
        return self.read(mail=mail)


def build() -> dspy.Module:
    """The first version."""
    return ReadMail()
