"""Checks over days: the run's own day, or every stored day when a person asks without one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import dagster as dg

from telefine_assets.assets.line import Line
from telefine_assets.assets.metadata import table_of
from telefine_assets.partitions import days_from

Problems = Iterable[str]


def days_of(context: dg.AssetCheckExecutionContext, stored: Iterable[str]) -> list[str]:
    """The days that this check is about: those of its run, or all where a person asks without any."""
    tags = context.run.tags
    if day := tags.get("dagster/partition"):
        return [day]
    if first := tags.get("dagster/asset_partition_range_start"):
        return days_from(first, tags["dagster/asset_partition_range_end"])
    return list(stored)


def result(days: list[str], find: Callable[[str], Problems], blocking: bool = True) -> dg.AssetCheckResult:
    """Passed when ``find`` has no problem to tell about any of the days."""
    problems = [(day, problem) for day in days for problem in find(day)]
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        metadata={
            "days": len(days),
            "problems": table_of(["day", "problem"], problems[:50]) if problems else "none",
        },
    )


def check(line: Line, stage: str, *, blocking: bool = True) -> Callable[..., dg.AssetChecksDefinition]:
    """``dg.asset_check`` for a stage; the function's name and docstring become the check's."""

    def decorate(function: Callable[..., dg.AssetCheckResult]) -> dg.AssetChecksDefinition:
        return dg.asset_check(
            asset=line.key(stage),
            name=function.__name__,
            description=function.__doc__,
            blocking=blocking,
        )(function)

    return decorate
