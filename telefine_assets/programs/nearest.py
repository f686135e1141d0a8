"""Programs that show, in each call, the demos nearest to its inputs.

The state of such a program holds the whole pool as its predictors' demos, so that
every demo that may ever be shown is stored, digested and traced like any other. How
many are shown is said by the version's strategy: ``{"strategy": "knn_few_shot", "k": 4}``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

KNN = "knn_few_shot"


def wrapped(module: Any, strategy: Mapping[str, Any]) -> Any:
    """``module`` as its strategy wants it called: unchanged, or showing the ``k`` nearest demos only.

    The names of the predictors and their state stay as they are. A bare
    ``dspy.Predict`` comes back as another object; any other module as itself.
    """
    import dspy

    k = shows(strategy)
    if k is None:
        return module
    if isinstance(module, dspy.Predict):
        return _nearest(module, k)
    return module.map_named_predictors(lambda predictor: _nearest(predictor, k))


def shows(strategy: Mapping[str, Any]) -> int | None:
    """How many of its demos a program shows in a prompt; None: all."""
    return int(strategy["k"]) if strategy.get("strategy") == KNN else None


def demos_shown(state: Mapping[str, Any], strategy: Mapping[str, Any]) -> int:
    """How many demos the prompts of one run carry: what a call of the program costs."""
    return sum(len(part["demos"][: shows(strategy)]) for part in state.values())


def _nearest(predictor: Any, k: int) -> Any:
    chosen = copy.copy(predictor)
    chosen.__class__ = _nearest_class(chosen.__class__)
    chosen.k = k
    return chosen


@cache
def _nearest_class(kind: Any) -> Any:
    """``kind``, but choosing among its demos."""
    return type(kind)(f"Nearest{kind.__name__}", (_Nearest, kind), {"__module__": __name__})


class _Nearest:
    """Goes before ``dspy.Predict`` among the bases of a class.

    Nothing that calls share is changed: calls of many threads may use one predictor.
    """

    k: int
    demos: list[Any]
    signature: Any
    _pool: tuple[list[Any], Pool] | None = None

    def forward(self, **inputs: Any) -> Any:
        """Answer from the nearest demos."""
        return super().forward(**self._with_demos(inputs))  # type: ignore[misc]

    async def aforward(self, **inputs: Any) -> Any:
        """Answer from the nearest demos."""
        return await super().aforward(**self._with_demos(inputs))  # type: ignore[misc]

    def _with_demos(self, inputs: dict[str, Any]) -> dict[str, Any]:
        if self._pool is None or self._pool[0] is not self.demos:
            # Two threads may both do so; they get the same.
            self._pool = (self.demos, Pool(self.demos, list(self.signature.input_fields)))
        return {"demos": self._pool[1].nearest(inputs, self.k), **inputs}


class Pool:
    """Demos that can be asked for those nearest to some inputs.

    Nearness is the cosine of TF-IDF vectors of the inputs' character 3- to 5-grams,
    which needs neither a model nor to know the language; ties go to the demo that
    comes first in the pool.
    """

    def __init__(self, demos: Sequence[Any], fields: Sequence[str]) -> None:
        """Index ``demos`` by the values of their input ``fields``."""
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

        self._demos = list(demos)
        self._fields = list(fields)
        self._counts = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), norm=None, alternate_sign=False)
        self._weights = TfidfTransformer()
        if self._demos:
            self._vectors = self._weights.fit_transform(self._counts.transform(map(self._text, self._demos)))

    def nearest(self, inputs: Mapping[str, Any], k: int) -> list[Any]:
        """The ``k`` nearest demos, the nearest first."""
        if not self._demos:
            return []
        query = self._weights.transform(self._counts.transform([self._text(inputs)]))
        # Rounded: what differs in the last bits only is a tie.
        cosines = (self._vectors @ query.T).toarray().ravel().round(9)
        order = (-cosines).argsort(kind="stable")[:k]
        return [self._demos[at] for at in order]

    def _text(self, values: Mapping[str, Any]) -> str:
        return "\n".join(str(values.get(name, "")) for name in self._fields)
