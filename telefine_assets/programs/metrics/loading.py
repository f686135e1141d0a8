"""From settings to a metric."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from telefine_assets.programs.metrics import matching
from telefine_assets.programs.metrics.lm_judge import lm_judge
from telefine_assets.programs.metrics.metric import Metric
from telefine_assets.programs.metrics.scores import MetricError
from telefine_assets.settings.metrics import AnyMetric, Function, LmJudge, MetricSettings

BUILT_IN: dict[str, Callable[..., Any]] = {
    "exact_match": matching.exact_match,
    "f1": matching.f1,
    "contains": matching.contains,
    "numeric": matching.numeric,
    "json_match": matching.json_match,
    "lm_judge": lm_judge,
}
COMPARING = [function for name, function in BUILT_IN.items() if name != "lm_judge"]


def metric_named(metric: str | AnyMetric, setting: str, outputs: Sequence[str] | None = None) -> Metric:
    """The metric of the settings, or of a bare name or import path ``package.module:function``.

    Args:
        metric: the settings, or their short form.
        setting: where they stand, for messages.
        outputs: the program's outputs, of which the metric may name some.

    Raises:
        MetricError: when there is no such metric, function or output, or the
            function cannot be called as a metric.
    """
    settings = _settings(metric, setting) if isinstance(metric, str) else metric
    if outputs is not None:
        _check_outputs(settings, setting, outputs)
    function = imported(settings.path, setting) if isinstance(settings, Function) else BUILT_IN[settings.name]
    if not settings.labels and function in COMPARING:
        raise MetricError(f"{setting} = {settings.label!r}: compares with the label; leave out 'labels: false'")
    arguments = settings.arguments | _answer(settings, outputs)
    made = Metric(
        settings.label,
        function,
        arguments,
        asks=_asks(settings),
        direction=settings.direction,
        labels=settings.labels,
    )
    try:
        _ = (made.source, made.arguments)
    except (TypeError, OSError) as error:
        raise MetricError(
            f"{setting} = {settings.label!r}: has no source code, which a report must name: {error}"
        ) from error
    except MetricError as error:
        raise MetricError(f"{setting}: {error}") from None
    return made


def imported(path: str, setting: str) -> Callable[..., Any]:
    """The function at an import path.

    Raises:
        MetricError: when there is none.
    """
    module, _, attribute = path.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise MetricError(f"{setting} = {path!r}: cannot be imported: {error}") from error
    if not callable(function):
        raise MetricError(f"{setting} = {path!r}: is not a function")
    return function


def _settings(name: str, setting: str) -> AnyMetric:
    try:
        return TypeAdapter[AnyMetric](MetricSettings).validate_python(name)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise MetricError(f"{setting} = {name!r}: {said}") from None


def _asks(settings: AnyMetric) -> bool:
    return isinstance(settings, LmJudge) or (isinstance(settings, Function) and settings.lm is not None)


def _answer(settings: AnyMetric, outputs: Sequence[str] | None) -> dict[str, Any]:
    """The outputs that a judge sees whom no labels tell which they are; reasoning is none."""
    if isinstance(settings, LmJudge) and not settings.labels and not settings.fields and outputs:
        return {"fields": list(outputs)}
    return {}


def _check_outputs(settings: AnyMetric, setting: str, outputs: Sequence[str]) -> None:
    arguments = settings.model_dump()
    field = arguments.get("field")
    unknown = [name for name in arguments.get("fields") or ([field] if field else []) if name not in outputs]
    if unknown:
        raise MetricError(
            f"{setting}: {', '.join(unknown)} is no output of the program; its outputs are {', '.join(outputs)}"
        )
    if settings.name == "numeric" and not field and len(outputs) > 1:
        raise MetricError(f"{setting}.field is required: the program has several outputs ({', '.join(outputs)})")
