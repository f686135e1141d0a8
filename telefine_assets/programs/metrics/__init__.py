"""Metrics: from an expected and a predicted output to an integer score.

A score is in parts per million. What a metric returns that is not a number in
[0, 1] is a fault of the metric and stops the stage (:class:`MetricError`); an
item that it cannot judge, and says so (:class:`CannotJudge`), has no score.
Neither is ever a zero.
"""

from telefine_assets.programs.metrics.loading import metric_named
from telefine_assets.programs.metrics.matching import contains, exact_match, f1, json_match, numeric
from telefine_assets.programs.metrics.metric import Judged, Metric
from telefine_assets.programs.metrics.optimising import OptimiserMetric
from telefine_assets.programs.metrics.scores import PPM, CannotJudge, MetricError, ppm_of
from telefine_assets.programs.metrics.values import plain_value

__all__ = [
    "PPM",
    "CannotJudge",
    "Judged",
    "Metric",
    "MetricError",
    "OptimiserMetric",
    "contains",
    "exact_match",
    "f1",
    "json_match",
    "metric_named",
    "numeric",
    "plain_value",
    "ppm_of",
]
