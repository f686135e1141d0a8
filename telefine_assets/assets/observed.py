"""The making of every stage is seen (logged, timed, counted, traced, as far as the settings ask) and can be stopped."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import dagster as dg

from telefine_assets.assets.interruptions import insisting
from telefine_assets.assets.line import Line
from telefine_assets.observing.observer import StageWork

Body = Callable[..., dg.MaterializeResult]


def observed(line: Line, stage: str) -> Callable[[Body], Body]:
    """Have the body of a stage's asset be seen; Dagster still finds the body's own parameters."""

    def around(body: Body) -> Body:
        @wraps(body)
        def seen(context: dg.AssetExecutionContext, *resources: Any, **named: Any) -> dg.MaterializeResult:
            days = context.partition_keys
            partition = days[0] if len(days) == 1 else f"{days[0]}..{days[-1]}"
            work = StageWork(line.name, stage, partition, context.run_id, context.run.tags)
            with line.observer.stage(work), insisting():
                return body(context, *resources, **named)

        return seen

    return around
