"""One DSPy adapter for two models: the one that answers and the one that proposes."""

from __future__ import annotations

from typing import Any

from dspy.adapters.base import Adapter

from telefine_assets.lm.opening import OpenLm


class ByModel(Adapter):
    """Asks the teacher's model by the teacher's adapter, any other by ``student``.

    DSPy's optimisers change the model alone when they ask for instructions, and a
    layout that suits a base model is none for a model that writes instructions.
    """

    def __init__(self, student: OpenLm, teacher: OpenLm) -> None:
        """Take both models with their adapters."""
        super().__init__()
        self._student = student
        self._teacher = teacher

    def __call__(self, lm: Any, *arguments: Any, **options: Any) -> Any:
        """Format, ask and parse."""
        return self._for(lm)(lm, *arguments, **options)

    async def acall(self, lm: Any, *arguments: Any, **options: Any) -> Any:
        """Format, ask and parse."""
        return await self._for(lm).acall(lm, *arguments, **options)

    def _for(self, lm: Any) -> Any:
        teachers = _same(lm, self._teacher.lm) and not _same(lm, self._student.lm)
        return (self._teacher if teachers else self._student).adapter


def _same(one: Any, other: Any) -> bool:
    """Whether one is a copy of the other: optimisers ask copies, with another temperature."""
    return one.model == other.model and one.engine is other.engine
