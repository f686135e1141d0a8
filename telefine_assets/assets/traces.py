"""``traces``: every MLflow trace of a day, as one Parquet file."""

from collections.abc import Callable

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
from telefine_assets.assets.observed import observed
from telefine_assets.assets.ranges import Made, each_day
from telefine_assets.partitions import bounds_ms
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.storage import StoreResource

STAGE = "traces"
_TELL_EVERY = 10_000


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program."""

    @dg.asset(
        **line.look(STAGE, {"mlflow", "parquet"}, "2"),
        backfill_policy=dg.BackfillPolicy.single_run(),
        description="Every trace that MLflow holds for the day: inputs, outputs, tags, feedback and expectations.",
    )
    @observed(line, STAGE)
    def traces(
        context: dg.AssetExecutionContext, store: StoreResource, tracking: MlflowResource
    ) -> dg.MaterializeResult:
        from telefine_assets.programs.spec import load_spec
        from telefine_assets.traces.days import load_day
        from telefine_assets.traces.records import trace_schema
        from telefine_assets.traces.sources.opening import query_of

        fields = load_spec(line.name, line.settings).fields
        source = tracking.source(line.settings.traces.files)
        context.log.info(f"traces are read {source.described}")

        def make(day: str) -> Made:
            with tracking.run(line.name, STAGE, day, context.run_id) as run:
                query = query_of(line.settings, fields.inputs, *bounds_ms(day))
                loaded = load_day(source, query, store.tables, store.evidence.put, line.name, day, _told(context, day))
                run.metrics({"traces": loaded.rows})
            return Made(
                loaded.digest,
                {
                    **metadata.parquet(loaded.rows, trace_schema(), store.tables.path(line.name, STAGE, day)),
                    "status": metadata.counts(loaded.statuses, "status"),
                    "source": source.described,
                    "sha256": loaded.digest,
                    "mlflow_traces": metadata.link(tracking.experiment_url(line.settings.experiment), "no ui_url"),
                    "mlflow_run": metadata.link(run.url, run.run_id),
                },
            )

        return each_day(context, make)

    return traces


def _told(context: dg.AssetExecutionContext, day: str) -> Callable[[int], None]:
    """Progress in the run's log, each time another ten thousand traces are there."""
    told = 0

    def tell(count: int) -> None:
        nonlocal told
        if count // _TELL_EVERY > told:
            told = count // _TELL_EVERY
            context.log.info(f"{day}: {count:,} traces so far")

    return tell
