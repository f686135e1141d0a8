"""``traces``: every MLflow trace of a day, as one Parquet file."""

from collections import Counter

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
from telefine_assets.partitions import bounds_ms
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.storage import StoreResource

STAGE = "traces"


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program."""

    @dg.asset(
        **line.look(STAGE, {"mlflow", "parquet"}, "1"),
        description="Every trace that MLflow holds for the day: inputs, outputs, tags, feedback and expectations.",
    )
    def traces(
        context: dg.AssetExecutionContext, store: StoreResource, tracking: MlflowResource
    ) -> dg.MaterializeResult:
        from telefine_assets.programs.spec import load_spec
        from telefine_assets.traces.records import traces_to_table

        day = context.partition_key
        fields = load_spec(line.name, line.settings).fields
        with tracking.run(line.name, STAGE, day, context.run_id) as run:
            table = traces_to_table(tracking.source().read(line.settings.experiment, *bounds_ms(day), fields.inputs))
            digest = store.tables.write(line.name, STAGE, day, table)
            run.metrics({"traces": table.num_rows})
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest),
            metadata={
                **metadata.parquet(table, store.tables.path(line.name, STAGE, day)),
                "status": metadata.counts(Counter(table.column("status").to_pylist()), "status"),
                "sha256": digest,
                "mlflow_traces": metadata.link(tracking.experiment_url(line.settings.experiment), "no ui_url"),
                "mlflow_run": metadata.link(run.url, run.run_id),
            },
        )

    return traces
