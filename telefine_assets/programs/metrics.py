"""Metrics: from an expected and a predicted output to an integer score.

A score is in parts per million. Whatever a metric returns that is not a number
in [0, 1] is an error of the metric, and said so: never a silent zero.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from telefine_assets.errors import TelefineError

PPM = 1_000_000


class MetricError(TelefineError):
    """A metric cannot be used, or returned what is not a score."""


@dataclass(frozen=True)
class Metric:
    """A metric by DSPy's convention: ``function(example, prediction, trace=None)``."""

    name: str
    function: Callable[..., Any]

    @property
    def source(self) -> str:
        """The function's source and its whole module's, helpers included: part of what was measured."""
        module = inspect.getmodule(self.function)
        return inspect.getsource(self.function) + (inspect.getsource(module) if module else "")

    def ppm(self, example: Any, prediction: Any) -> int:
        """The score in parts per million.

        Raises:
            MetricError: when the metric returns anything but a number in [0, 1].
        """
        score = self.function(example, prediction)
        score = getattr(score, "score", score)
        if isinstance(score, bool):
            return PPM if score else 0
        if not isinstance(score, (int, float)) or not 0 <= score <= 1:
            raise MetricError(
                f"metric {self.name} returned {score!r}; it must return True, False or a number in [0, 1]"
            )
        return round(score * PPM)


def exact_match(example: Mapping[str, Any], prediction: Mapping[str, Any], trace: object = None) -> bool:
    """Whether every labelled output is right; text is compared without case and outer white space."""
    labels = example.labels()  # type: ignore[attr-defined]
    return all(_same(value, prediction.get(name)) for name, value in labels.items())


def _same(expected: Any, predicted: Any) -> bool:
    if isinstance(expected, str) and isinstance(predicted, str):
        return expected.strip().casefold() == predicted.strip().casefold()
    return bool(expected == predicted)


def metric_named(name: str, setting: str) -> Metric:
    """A metric by its name, or by its import path ``package.module:function``.

    Raises:
        MetricError: when there is no such function.
    """
    if name == "exact_match":
        return Metric(name, exact_match)
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise MetricError(f"{setting} = {name!r}: cannot be imported: {error}") from error
    if not callable(function):
        raise MetricError(f"{setting} = {name!r}: is not a function")
    metric = Metric(name, function)
    try:
        _ = metric.source
    except (TypeError, OSError) as error:
        raise MetricError(f"{setting} = {name!r}: has no source code, which a report must name: {error}") from error
    return metric
