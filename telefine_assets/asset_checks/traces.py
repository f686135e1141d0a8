"""Checks of ``traces``."""

import dagster as dg

from telefine_assets.asset_checks.daily import Problems, check, days_of, result
from telefine_assets.assets.line import Line
from telefine_assets.partitions import bounds_ms
from telefine_assets.resources.storage import StoreResource

STAGE = "traces"


def build(line: Line) -> list[dg.AssetChecksDefinition]:
    """The checks for one program."""

    @check(line, STAGE)
    def each_trace_once_and_in_its_day(
        context: dg.AssetCheckExecutionContext, store: StoreResource
    ) -> dg.AssetCheckResult:
        """No trace stands twice in a day, and none is outside of it."""

        def problems(day: str) -> Problems:
            table = store.tables.read(line.name, STAGE, day)
            ids, times = table.column("trace_id").to_pylist(), table.column("request_time_ms").to_pylist()
            start, end = bounds_ms(day)
            if len(set(ids)) != len(ids):
                yield f"{len(ids) - len(set(ids))} traces stand twice"
            outside = sum(not start <= time < end for time in times)
            if outside:
                yield f"{outside} traces did not start on this day"

        return result(days_of(context, store.tables.days(line.name, STAGE)), problems)

    @check(line, STAGE, blocking=False)
    def traces_arrived(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        """The day has traces; none at all usually means that logging broke."""

        def problems(day: str) -> Problems:
            if store.tables.read(line.name, STAGE, day).num_rows == 0:
                yield f"MLflow has no trace of experiment {line.settings.experiment!r}"

        return result(days_of(context, store.tables.days(line.name, STAGE)), problems, blocking=False)

    return [each_trace_once_and_in_its_day, traces_arrived]
