"""Checks of ``traces``."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from telefine_assets.asset_checks.daily import Problems, check, days_of, result
from telefine_assets.assets.line import Line
from telefine_assets.partitions import bounds_ms, days_from
from telefine_assets.resources.storage import StoreResource

STAGE = "traces"


def build(line: Line) -> list[dg.AssetChecksDefinition]:
    """The checks for one program."""

    @check(line, STAGE)
    def the_columns_are_those_of_a_trace(
        context: dg.AssetCheckExecutionContext, store: StoreResource
    ) -> dg.AssetCheckResult:
        """Columns and types are those that cleaning reads."""
        from telefine_assets.traces.records import trace_schema

        def problems(day: str) -> Problems:
            found = store.tables.schema(line.name, STAGE, day)
            if not found.equals(trace_schema()):
                yield f"columns are {', '.join(found.names)}; load the day again with this version of Telefine"

        return result(days_of(context, store.tables.days(line.name, STAGE)), problems)

    @check(line, STAGE)
    def each_trace_once_and_in_its_day(
        context: dg.AssetCheckExecutionContext, store: StoreResource
    ) -> dg.AssetCheckResult:
        """No trace stands twice in a day, and none is outside of it."""

        def problems(day: str) -> Problems:
            import pyarrow.compute as pc

            columns = store.tables.columns(line.name, STAGE, day, ["trace_id", "request_time_ms"])
            twice = columns.num_rows - len(columns["trace_id"].unique())
            if twice:
                yield f"{twice} traces stand twice"
            start, end = bounds_ms(day)
            times = columns["request_time_ms"]
            outside = pc.sum(pc.or_(pc.less(times, start), pc.greater_equal(times, end))).as_py()
            if outside:
                yield f"{outside} traces did not start on this day"

        return result(days_of(context, store.tables.days(line.name, STAGE)), problems)

    @check(line, STAGE, blocking=False)
    def traces_arrived(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        """The day has traces; none at all usually means that logging broke."""

        def problems(day: str) -> Problems:
            if store.tables.rows(line.name, STAGE, day) == 0:
                yield f"MLflow has no trace of experiment {line.settings.experiment!r}"

        return result(days_of(context, store.tables.days(line.name, STAGE)), problems, blocking=False)

    @check(line, STAGE, blocking=False)
    def every_past_day_is_loaded(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        """No day between the first and yesterday is missing: the table is fresh and has no holes."""
        yesterday = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
        last = min(yesterday, line.last_day.isoformat()) if line.last_day else yesterday
        # Of a day that retention removed, the record of its cleaning is left.
        loaded = {*store.tables.days(line.name, STAGE), *store.records.days(line.name, "cleaned_traces")}
        missing = sorted({*days_from(line.first_day.isoformat(), last)} - loaded)
        return result(missing, lambda day: ["was never loaded"], blocking=False)

    return [
        the_columns_are_those_of_a_trace,
        each_trace_once_and_in_its_day,
        traces_arrived,
        every_past_day_is_loaded,
    ]
