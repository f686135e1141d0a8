"""Whom a language model's engine tells of every request; what that is good for, the lm package does not know."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from telefine_assets.lm.budget import Spent


class Watch(Protocol):
    """Is told what one model is asked. Threads share one, and it must not raise."""

    def attempted(self, seconds: float, error: str | None, spent: Spent | None) -> None:
        """A request was sent: what it came to, or the class of its error."""
        ...

    def retried(self) -> None:
        """A request is sent again."""
        ...

    def remembered(self) -> None:
        """A question was answered without asking."""
        ...

    def batch(self, label: str) -> AbstractContextManager[None]:
        """Around the questions that are counted under a label."""
        ...


class Unwatched:
    """Nobody looks."""

    def attempted(self, seconds: float, error: str | None, spent: Spent | None) -> None:
        """Nothing."""

    def retried(self) -> None:
        """Nothing."""

    def remembered(self) -> None:
        """Nothing."""

    def batch(self, label: str) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()
